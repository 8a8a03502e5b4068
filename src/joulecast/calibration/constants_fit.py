"""A device's constants from the times of its tests.

Every constant is found by asking the physical forecast for the very piece of work that was timed,
and turning the constant until both agree: whatever the forecast holds of overheads is in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..forecasting.physical.cpu_roofline import CpuCosts
from ..forecasting.physical.device import Calibration, Device, StaticForecaster
from ..workload.model import OperatorKind, Phase, Workload
from .microbench import COMPUTE, INPUT, LAUNCH, MEMORY, STEP, Result
from .stored_constants import Constant, Idle

_MANY = 1000  # pieces of work in one step, so that the step's own cost does not count
_FACTORS = (1e-3, 1e3)
_TELLS = 1.3  # doubling a constant must change a test's time so much, or the test says nothing


def fit(
    results: Sequence[Result],
    idle: Idle,
    device: Device,
    forecaster: StaticForecaster,
    operators: CpuCosts | None = None,
) -> tuple[Constant, ...]:
    """The constants of a device from its tests, with what the forecaster says of the same work.

    `operators` are a CPU's, which a step is made of there.
    """
    launch = _launch(results)
    found = Calibration(launch_s=launch.value, idle_w=idle.power_w)
    memory = _factor("memory", MEMORY, results, device, forecaster, found)
    found = replace(found, memory=memory.value)
    compute = _factor("compute", COMPUTE, results, device, forecaster, found)
    found = replace(found, compute=compute.value)
    step = _step(results, device, forecaster, replace(found, operators=operators))
    power = _power(results, device, forecaster, found)
    rest = Constant("idle_w", idle.power_w, idle.spread, idle.reason)
    return (compute, memory, launch, step, rest, power, *_of_operators(operators))


def _of_operators(operators: CpuCosts | None) -> tuple[Constant, ...]:
    """Of a CPU's operators what most networks are made of, for people to see."""
    if operators is None:
        return ()
    shown = {
        "forward_s": (Phase.FORWARD, OperatorKind.ELEMENTWISE),
        "backward_s": (Phase.BACKWARD, OperatorKind.ELEMENTWISE),
        "update_s": (Phase.OPTIMIZER, OperatorKind.OPTIMIZER),
    }
    starts = (Constant(name, operators.cost(*key).start_s) for name, key in shown.items())
    unknown = None if operators.work_w else "no meter resolved the power of whole steps"
    return (*starts, Constant("work_w", operators.work_w, reason=unknown))


def _launch(results: Sequence[Result]) -> Constant:
    for result in _of(results, LAUNCH):
        return Constant("launch_s", result.seconds, result.spread)
    return Constant("launch_s", None, reason=_why(results, LAUNCH))


def _factor(
    name: str,
    group: str,
    results: Sequence[Result],
    device: Device,
    forecaster: StaticForecaster,
    found: Calibration,
) -> Constant:
    """The factor at which the forecast takes as long as the tests did: the median over them."""
    factors, noise = [], []
    for result in _of(results, group):
        work = _many(result)

        def takes(factor: float, work: Workload = work) -> float:
            there = device.calibrated(_with(found, name, factor))
            return _forecast(forecaster, work, there)[0]

        if takes(1.0) < _TELLS * takes(2.0):
            continue  # something else takes its time
        factor = solve(takes, result.seconds * _MANY, *_FACTORS)
        if factor is not None:
            factors.append(factor)
            noise.append(result.spread)
    if not factors:
        return Constant(name, None, reason=_why(results, group))
    return Constant(name, float(np.median(factors)), _spread(factors, noise))


def _with(found: Calibration, name: str, factor: float) -> Calibration:
    changes: dict[str, Any] = {name: factor}
    return replace(found, **changes)


def _step(
    results: Sequence[Result], device: Device, forecaster: StaticForecaster, found: Calibration
) -> Constant:
    """What the whole step takes more than its kernels; none where they take all of it."""
    for result in _of(results, STEP):
        assert result.test.work is not None
        work = result.test.work

        def takes(step_s: float, work: Workload = work) -> float:
            there = device.calibrated(replace(found, step_s=step_s))
            return _forecast(forecaster, work, there)[0]

        least = result.seconds * 1e-3
        value = solve(takes, result.seconds, least, result.seconds)
        if value is None and takes(least) >= result.seconds:
            value = least
        if value is None:
            why = "the forecast of the test's kernels does not fit what it took"
            return Constant("step_s", None, reason=why)
        return Constant("step_s", value, result.spread)
    return Constant("step_s", None, reason=_why(results, STEP))


def _power(
    results: Sequence[Result], device: Device, forecaster: StaticForecaster, found: Calibration
) -> Constant:
    factors = []
    metered = [r for group in (COMPUTE, MEMORY) for r in _of(results, group) if r.power_w]
    for result in metered:
        work = _many(result)

        def draws(factor: float, work: Workload = work) -> float:
            there = device.calibrated(replace(found, power=factor))
            return _forecast(forecaster, work, there)[1]

        factor = solve(draws, result.power_w or 0.0, *_FACTORS)
        if factor is not None:
            factors.append(factor)
    if factors:
        spread = _spread(factors, [0.0]) if len(factors) > 1 else None  # one tells none
        return Constant("power", float(np.median(factors)), spread)
    if metered:
        return Constant("power", None, reason="under load the meters show no more than at idle")
    return Constant("power", None, reason="no meter resolved the power of the device under load")


def solve(
    function: Callable[[float], float], target: float, low: float, high: float
) -> float | None:
    """Where a monotonic function of a positive number reaches a target, by bisection.

    None where it does not between `low` and `high`.
    """
    at_low, at_high = function(low), function(high)
    rising = at_high > at_low
    if not min(at_low, at_high) <= target <= max(at_low, at_high) or at_low == at_high:
        return None
    for _ in range(40):
        middle = math.sqrt(low * high)
        if (function(middle) < target) == rising:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _forecast(forecaster: StaticForecaster, work: Workload, device: Device) -> tuple[float, float]:
    """Duration (s) and power (W) of a step; not-a-number where there is no forecast."""
    step = forecaster.step(work, device)
    return (math.nan, math.nan) if step is None else (step.duration.value, step.power.value)


def _many(result: Result) -> Workload:
    """The test's work, so many times in one step."""
    assert result.test.work is not None
    ops = tuple(replace(op, count=op.count * _MANY) for op in result.test.work.ops)
    return replace(result.test.work, ops=ops)


def _of(results: Sequence[Result], group: str) -> list[Result]:
    return [r for r in results if r.test.group == group and r.skipped is None]


def _why(results: Sequence[Result], group: str) -> str:
    reasons = [r.skipped for r in results if r.test.group == group and r.skipped]
    return reasons[0] if reasons else "no test of it could be told from other work"


def _spread(values: Sequence[float], noise: Sequence[float]) -> float:
    """Relative: of the tests among each other, or of each by itself, whichever is more."""
    low, middle, high = np.percentile(values, [25.0, 50.0, 75.0])
    return max(float((high - low) / 2 / middle), float(np.median(noise)))


def input_constants(results: Sequence[Result]) -> tuple[float, float] | None:
    """Seconds that the host takes for one sample, and for each of its bytes."""
    found = _of(results, INPUT)
    if len(found) < 2:
        return None
    sizes = [r.test.sample_bytes for r in found]
    each = [r.seconds / r.test.samples for r in found]
    slope, offset = (float(x) for x in np.polyfit(sizes, each, 1))
    if offset < 0 or slope < 0:  # noise: the larger sample's time is told best
        offset, slope = 0.0, each[-1] / sizes[-1]
    return offset, slope
