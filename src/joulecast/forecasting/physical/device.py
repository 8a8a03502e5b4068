"""Forecasts made before a run starts: a device's facts, what one step costs on it, and the total.

Every static forecaster answers for one step of a workload on one device; `total` makes a run of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ...estimate import Estimate
from ...hardware.catalog.cpus import CpuModel
from ...hardware.catalog.gpus import GpuModel
from ...workload.model import Workload
from ..base import Forecast, Prediction
from .device_cpu import cpu_facts

# Compute capabilities of NVIDIA's chips with stacked memory (HBM). AMD's are Vega and CDNA.
_STACKED = ("6.0", "7.0", "8.0", "9.0", "10.0", "10.3")
ASSUMED = "rate and bandwidth of the CPU are assumed by its family"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What microbenchmarks measured on one machine; None where a constant is unknown.

    Attributes:
        compute: attained rate of matrix products and convolutions, as a factor on the shipped one.
        memory: attained bandwidth, as a factor on the shipped one.
        power: dynamic power (busy minus idle), as a factor on the shipped one.
        launch_s: time of the host to launch a kernel; on a CPU, to start an operator.
        step_s: what a step takes in addition to its operators.
        idle_w: power without work.
        busy_w: power at work, where it is the same for all work (a CPU).
        disturbed: share of the processors' time that other programs took during the measurement;
            0 where that was little.
        outdated: an older version made it, whose constants mean other things in part.
    """

    compute: float | None = None
    memory: float | None = None
    power: float | None = None
    launch_s: float | None = None
    step_s: float | None = None
    idle_w: float | None = None
    busy_w: float | None = None
    disturbed: float = 0.0
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """What a forecaster may know of the device a step runs on. Figures are of one device.

    Attributes:
        name: of the model.
        kind: `"gpu"` or `"cpu"`.
        vector: peak rates by precision, TFLOP/s, as in the catalog of GPUs.
        tensor: the same of the tensor cores, or a CPU's matrix units.
        memory_bandwidth_gb_s: peak.
        memory_gb: None where unknown.
        tdp_w: thermal design power.
        processors: streaming multiprocessors, compute units or cores.
        stacked_memory: HBM, which draws little while nothing is moved.
        vendor: `"NVIDIA"`, `"AMD"`, ...
        architecture: of the chip; of a CPU its family.
        year: of its release.
        idle_w: None where unknown.
        power_limit_w: as set in the driver, where below the TDP.
        calibration: what was measured on it.
        source: of the figures.
        notes: what was assumed, for people.
    """

    name: str
    kind: str
    vector: Mapping[str, float] = field(hash=False)
    tensor: Mapping[str, float] = field(hash=False)
    memory_bandwidth_gb_s: float
    memory_gb: float | None
    tdp_w: float
    processors: int
    stacked_memory: bool = False
    vendor: str = ""
    architecture: str = ""
    year: int | None = None
    idle_w: float | None = None
    power_limit_w: float | None = None
    calibration: Calibration | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def limit_w(self) -> float:
        """The power it may draw: the limit set in the driver, else its thermal design power."""
        return self.tdp_w if self.power_limit_w is None else self.power_limit_w

    def runs_in(self, precision: str, tensor_cores: bool = True) -> str:
        """The precision itself, or the next wider one that the device has, as in frameworks.

        For bf16 that is fp32, because fp16 has a smaller range.
        """
        wider = {"fp8": ("bf16", "fp16"), "int8": ("fp16",), "default": ("tf32",)}
        for name in (precision, *wider.get(precision, ())):
            if name in self.vector or (tensor_cores and name in self.tensor):
                return name
        return "fp32"

    def peak_tflops(self, precision: str, tensor_cores: bool = True) -> float | None:
        """Dense peak rate in TFLOP/s, of the tensor cores where allowed and known; else None."""
        name = self.runs_in(precision, tensor_cores)
        known = self.tensor if tensor_cores and name in self.tensor else self.vector
        return known.get(name)

    @classmethod
    def of_gpu(cls, gpu: GpuModel) -> Device:
        """A GPU of the catalog, as the driver lists it."""
        one = gpu.per_device()
        # Multiprocessors are not published for a few boards: they are rated at about 1 TFLOP/s in
        # FP32 each since Ampere.
        processors = one.processors or max(1, round(one.vector.get("fp32", 50.0)))
        return cls(
            name=gpu.name,
            kind="gpu",
            vector=one.vector,
            tensor=one.tensor,
            memory_bandwidth_gb_s=one.memory_bandwidth_gb_s,
            memory_gb=one.memory_gb,
            tdp_w=one.tdp_w,
            processors=processors,
            stacked_memory=gpu.compute_capability in _STACKED
            or gpu.compute_capability.startswith("gfx9"),
            vendor=gpu.vendor,
            architecture=gpu.architecture,
            year=gpu.year,
            source=gpu.source,
        )

    @classmethod
    def of_cpu(
        cls, cpu: CpuModel, *, cores: float | None = None, memory_gb: float | None = None
    ) -> Device:
        """A CPU of the catalog, or `cores` of its cores, as in a container or virtual machine.

        The catalog has no rate of floating-point operations and no bandwidth: they are assumed from
        the vector units and the memory channels usual in its family (`device_cpu`).
        """
        facts = cpu_facts(cpu)
        used = cpu.cores if cores is None else min(cores, cpu.cores)
        share = used / cpu.cores
        return cls(
            name=cpu.name,
            kind="cpu",
            vector={"fp32": facts.gflops_per_core * used / 1e3},
            tensor={p: r * used / 1e3 for p, r in facts.matrix_gflops_per_core.items()},
            memory_bandwidth_gb_s=facts.memory_bandwidth_gb_s * max(share, facts.one_core_share),
            memory_gb=memory_gb,
            tdp_w=facts.full_w * share,
            processors=max(1, math.ceil(used)),
            architecture=cpu.family,
            idle_w=facts.idle_w * share,
            source=cpu.source,
            notes=(ASSUMED,),
        )

    def calibrated(self, calibration: Calibration) -> Device:
        """The same device with what was measured on it."""
        return replace(self, calibration=calibration)


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a step's time, which add up to 1.

    `input`, the time that the device waits for its data, is in no forecast so far.
    """

    compute: float
    memory: float
    launch: float
    input: float = 0.0

    @property
    def dominant(self) -> str:
        """The largest: "compute", "memory" or "launch"."""
        named = {"compute": self.compute, "memory": self.memory, "launch": self.launch}
        return max(named, key=lambda name: named[name])


@dataclass(frozen=True, slots=True)
class StepForecast:
    """One step of the whole batch: duration (s), energy (J) and mean power (W) of the device.

    `shares` is None where the method does not report them; `rung` is what the forecast knows:
    `"catalog"`, `"calibrated"` or `"probed"`. `metered` is the energy that a probe measured: its
    meters' error comes to that of `energy` and `power`.
    """

    duration: Prediction
    energy: Prediction
    power: Prediction
    shares: Shares | None
    method: str
    rung: str
    notes: tuple[str, ...] = ()
    metered: Estimate | None = None


class StaticForecaster(ABC):
    """Forecasts a step before it runs."""

    name: ClassVar[str]

    @abstractmethod
    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step of the workload on the device, or None where the method has no forecast."""


def total(
    step: StepForecast,
    steps: float,
    *,
    epochs: float = 1.0,
    validation: StepForecast | None = None,
    validation_steps: float = 0.0,
) -> Forecast:
    """`epochs` times `steps` steps, with `validation_steps` of `validation` after each epoch.

    The error of a static forecast is the model's and the same in every step (fully correlated), so
    that bounds add up as values do, and the relative width of a run is that of a step.
    Raises `ValueError` for negative numbers, and for validation without its forecast.
    """
    if min(steps, epochs, validation_steps) < 0:
        raise ValueError("numbers of steps and epochs cannot be negative")
    if validation is None and validation_steps:
        raise ValueError("validation steps need the forecast of one")
    parts = [(step, epochs * steps)]
    if validation is not None:
        parts.append((validation, epochs * validation_steps))
    notes = tuple(dict.fromkeys(note for part, _ in parts for note in part.notes))
    energy = _sum([(part.energy, count) for part, count in parts])
    duration = _sum([(part.duration, count) for part, count in parts])
    return Forecast(energy, duration, notes)


def _sum(parts: list[tuple[Prediction, float]]) -> Prediction:
    """Sum of predictions times counts, their errors fully correlated."""
    value = math.fsum(p.value * count for p, count in parts)
    if any(p.low is None or p.high is None for p, _ in parts):
        return Prediction(value)
    low = math.fsum((p.low or 0.0) * count for p, count in parts)
    high = math.fsum((p.high or 0.0) * count for p, count in parts)
    return Prediction(value, low, high)
