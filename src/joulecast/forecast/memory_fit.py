"""Whether a step fits a device: what it needs of memory, beside what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .static import Device

if TYPE_CHECKING:
    from ..workload.model import Workload

# The CUDA context, kernels and library workspaces of PyTorch on a GPU: 0.3 to 0.6 GB in its own
# memory reports ("Understanding CUDA Memory Usage", PyTorch documentation).
CONTEXT_BYTES = 0.5e9
# The caching allocator rounds blocks up and cannot join them all: typically a tenth is lost.
FRAGMENTED = 1.1


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes a step needs on one device, and what the device has (None: not known)."""

    needed_bytes: float
    available_bytes: float | None

    @property
    def fits(self) -> bool | None:
        """None where the device's memory is not known."""
        if self.available_bytes is None:
            return None
        return self.needed_bytes <= self.available_bytes

    @property
    def warning(self) -> str | None:
        """What to tell the user where it does not fit, or hardly; None else."""
        if self.available_bytes is None:
            return None
        share = self.needed_bytes / self.available_bytes
        if share <= 0.9:
            return None
        needs = f"{self.needed_bytes / 1e9:.1f} GB of {self.available_bytes / 1e9:.0f} GB"
        if share > 1:
            return f"does not fit: needs about {needs}; a smaller batch would"
        return f"hardly fits: needs about {needs}"


def memory_needed(workload: Workload, device: Device) -> MemoryNeed:
    """What one step needs on each device that shares its batch."""
    n = max(1, device.devices)
    shared = workload.memory_bytes - workload.weight_bytes - workload.optimizer_bytes
    passing = max(0.0, shared - workload.gradient_bytes) / n + workload.gradient_bytes
    needed = (workload.weight_bytes + workload.optimizer_bytes + passing) * FRAGMENTED
    if device.kind == "gpu":
        needed += CONTEXT_BYTES
    available = None if device.memory_gb is None else device.memory_gb * 1e9
    return MemoryNeed(needed, available)
