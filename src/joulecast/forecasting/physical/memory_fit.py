"""Whether a step fits a device: the memory it needs, and the memory there is."""

import math
from dataclasses import dataclass, field, replace

from ...workload.model import Workload
from .device import Device
from .parallel import Layout, on_one_device

# The CUDA context, kernels and library workspaces of PyTorch on a GPU: 0.3 to 0.6 GB in its own
# memory reports ("Understanding CUDA Memory Usage", PyTorch documentation).
CONTEXT_BYTES = 0.5e9
# The caching allocator rounds blocks up and cannot join them all: typically a tenth is lost.
FRAGMENTED = 1.1
# Share of the memory from which there is a warning.
_TIGHT = 0.9
# Numbers of devices of which the first on which a job fits is suggested.
COUNTS = tuple(2**n for n in range(1, 11))


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes a step needs on one device.

    Attributes:
        needed_bytes: with the given batch.
        available_bytes: what the device has; None where that is unknown.
        min_bytes: with a batch of one sample.
        fixed_bytes: with any batch: weights, gradients and the optimizer's state.
        fits_on: the fewest devices (a power of two) on which it fits with `--parallel WAY`; None
            where it fits, or on no 1,024.
        way: the way to divide it among those: `"fsdp"` or `"tensor"`.
        fits: whether the step fits; None where the device's memory is unknown.
    """

    needed_bytes: float
    available_bytes: float | None
    min_bytes: float
    fixed_bytes: float
    fits_on: int | None = None
    way: str = "fsdp"
    fits: bool | None = field(init=False)

    def __post_init__(self) -> None:
        available = self.available_bytes
        fits = None if available is None else self.needed_bytes <= available
        object.__setattr__(self, "fits", fits)

    @property
    def fits_smaller(self) -> bool | None:
        """Whether a smaller batch would fit; None where the device's memory is unknown."""
        if self.available_bytes is None:
            return None
        return self.min_bytes < self.needed_bytes and self.min_bytes <= self.available_bytes

    @property
    def warning(self) -> str | None:
        """A sentence for people where the step does not fit, or hardly fits; else None."""
        if self.available_bytes is None:
            return None
        share = self.needed_bytes / self.available_bytes
        if share <= _TIGHT:
            return None
        needs = f"{self.needed_bytes / 1e9:.1f} GB of {self.available_bytes / 1e9:.0f} GB"
        if share <= 1:
            return f"hardly fits: needs about {needs}"
        sharded = (
            "" if self.fits_on is None else f"{self.fits_on} devices with --parallel {self.way}"
        )
        if self.fits_smaller:
            also = f", or {sharded}" if sharded else ""
            return f"does not fit: needs about {needs}; a smaller batch would{also}"
        fixed = ""
        if self.fixed_bytes > self.available_bytes:
            # Weights, gradients and the optimizer's state.
            size = f"{self.fixed_bytes / 1e9:.1f} GB"
            fixed = f" ({size} are needed at any batch)"
        if sharded:
            return f"does not fit: needs about {needs}{fixed}; it fits on {sharded}"
        return f"does not fit: needs about {needs}; only a device with more memory helps{fixed}"


def memory_needed(workload: Workload, device: Device, layout: Layout | None = None) -> MemoryNeed:
    """What one step needs on a device, or on each device of a layout.

    `workload` is a micro-batch on the whole model.
    """
    layout = layout or Layout()
    part = on_one_device(workload, layout)
    fixed, by_batch = _fixed_bytes(part), _batch_bytes(part)
    context = CONTEXT_BYTES if device.kind == "gpu" else 0.0

    def allocated(bytes_: float) -> float:
        return bytes_ * FRAGMENTED + context

    available = None if device.memory_gb is None else device.memory_gb * 1e9
    need = MemoryNeed(
        needed_bytes=allocated(fixed + by_batch),
        available_bytes=available,
        min_bytes=allocated(fixed + by_batch / max(1, workload.batch)),
        fixed_bytes=allocated(fixed),
    )
    if device.kind != "gpu" or available is None or need.fits:
        return need
    samples = max(1, workload.batch) * layout.data * layout.fsdp
    each = _batch_bytes(workload) / max(1, workload.batch)

    def sharded(devices: int) -> float:
        kept = _fixed_bytes(workload) / devices + 2 * workload.block_bytes
        return allocated(kept + each * math.ceil(samples / devices))

    return replace(need, fits_on=next((n for n in COUNTS if sharded(n) <= available), None))


def _fixed_bytes(workload: Workload) -> float:
    return workload.weight_bytes + workload.optimizer_bytes + workload.gradient_bytes


def _batch_bytes(workload: Workload) -> float:
    return max(0.0, workload.memory_bytes - _fixed_bytes(workload))
