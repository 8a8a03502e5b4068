"""`physical`: energy of a step from what its operators ask of a device; a catalog row is enough.

Time is a roofline per operator (`roofline`), power follows from what the device is busy with
(`power_model`), energy is their product. What was measured on a machine (`Calibration`) takes the
place of the constants fitted on many.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..base import Prediction
from ..conformal import Spread
from .constants import Constants, is_geforce, shipped
from .cpu_roofline import KEPT_BYTES, CpuCosts, Pace, cpu_step
from .device import ASSUMED, Calibration, Device, Shares, StaticForecaster, StepForecast
from .novelty import novelty
from .power_model import awake_w, run
from .roofline import Busy, busy, demand

if TYPE_CHECKING:
    from ...workload.model import Workload

_STEADY = Pace()
_FRESH = "a step may get its memory anew from the system, as the process has it: half is counted"


class Physical(StaticForecaster):
    """The physical model, with the shipped constants unless others are given."""

    name: ClassVar[str] = "physical"

    def __init__(self, constants: Constants | None = None) -> None:
        self._constants = constants or Constants.of(shipped()["constants"])

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step on the device; None of a workload without operators."""
        if not workload.ops:
            return None
        found = Calibration() if device.calibration is None else device.calibration
        if device.kind == "cpu" and found.operators is not None:
            return self._on_cpu(workload, device, found, found.operators)
        at_work = self._busy(workload, device, found)
        draw, corner = self._constants.draw, self._constants.efficiency.corner
        awake = awake_w(draw, device.tdp_w, device.stacked_memory)
        if device.idle_w is not None:
            awake = device.idle_w
        if found.idle_w is not None:
            awake = found.idle_w
        dynamic = 1.0 if found.power is None else found.power
        limit = max(device.limit_w, awake)
        if device.kind == "cpu" and found.power is not None:
            limit = math.inf  # its rating is a guess by family, and what it draws was measured
        running = run(at_work, draw, corner, device.tdp_w, limit, awake, dynamic)
        seconds, watts = float(running.step_s), float(running.power_w) * device.devices
        rung = "catalog" if device.calibration is None else "calibrated"
        shares = _shares(at_work, float(running.clock))
        wider, why = novelty(workload, device, shares, shipped()["known"])
        notes = (
            *_notes(device, float(running.clock)),
            *_lacking(workload, device),
            *why,
            *_disturbed(found),
        )
        wider *= 1 + found.disturbed
        return self._forecast(device, seconds, watts, shares, rung, wider, notes)

    def _on_cpu(
        self, workload: Workload, device: Device, found: Calibration, costs: CpuCosts
    ) -> StepForecast:
        """A CPU whose operators were measured: they, the step's own work and its input add up."""
        step = cpu_step(workload, costs)
        own_s = found.step_s or 0.0
        input_s = workload.batch / found.samples_per_s if found.samples_per_s else 0.0
        pace = costs.pace
        parts = [step.compute_s, step.memory_s, step.starts_s + own_s]
        parts = [*(pace.mean * part for part in parts), input_s]
        seconds = math.fsum(parts)
        # Where no meter told, what the catalog says of full load.
        watts = device.tdp_w if costs.work_w is None else costs.work_w
        shares = Shares(*(part / seconds for part in parts))
        notes = tuple(note for note in _notes(device, 1.0) if note != ASSUMED)
        if workload.training and workload.peak_bytes < KEPT_BYTES:
            notes = (*notes, _FRESH)
        if pace.least < pace.most:
            notes = (*notes, _moved(pace))
        notes = (*notes, *_disturbed(found))
        wider = 1 + found.disturbed
        return self._forecast(device, seconds, watts, shares, "calibrated", wider, notes, pace)

    def _forecast(
        self,
        device: Device,
        seconds: float,
        watts: float,
        shares: Shares,
        rung: str,
        wider: float,
        notes: tuple[str, ...],
        pace: Pace = _STEADY,
    ) -> StepForecast:
        """With the intervals of its rung, `wider` for what no measurement covers."""
        spread = {
            name: Spread(half).widened(wider) for name, half in shipped()["errors"][rung].items()
        }
        return StepForecast(
            duration=_reaching(spread["duration"].around(seconds), pace),
            energy=_reaching(spread["energy"].around(seconds * watts), pace),
            power=_within(spread["power"].around(watts), device),
            shares=shares,
            method=self.name,
            rung=rung,
            notes=notes,
        )

    def _busy(self, workload: Workload, device: Device, found: Calibration) -> Busy:
        efficiency = self._constants.efficiency
        if is_geforce(device.name):
            compute = efficiency.compute * self._constants.geforce
            efficiency = replace(efficiency, compute=compute)
        if device.kind == "cpu":  # the framework calls its kernels directly
            efficiency = replace(efficiency, launch_s=0.0 * efficiency.launch_s)
        if found.launch_s is not None:
            shipped_s = self._constants.efficiency.launch_s  # of a CPU they were set to 0
            by_phase = shipped_s / shipped_s[0]  # it is the forward pass's that is measured
            efficiency = replace(efficiency, launch_s=found.launch_s * by_phase)
        if found.step_s is not None:
            efficiency = replace(efficiency, step_s=found.step_s)
        if found.compute is not None:
            efficiency = replace(efficiency, compute=efficiency.compute * found.compute)
        if found.memory is not None:
            efficiency = replace(efficiency, memory=efficiency.memory * found.memory)
        input_s = 0.0
        if found.samples_per_s:
            input_s = workload.batch / found.samples_per_s
        return busy(demand(workload, device), efficiency, input_s)


def _reaching(said: Prediction, pace: Pace) -> Prediction:
    """With bounds that hold as the cores lie nearest, and as they lie farthest."""
    if said.low is None or said.high is None:
        return said
    low, high = said.low * pace.least / pace.mean, said.high * pace.most / pace.mean
    return replace(said, low=low, high=high)


def _moved(pace: Pace) -> str:
    return (
        "the host of this machine moves its cores nearer to one another and farther apart: steps "
        f"take {pace.least / pace.mean:.2g} to {pace.most / pace.mean:.2g} times as long as said"
    )


def _disturbed(found: Calibration) -> tuple[str, ...]:
    share = f"{100 * found.disturbed:.0f} %"
    why = f"other programs took {share} of the processors' time while this machine was calibrated"
    return (f"{why}: joulecast calibrate, when nothing else runs",) if found.disturbed else ()


def _within(power: Prediction, device: Device) -> Prediction:
    """A GPU's driver holds it at its limit; what a CPU's family draws is itself an estimate."""
    if device.kind != "gpu" or power.high is None:
        return power
    most = max(power.value, device.limit_w * device.devices)
    return replace(power, high=min(power.high, most))


def _shares(at_work: Busy, clock: float) -> Shares:
    """What the time of a step goes to: of host and input, what the device waits for them."""
    compute, memory = float(at_work.compute) / clock, float(at_work.memory)
    latency, host, fed = float(at_work.latency), float(at_work.host), float(at_work.input)
    device = compute + memory + latency
    longest = max(device, host, fed)
    waits = longest - device
    parts = np.array([compute, memory, latency, 0.0])
    parts[2 if host >= fed else 3] += waits
    return Shares(*(float(p) for p in parts / parts.sum()))


def _lacking(workload: Workload, device: Device) -> tuple[str, ...]:
    """That the device does not speed up the precision asked for, where that is so."""
    precision = workload.precision
    if precision == "fp32" or precision in device.tensor:
        return ()
    units = "tensor cores" if device.kind == "gpu" else "matrix units"
    return (f"{device.name} has no {units} for {precision}: counted at its rate in fp32",)


def _notes(device: Device, clock: float) -> tuple[str, ...]:
    notes = [*device.notes]
    if clock < 0.97:
        notes.append(f"the power limit holds the clock at {100 * clock:.0f} %")
    if device.devices > 1:
        notes.append("exchange of gradients between devices is not counted")
    return tuple(notes)
