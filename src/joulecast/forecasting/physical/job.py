"""What a whole training or inference will cost: the forecast of one step, times a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ...analysis.carbon.footprint import Site
from ...estimate import Estimate, Provenance
from ...result import Result
from ...workload.model import Phase, Workload
from ..base import Prediction
from .device import Device, Shares, StepForecast, total
from .generation import GenerationForecast
from .memory_fit import MemoryNeed, memory_needed
from .node import NodePart, node_part
from .parallel import Layout, Waiting, on_one_device
from .roofline import types_on


@dataclass(frozen=True, slots=True)
class Plan:
    """How often a step runs in each of `epochs`, and in the validation after each."""

    steps: int
    epochs: int = 1
    validation_steps: int = 0

    @classmethod
    def of_samples(
        cls, samples: int, batch: int, epochs: int = 1, validation_samples: int = 0
    ) -> Plan:
        """Steps that see all samples; a smaller last batch counts as a whole one."""
        return cls(math.ceil(samples / batch), epochs, math.ceil(validation_samples / batch))


@dataclass(frozen=True, slots=True)
class StepCounts:
    """What one step of the workload asks of all devices, as counted; memory is that of each.

    `kinds_by_type` has the classes of operators by the type in which the device computes them.
    """

    name: str
    batch: int
    input: tuple[int, ...]
    precision: str
    training: bool
    optimizer: str | None
    parameters: int
    forward_flops: float
    step_flops: float
    step_bytes: float
    memory_bytes: float
    kinds_by_type: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, workload: Workload, device: Device, layout: Layout) -> StepCounts:
        """The counts of a micro-batch on the whole model, times those of a step."""
        part = on_one_device(workload, layout)
        updates = (layout.parts - 1) * workload.flops(Phase.OPTIMIZER)
        moved = (layout.parts - 1) * workload.bytes(Phase.OPTIMIZER)
        return cls(
            name=workload.name,
            batch=workload.batch * layout.parts,
            input=workload.input_shape,
            precision=workload.precision,
            training=workload.training,
            optimizer=workload.optimizer,
            parameters=workload.parameters,
            forward_flops=workload.flops(Phase.FORWARD) * layout.parts,
            step_flops=workload.flops() * layout.parts - updates,
            step_bytes=workload.bytes() * layout.parts - moved,
            memory_bytes=part.memory_bytes,
            kinds_by_type=_kinds_by_type(workload, device),
        )


def _kinds_by_type(workload: Workload, device: Device) -> dict[str, tuple[str, ...]]:
    """Classes of operators by the type in which the device computes most of their FLOPs."""
    types = types_on(device, workload)
    flops: dict[str, dict[str, float]] = {}
    for op in workload.ops:
        by_type = flops.setdefault(str(op.kind), {})
        by_type[types[op.dtype]] = by_type.get(types[op.dtype], 0.0) + op.flops * op.count
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, by_type in flops.items():
        if any(by_type.values()):
            dtype = max(by_type, key=lambda name: by_type[name])
            kinds[dtype] = (*kinds.get(dtype, ()), kind)
    return kinds


@dataclass(frozen=True, slots=True)
class GridIntensity:
    """The carbon intensity that a forecast's carbon is computed with, g CO2e per kWh."""

    carbon_g_per_kwh: float
    basis: str
    source: str
    year: int | None


@dataclass(frozen=True, slots=True)
class JobForecast:
    """The forecast of a job on one device, or on several equal ones.

    Energy, duration, carbon and node are None where the job does not fit the devices' memory.

    Attributes:
        device: its name.
        device_count: how many there are.
        layout: how the job is divided among them.
        waiting: what a step waits for; None on a single device.
        method: that made the forecast of a step.
        rung: what it knows: `"catalog"`, `"calibrated"` or `"probed"`.
        energy: of the whole job on all devices, J, without the nodes around them.
        duration: of the whole job, s.
        power: mean of all devices, W.
        carbon: of the whole job, g CO2e, the nodes around the devices included where known.
        node: the rest of the nodes around the devices; None where only a device was named.
        total_energy: of devices and nodes, J; None likewise.
        step_energy: of one step, J.
        step_duration: of one step, s.
        dominated_by: what most of a step's time goes to; None where the method does not report it.
        shares: of a step's time.
        memory: what a step needs of the device's memory.
        grid: the carbon intensity.
        pue: power usage effectiveness, facility energy / IT energy.
        plan: steps, epochs and validation.
        workload: counts of a step.
        generation: of generated text, else None.
        notes: what to know of the forecast.
    """

    device: str
    device_count: int
    layout: Layout
    waiting: Waiting | None
    method: str
    rung: str
    energy: Estimate | None
    duration: Estimate | None
    power: Estimate
    carbon: Estimate | None
    node: NodePart | None
    total_energy: Estimate | None
    step_energy: Estimate
    step_duration: Estimate
    dominated_by: str | None
    shares: Shares | None
    memory: MemoryNeed
    grid: GridIntensity
    pue: float
    plan: Plan
    workload: StepCounts
    generation: GenerationForecast | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class JobForecasts(Result):
    """The forecasts of one job, one for each device."""

    SCHEMA: ClassVar[str] = "joulecast/forecast/1"

    forecasts: tuple[JobForecast, ...]

    @property
    def cheapest(self) -> JobForecast:
        """The forecast with the lowest energy; those that do not fit come last."""
        return min(self.forecasts, key=lambda job: job.energy.value if job.energy else math.inf)

    @property
    def exit_code(self) -> int:
        """1 where the job fits none of the devices, else 0."""
        return 0 if any(job.energy for job in self.forecasts) else 1


def forecast_job(
    step: StepForecast,
    workload: Workload,
    device: Device,
    plan: Plan,
    site: Site,
    validation: StepForecast | None = None,
    *,
    layout: Layout | None = None,
    waits: Waiting | None = None,
    whole_nodes: bool = False,
    memory: MemoryNeed | None = None,
    generation: GenerationForecast | None = None,
) -> JobForecast:
    """The forecast of a whole job from that of one step on all devices.

    Args:
        step: one step on all devices of the layout.
        workload: a micro-batch on the whole model.
        device: one of the devices.
        plan: how often the step runs.
        site: grid and PUE.
        validation: of a step without training, for a plan with validation.
        layout: how the job is divided; by default it runs on one device.
        waits: what a step waits for.
        whole_nodes: whether the nodes around the devices are part of the job.
        memory: what a device needs; by default what a step does.
        generation: of generated text.
    """
    layout = layout or Layout()
    whole = total(
        step,
        plan.steps,
        epochs=plan.epochs,
        validation=validation,
        validation_steps=plan.validation_steps,
    )
    energy = _estimate(whole.energy, "J", step.metered)
    around = node_part(whole, layout, device) if whole_nodes else None
    in_all = None if around is None else _with_node(energy, around.energy)
    memory = memory or memory_needed(workload, device, layout)
    fits = memory.fits is not False
    return JobForecast(
        device=device.name,
        device_count=layout.devices,
        layout=layout,
        waiting=waits,
        method=step.method,
        rung=step.rung,
        energy=energy if fits else None,
        duration=_estimate(whole.duration, "s") if fits else None,
        power=_estimate(step.power, "W", step.metered),
        carbon=site.carbon_g(in_all or energy) if fits else None,
        node=around if fits else None,
        total_energy=in_all if fits else None,
        step_energy=_estimate(step.energy, "J", step.metered),
        step_duration=_estimate(step.duration, "s"),
        dominated_by=step.shares.dominant if step.shares else None,
        shares=step.shares,
        memory=memory,
        grid=GridIntensity(site.carbon_g_per_kwh, site.basis, site.source, site.year),
        pue=site.pue,
        plan=plan,
        workload=StepCounts.of(workload, device, layout),
        generation=generation,
        notes=tuple(dict.fromkeys((*whole.notes, *workload.notes))),
    )


def widest(chosen: JobForecast, others: list[JobForecast]) -> JobForecast:
    """The chosen forecast, its intervals widened to include those of others it may be."""

    def union(name: str) -> Estimate | None:
        estimates = [getattr(job, name) for job in (chosen, *others)]
        every: list[Estimate] = [estimate for estimate in estimates if estimate is not None]
        if estimates[0] is None:
            return None
        low, high = min(e.low for e in every), max(e.high for e in every)
        return replace(every[0], low=low, high=high, own_low=None, own_high=None)

    names = (
        "step_energy",
        "step_duration",
        "energy",
        "duration",
        "power",
        "carbon",
        "total_energy",
    )
    wider: dict[str, Any] = {name: union(name) for name in names}
    return replace(chosen, **wider)


def _with_node(devices: Estimate, node: Estimate) -> Estimate:
    """Bounds add up: both grow with the duration."""
    value, low, high = (getattr(devices, x) + getattr(node, x) for x in ("value", "low", "high"))
    return Estimate(value, low, high, "J", Provenance.MODELLED)


def _estimate(p: Prediction, unit: str, metered: Estimate | None = None) -> Estimate:
    """The prediction with its own interval, and the error of the meters it was made from."""
    low = p.value if p.low is None else min(p.low, p.value)
    high = p.value if p.high is None else max(p.high, p.value)
    forecast = Estimate(p.value, low, high, unit, Provenance.MODELLED)
    return forecast if metered is None else forecast.metered_by(metered)
