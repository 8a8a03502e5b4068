"""A device's constants from the times of its microbenchmarks.

Each constant is the value at which the physical forecast of a microbenchmark's work takes as long
as the microbenchmark did, so that everything the forecast assumes of overheads is accounted for.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..forecasting.base import Prediction
from ..forecasting.physical.device import Calibration, Device, StaticForecaster, StepForecast
from ..forecasting.physical.roofline import Array
from ..workload.model import Workload
from .microbench import COMPUTE, INPUT, LAUNCH, MEMORY, STEP, Measurement
from .stored_constants import Constant

# An operator is forecast so many times in one step, so that the step's own time does not count.
_COPIES = 1000
_FACTORS = (1e-3, 1e3)
# Where doubling a constant changes a test's time by less, the test does not determine it.
_MIN_EFFECT = 1.3
_UNDETERMINED = "none of its tests depends on it alone"
_HALVINGS = 40
# How often rates and power are fitted in turns, and the share of its limit from which a device's
# power counts as held there.
_TURNS, _AT_LIMIT = 4, 0.93
_NO_POWER = "no meter resolved the power of the device under load"
_NAN = Prediction(math.nan)
# Where there is no forecast, nothing is solved.
_UNKNOWN = StepForecast(_NAN, _NAN, _NAN, None, "", "catalog")


def fit(
    measurements: Sequence[Measurement],
    idle: Constant,
    device: Device,
    forecaster: StaticForecaster,
) -> dict[str, Constant]:
    """The constants of a device by name, from its tests and its idle power (W)."""
    model = _Model(device, forecaster)
    launch = _launch(measurements)
    busy = _busy_power(measurements) if device.kind == "cpu" else Constant(None)
    # Times are fitted with the measured power: a modelled one could reach the power limit, which
    # slows the forecast down.
    calibration = Calibration(launch_s=launch.value, idle_w=idle.value, busy_w=busy.value)
    fitted: dict[str, Constant] = {}
    # At its limit a GPU computes at the rate that its power leaves, so that both are fitted in
    # turns. Other tests hardly depend on the order.
    for _ in range(1 if device.kind == "cpu" else _TURNS):
        for name, group in (("memory", MEMORY), ("compute", COMPUTE)):
            fitted[name] = _factor(name, group, measurements, model, calibration)
            calibration = _with(calibration, name, fitted[name].value)
        if device.kind != "cpu":
            fitted["power"] = _power(measurements, model, calibration)
            calibration = _with(calibration, "power", fitted["power"].value)
    if device.kind == "cpu":
        fitted["launch_s"], fitted["step_s"] = _starts(measurements, model, calibration)
        fitted["busy_w"] = busy
    else:
        fitted["launch_s"] = launch
        fitted["step_s"] = _step(measurements, model, calibration)
    fitted["idle_w"] = idle
    return fitted


@dataclass(frozen=True, slots=True)
class _Model:
    """The physical forecast of a step on the device, with other constants each time."""

    device: Device
    forecaster: StaticForecaster

    def seconds(self, work: Workload, constants: Calibration) -> float:
        return self._step(work, constants).duration.value

    def watts(self, work: Workload, constants: Calibration) -> float:
        return self._step(work, constants).power.value

    def _step(self, work: Workload, constants: Calibration) -> StepForecast:
        step = self.forecaster.step(work, self.device.calibrated(constants))
        return _UNKNOWN if step is None else step


def _launch(measurements: Sequence[Measurement]) -> Constant:
    for each in _of(measurements, LAUNCH):
        return Constant(each.seconds, each.timing.spread)
    return Constant(None, reason=_why(measurements, LAUNCH))


def _factor(
    name: str,
    group: str,
    measurements: Sequence[Measurement],
    model: _Model,
    known: Calibration,
) -> Constant:
    """The factor at which the forecast takes as long as the tests did: the median over them."""
    factors, noise = [], []
    for each in _of(measurements, group):
        work = _copies(each)

        def seconds(factor: float, work: Workload = work) -> float:
            return model.seconds(work, _with(known, name, factor))

        if seconds(1.0) < _MIN_EFFECT * seconds(2.0):
            continue
        factor = solve(seconds, each.seconds * _COPIES, *_FACTORS)
        if factor is not None:
            factors.append(factor)
            noise.append(each.timing.spread or 0.0)
    if not factors:
        return Constant(None, reason=_why(measurements, group))
    return Constant(float(np.median(factors)), _spread(factors, noise))


def _with(calibration: Calibration, name: str, value: float | None) -> Calibration:
    changes: dict[str, Any] = {name: value}
    return replace(calibration, **changes)


def _starts(
    measurements: Sequence[Measurement], model: _Model, known: Calibration
) -> tuple[Constant, Constant]:
    """Of a CPU, the time to start an operator, and the fixed time of a step.

    The forecast of a tiny step is linear in both. They are fitted to all of its tests by least
    squares of relative errors, neither below zero.
    """
    tests = _of(measurements, STEP)
    if len(tests) < 2:
        why = _why(measurements, STEP)
        return Constant(None, reason=why), Constant(None, reason=why)
    rows, target = [], []
    for each in tests:
        work = _work(each)

        def seconds(launch_s: float, step_s: float, work: Workload = work) -> float:
            return model.seconds(work, replace(known, launch_s=launch_s, step_s=step_s))

        work_s = seconds(0.0, 0.0)
        # One second is large enough that the difference is no rounding error.
        row = np.array([seconds(1.0, 0.0) - work_s, seconds(0.0, 1.0) - work_s])
        rows.append(row / each.seconds)
        target.append(max(0.0, 1 - work_s / each.seconds))
    values = _nonnegative(np.array(rows), np.array(target))
    spread = float(np.sqrt(np.mean((np.array(rows) @ values - target) ** 2)))
    # None would mean unknown: what is too short to measure is a small number instead.
    shortest_s = 1e-3 * min(each.seconds for each in tests)
    launch_s, step_s = (max(shortest_s, float(value)) for value in values)
    return Constant(launch_s, spread), Constant(step_s, spread)


def _nonnegative(rows: Array, target: Array) -> Array:
    """Least squares of two coefficients, neither below zero."""
    values = np.asarray(np.linalg.lstsq(rows, target, rcond=None)[0], dtype=float)
    if values.min() >= 0:
        return values
    kept = int(values.argmax())
    column = rows[:, kept]
    alone = np.zeros(2)
    alone[kept] = column @ target / (column @ column)
    return alone


def _step(measurements: Sequence[Measurement], model: _Model, known: Calibration) -> Constant:
    """Of a GPU, the time of a step that its kernels do not explain."""
    for each in _of(measurements, STEP):
        work = _work(each)

        def seconds(step_s: float, work: Workload = work) -> float:
            return model.seconds(work, replace(known, step_s=step_s))

        shortest_s = each.seconds * 1e-3
        value = solve(seconds, each.seconds, shortest_s, each.seconds)
        if value is None and seconds(shortest_s) >= each.seconds:
            value = shortest_s
        if value is None:
            return Constant(None, reason="the forecast of the test's kernels does not fit its time")
        return Constant(value, each.timing.spread)
    return Constant(None, reason=_why(measurements, STEP))


def _busy_power(measurements: Sequence[Measurement]) -> Constant:
    """Of a CPU, the median power of its tests: threads that wait for one another spin."""
    watts = [each.timing.power_w for each in measurements if each.timing.power_w]
    if not watts:
        return Constant(None, reason=_NO_POWER)
    return Constant(float(np.median(watts)), _spread(watts, [0.0]))


def _power(measurements: Sequence[Measurement], model: _Model, known: Calibration) -> Constant:
    """Of a GPU, the factor at which the forecast draws the power that the tests drew."""
    metered = _metered(measurements, _AT_LIMIT * model.device.limit_w)
    factors = []
    for each, power_w in metered:
        work = _copies(each)

        def watts(factor: float, work: Workload = work) -> float:
            return model.watts(work, replace(known, power=factor))

        factor = solve(watts, power_w, *_FACTORS)
        if factor is not None:
            factors.append(factor)
    if factors:
        spread = _spread(factors, [0.0]) if len(factors) > 1 else None
        return Constant(float(np.median(factors)), spread)
    reason = "under load the meters show no more than at idle" if metered else _NO_POWER
    return Constant(None, reason=reason)


def _metered(
    measurements: Sequence[Measurement], limit_w: float
) -> list[tuple[Measurement, float]]:
    """Tests that fill the device, with their power: those below a limit, if there are any.

    A test at the limit would draw more, and determines the factor only where none is below.
    """
    tests = [*_of(measurements, COMPUTE), *_of(measurements, MEMORY)]
    metered = [(each, each.timing.power_w) for each in tests if each.timing.power_w]
    return [pair for pair in metered if pair[1] < limit_w] or metered


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
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if (function(middle) < target) == rising:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _work(measurement: Measurement) -> Workload:
    assert measurement.test.work is not None
    return measurement.test.work


def _copies(measurement: Measurement) -> Workload:
    """The test's work, many times in one step."""
    work = _work(measurement)
    return replace(work, ops=tuple(replace(op, count=op.count * _COPIES) for op in work.ops))


def _of(measurements: Sequence[Measurement], group: str) -> list[Measurement]:
    return [m for m in measurements if m.test.group == group and m.timing.skipped is None]


def _why(measurements: Sequence[Measurement], group: str) -> str:
    timings = [m.timing for m in measurements if m.test.group == group]
    return next((timing.skipped for timing in timings if timing.skipped), _UNDETERMINED)


def _spread(values: Sequence[float], noise: Sequence[float]) -> float:
    """Relative: between the tests, or within a test as a rule, whichever is larger."""
    low, middle, high = np.percentile(values, [25.0, 50.0, 75.0])
    return max(float((high - low) / 2 / middle), float(np.median(noise)))


def input_constants(measurements: Sequence[Measurement]) -> tuple[float, float] | None:
    """Seconds that the host takes for one sample, and for each of its bytes."""
    tests = _of(measurements, INPUT)
    if len(tests) < 2:
        return None
    sizes = [each.test.sample_bytes for each in tests]
    seconds = [each.seconds / each.test.samples for each in tests]
    byte_s, sample_s = (float(x) for x in np.polyfit(sizes, seconds, 1))
    if sample_s < 0 or byte_s < 0:
        # Noise: the larger sample's time is the more reliable one.
        return 0.0, seconds[-1] / sizes[-1]
    return sample_s, byte_s
