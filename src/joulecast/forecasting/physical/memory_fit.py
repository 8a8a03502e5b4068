"""Whether a step fits a device: what it needs of memory, beside what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .device import Device

if TYPE_CHECKING:
    from ...workload.model import Workload

# The CUDA context, kernels and library workspaces of PyTorch on a GPU: 0.3 to 0.6 GB in its own
# memory reports ("Understanding CUDA Memory Usage", PyTorch documentation).
CONTEXT_BYTES = 0.5e9
# The caching allocator rounds blocks up and cannot join them all: typically a tenth is lost.
FRAGMENTED = 1.1


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes a step needs on one device, and what the device has (None: not known).

    `least_bytes` are needed with a batch of one sample, `kept_bytes` with any batch: weights,
    gradients and the optimizer's state.
    """

    needed_bytes: float
    available_bytes: float | None
    least_bytes: float
    kept_bytes: float

    @property
    def fits(self) -> bool | None:
        """None where the device's memory is not known."""
        if self.available_bytes is None:
            return None
        return self.needed_bytes <= self.available_bytes

    @property
    def fits_smaller(self) -> bool | None:
        """Whether it would with a smaller batch; None where the device's memory is not known."""
        if self.available_bytes is None:
            return None
        return self.least_bytes < self.needed_bytes and self.least_bytes <= self.available_bytes

    @property
    def warning(self) -> str | None:
        """What to tell the user where it does not fit, or hardly; None else."""
        if self.available_bytes is None:
            return None
        share = self.needed_bytes / self.available_bytes
        if share <= 0.9:
            return None
        needs = f"{self.needed_bytes / 1e9:.1f} GB of {self.available_bytes / 1e9:.0f} GB"
        if share <= 1:
            return f"hardly fits: needs about {needs}"
        if self.fits_smaller:
            return f"does not fit: needs about {needs}; a smaller batch would"
        alone = ""
        if self.kept_bytes > self.available_bytes:
            kept = f"{self.kept_bytes / 1e9:.1f} GB"
            alone = f" (weights, gradients and optimizer state take {kept} at any batch)"
        return f"does not fit: needs about {needs}; only a device with more memory helps{alone}"


def memory_needed(workload: Workload, device: Device) -> MemoryNeed:
    """What one step needs on each device that shares its batch."""
    n = max(1, device.devices)
    kept = workload.weight_bytes + workload.optimizer_bytes + workload.gradient_bytes
    passing = max(0.0, workload.memory_bytes - kept)
    context = CONTEXT_BYTES if device.kind == "gpu" else 0.0

    def in_all(bytes_: float) -> float:
        return bytes_ * FRAGMENTED + context

    return MemoryNeed(
        needed_bytes=in_all(kept + passing / n),
        available_bytes=None if device.memory_gb is None else device.memory_gb * 1e9,
        least_bytes=in_all(kept + passing / max(n, workload.batch)),
        kept_bytes=in_all(kept),
    )
