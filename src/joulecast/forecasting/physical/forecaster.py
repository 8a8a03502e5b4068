"""`physical`: energy of a step from the work of its operators; a catalog row is enough.

Time is a roofline per operator (`roofline`), power follows from what the device is busy with
(`power_model`), energy is their product. Constants measured on a machine (`Calibration`) replace
those fitted on many.
"""

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ...workload.model import OperatorKind, Workload
from ..base import Prediction
from ..conformal import Spread
from .constants import Constants, is_geforce, shipped
from .device import ASSUMED, Calibration, Device, Shares, StaticForecaster, StepForecast
from .novelty import novelty
from .power_model import Running, awake_w, relative_density, run
from .roofline import CLASSES, COLUMN, Busy, Efficiency, ResourceDemand, busy, demand

# On a CPU, of the time to start another operator: an optimizer's run without autograd.
_CPU_OPTIMIZER_START = 0.25
# Share of its full clock below which a device counts as limited.
_FULL_CLOCK = 0.97


class Physical(StaticForecaster):
    """The physical model, with the shipped constants."""

    name: ClassVar[str] = "physical"

    def __init__(self) -> None:
        self._constants = Constants.of(shipped()["constants"])

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step on the device; None of a workload without operators."""
        if not workload.ops:
            return None
        calibration = device.calibration or Calibration()
        at_work = self._busy(workload, device, calibration)
        running = self._run(at_work, device, calibration)
        seconds, clock = float(running.step_s), float(running.clock)
        watts = float(running.power_w) if calibration.busy_w is None else calibration.busy_w
        shares = _shares(at_work, clock)
        wider, why = novelty(workload, device, shares, shipped()["known"])
        wider *= 1 + calibration.disturbed
        rung = "catalog" if device.calibration is None else "calibrated"
        spread = {
            name: Spread(half).widened(wider) for name, half in shipped()["errors"][rung].items()
        }
        return StepForecast(
            duration=spread["duration"].around(seconds),
            energy=spread["energy"].around(seconds * watts),
            power=_within(spread["power"].around(watts), device),
            shares=shares,
            method=self.name,
            rung=rung,
            notes=(
                *_notes(device, clock, calibration),
                *_lacking(workload, device),
                *why,
                *_calibration_notes(calibration),
            ),
        )

    def _run(self, at_work: Busy, device: Device, calibration: Calibration) -> Running:
        """Time and power of the step under the device's power limit."""
        draw, corner = self._constants.draw, self._constants.efficiency.corner
        awake = awake_w(draw, device.tdp_w, device.stacked_memory)
        if device.idle_w is not None:
            awake = device.idle_w
        if calibration.idle_w is not None:
            awake = calibration.idle_w
        dynamic = 1.0 if calibration.power is None else calibration.power
        limit = max(device.limit_w, awake)
        if calibration.busy_w is not None:
            # The measured rates include what a limit does to the clock.
            limit = math.inf
        density = relative_density(device, shipped()["rate_per_watt"])
        return run(at_work, draw, corner, device.tdp_w, limit, awake, dynamic, density)

    def _busy(self, workload: Workload, device: Device, calibration: Calibration) -> Busy:
        efficiency = self._constants.efficiency
        if is_geforce(device.name):
            compute = efficiency.compute * self._constants.geforce
            efficiency = replace(efficiency, compute=compute)
        if calibration.compute is not None:
            efficiency = replace(efficiency, compute=efficiency.compute * calibration.compute)
        if calibration.memory is not None:
            efficiency = replace(efficiency, memory=efficiency.memory * calibration.memory)
        if calibration.step_s is not None:
            efficiency = replace(efficiency, step_s=calibration.step_s)
        need = demand(workload, device)
        if device.kind == "cpu":
            return _on_cpu(need, efficiency, calibration)
        if calibration.launch_s is not None:
            # The forward pass's is what was measured.
            by_phase = efficiency.launch_s / efficiency.launch_s[0]
            efficiency = replace(efficiency, launch_s=calibration.launch_s * by_phase)
        return busy(need, efficiency)


def _on_cpu(need: ResourceDemand, efficiency: Efficiency, calibration: Calibration) -> Busy:
    """A CPU starts its operators itself: where that was measured, it adds to their work."""
    efficiency = replace(efficiency, launch_s=0.0 * efficiency.launch_s)
    if calibration.launch_s is None:
        return busy(need, efficiency)
    start_s = np.full(len(CLASSES), calibration.launch_s)
    start_s[COLUMN[OperatorKind.OPTIMIZER]] *= _CPU_OPTIMIZER_START
    at_work = busy(need, replace(efficiency, latency_s=start_s))
    return replace(at_work, latency=at_work.latency + at_work.host, host=0.0 * at_work.host)


def _calibration_notes(calibration: Calibration) -> tuple[str, ...]:
    notes = []
    if calibration.disturbed:
        share = f"{100 * calibration.disturbed:.0f} %"
        notes.append(
            f"other programs took {share} of the processors' time while this machine was "
            "calibrated: run joulecast calibrate again when nothing else runs"
        )
    if calibration.outdated:
        notes.append(
            "an older version calibrated this machine, which measured other constants: "
            "run joulecast calibrate again"
        )
    return tuple(notes)


def _within(power: Prediction, device: Device) -> Prediction:
    """The driver enforces a GPU's limit; of a CPU the limit is itself an estimate."""
    if device.kind != "gpu" or power.high is None:
        return power
    return replace(power, high=min(power.high, max(power.value, device.limit_w)))


def _shares(at_work: Busy, clock: float) -> Shares:
    """Shares of a step's time; of the host, the time that the device waits for it."""
    compute, memory = float(at_work.compute) / clock, float(at_work.memory)
    launch = max(float(at_work.latency), float(at_work.host) - compute - memory)
    whole = compute + memory + launch
    return Shares(compute / whole, memory / whole, launch / whole)


def _lacking(workload: Workload, device: Device) -> tuple[str, ...]:
    """A note where the device does not speed up the precision."""
    precision = workload.precision
    if precision in ("default", "fp32") or precision in device.tensor:
        return ()
    units = "tensor cores" if device.kind == "gpu" else "matrix units"
    used = "bf16" if precision == "fp8" and "bf16" in device.tensor else "fp32"
    return (f"{device.name} has no {units} for {precision}: counted at its rate in {used}",)


def _notes(device: Device, clock: float, calibration: Calibration) -> tuple[str, ...]:
    measured = calibration.compute is not None and calibration.memory is not None
    notes = [note for note in device.notes if not (measured and note == ASSUMED)]
    if clock < _FULL_CLOCK:
        notes.append(f"the power limit holds the clock at {100 * clock:.0f} %")
    return tuple(notes)
