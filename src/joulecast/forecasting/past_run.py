"""Finished runs, which static forecasters learn from and are scored on."""

from dataclasses import dataclass, replace
from typing import Any

from ..errors import UnknownHardwareError
from ..hardware.catalog.gpus import find_gpu
from .physical.device import Device


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be known of a run before it starts; None where it is unknown.

    `model` is the specification that its workload can be built from (`torchvision:resnet50`).
    `training_size` and `validation_size` are samples in an epoch. `gflops` are those of the forward
    pass of one sample, in 10^9 floating-point operations (a multiply-add is two). `tdp_w` and
    `peak_tflops` are of one device, the latter at the precision of the run; `ram_gb` is the memory
    of the machine; `utilization` is of the device, 0 to 1. For a run whose work is not given in
    epochs, `steps` is the total.
    """

    architecture: str = ""
    gpu: str = ""
    model: str = ""
    precision: str = "default"
    optimizer: str = ""
    batch: float | None = None
    image_height: float | None = None
    image_width: float | None = None
    training_size: float | None = None
    validation_size: float | None = None
    epochs: float | None = None
    steps: float | None = None
    gflops: float | None = None
    parameters: float | None = None
    ram_gb: float | None = None
    gpu_cores: float | None = None
    gpu_memory_gb: float | None = None
    tdp_w: float | None = None
    peak_tflops: float | None = None
    utilization: float | None = None

    @property
    def samples(self) -> float | None:
        """Samples trained on in the whole run."""
        if self.epochs is not None and self.training_size is not None:
            return self.epochs * self.training_size
        if self.steps is not None and self.batch is not None:
            return self.steps * self.batch
        return None

    @property
    def length(self) -> float | None:
        """Epochs of the run, or its steps where the epochs are unknown."""
        return self.steps if self.epochs is None else self.epochs

    @property
    def validated(self) -> float:
        """Samples validated on in the whole run; 0 where their number is unknown."""
        if self.epochs is None or self.validation_size is None:
            return 0.0
        return self.epochs * self.validation_size


@dataclass(frozen=True, slots=True)
class StaticRun:
    """A finished run: what was known before it, and what it used (J, s)."""

    run_id: str
    facts: Facts
    energy_j: float
    duration_s: float
    group: str | None = None

    @property
    def power_w(self) -> float:
        """Mean power."""
        return self.energy_j / self.duration_s


def completed(facts: Facts) -> Facts:
    """The facts with those of the GPU that are missing, as the catalog has them.

    They stay missing where the catalog does not have the GPU.
    """
    try:
        gpu = find_gpu(facts.gpu)
    except UnknownHardwareError:
        return facts
    one = gpu.per_device()
    in_catalog: dict[str, Any] = {
        "gpu_cores": one.cores,
        "gpu_memory_gb": one.memory_gb,
        "tdp_w": one.tdp_w,
        "peak_tflops": Device.of_gpu(gpu).peak_tflops(facts.precision),
    }
    return replace(facts, **{n: v for n, v in in_catalog.items() if getattr(facts, n) is None})
