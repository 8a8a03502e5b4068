"""What a whole training or inference will cost: the forecast of one step, times a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...analysis.carbon.footprint import Site
from ...units import Estimate, Provenance
from ...workload.model import Phase, Workload
from ..base import Prediction
from .device import Device, StepForecast, total
from .memory_fit import MemoryNeed, memory_needed

__all__ = ["JobForecast", "Plan", "Site", "forecast_job", "widest", "workload_json"]

SCHEMA = "joulecast/forecast/1"


@dataclass(frozen=True, slots=True)
class Plan:
    """How often a step runs in each of `epochs`, and the validation after each."""

    steps: int
    epochs: float = 1.0
    validation_steps: int = 0

    @classmethod
    def of_samples(
        cls, samples: int, batch: int, epochs: float = 1.0, validation_samples: int = 0
    ) -> Plan:
        """Steps that see all samples; an epoch's last batch may be smaller, and counts whole."""
        return cls(math.ceil(samples / batch), epochs, math.ceil(validation_samples / batch))


@dataclass(frozen=True, slots=True)
class JobForecast:
    """The forecast of a job on one device: per step and in total, as estimates."""

    workload: Workload
    device: Device
    step: StepForecast
    plan: Plan
    step_energy: Estimate
    step_duration: Estimate
    energy: Estimate
    duration: Estimate
    power: Estimate
    carbon: Estimate
    site: Site
    notes: tuple[str, ...] = ()

    @property
    def memory(self) -> MemoryNeed:
        """What it needs of the device's memory."""
        return memory_needed(self.workload, self.device)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, without the schema."""
        shares = self.step.shares
        return {
            "method": self.step.method,
            "rung": self.step.rung,
            "device": {"name": self.device.name, "count": self.device.devices},
            "per_step": {
                "energy": self.step_energy.to_json(),
                "duration": self.step_duration.to_json(),
            },
            "total": {
                "energy": self.energy.to_json(),
                "duration": self.duration.to_json(),
                "power": self.power.to_json(),
                "carbon": self.carbon.to_json(),
            },
            "grid": {
                "carbon_g_per_kwh": self.site.carbon_g_per_kwh,
                "basis": self.site.basis,
                "source": self.site.source,
                "year": self.site.year,
            },
            "pue": self.site.pue,
            "plan": {
                "steps": self.plan.steps,
                "epochs": self.plan.epochs,
                "validation_steps": self.plan.validation_steps,
            },
            "dominated_by": shares.dominant if shares else None,
            "shares": None
            if shares is None
            else {name: getattr(shares, name) for name in ("compute", "memory", "launch", "input")},
            "memory": {
                "needed_gb": self.memory.needed_bytes / 1e9,
                "available_gb": self.device.memory_gb,
                "fits": self.memory.fits,
            },
            "workload": workload_json(self.workload),
            "notes": list(self.notes),
        }


def forecast_job(
    step: StepForecast,
    workload: Workload,
    device: Device,
    plan: Plan,
    site: Site,
    validation: StepForecast | None = None,
) -> JobForecast:
    """A forecast of one step made one of the whole job.

    `validation` is that of a step without training; it is needed where the plan has any.
    """
    whole = total(
        step,
        plan.steps,
        epochs=plan.epochs,
        validation=validation,
        validation_steps=plan.validation_steps,
    )
    energy = _estimate(whole.energy, "J")
    facts = () if step.rung == "probed" else device.notes  # what was run needs none of them
    return JobForecast(
        workload,
        device,
        step,
        plan,
        step_energy=_estimate(step.energy, "J"),
        step_duration=_estimate(step.duration, "s"),
        energy=energy,
        duration=_estimate(whole.duration, "s"),
        power=_estimate(step.power, "W"),
        carbon=site.carbon_g(energy),
        site=site,
        notes=tuple(dict.fromkeys((*whole.notes, *facts, *workload.notes))),
    )


def workload_json(workload: Workload) -> dict[str, Any]:
    """The counts of a step, plain JSON types."""
    return {
        "name": workload.name,
        "batch": workload.batch,
        "input": list(workload.input_shape),
        "precision": workload.precision,
        "training": workload.training,
        "optimizer": workload.optimizer,
        "parameters": workload.parameters,
        "forward_flops": workload.flops(Phase.FORWARD),
        "step_flops": workload.flops(),
        "step_bytes": workload.bytes(),
        "memory_bytes": workload.memory_bytes,
    }


def widest(chosen: JobForecast, others: list[JobForecast]) -> JobForecast:
    """The chosen forecast, its intervals widened to hold those of others it might have been."""

    def held(own: Estimate, name: str) -> Estimate:
        every = [own, *(getattr(other, name) for other in others)]
        return replace(own, low=min(e.low for e in every), high=max(e.high for e in every))

    return replace(
        chosen,
        step_energy=held(chosen.step_energy, "step_energy"),
        step_duration=held(chosen.step_duration, "step_duration"),
        energy=held(chosen.energy, "energy"),
        duration=held(chosen.duration, "duration"),
        power=held(chosen.power, "power"),
        carbon=held(chosen.carbon, "carbon"),
    )


def _estimate(p: Prediction, unit: str) -> Estimate:
    low = p.value if p.low is None else min(p.low, p.value)
    high = p.value if p.high is None else max(p.high, p.value)
    return Estimate(p.value, low, high, unit, Provenance.MODELLED)
