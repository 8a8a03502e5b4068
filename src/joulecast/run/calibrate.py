"""A machine's own constants: what its devices do of the shipped ones, from small pieces of work.

Every constant is found by asking the physical forecast for the very piece of work that was timed,
and turning the constant until both agree: whatever the forecast holds of overheads is in it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..forecast.static import Calibration, Device, StaticForecaster
from ..hardware.environment import Environment
from ..ledger import calibrations
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..recording.baseline import measure_idle
from ..recording.integrate import is_resolved
from ..recording.summary import Summary
from ..units import Provenance, weakest
from ..workload.model import Workload
from . import microbench
from .microbench import COMPUTE, INPUT, LAUNCH, MEMORY, STEP, Result
from .targets import Target

if TYPE_CHECKING:
    from ..ledger import Ledger

IDLE_S = 10.0  # at most, without work
_IDLE_SHARE = 0.1  # of the time
_INPUT_SHARE = 0.08
_QUIET = 0.15  # of the processors' time that others may take while the machine is to be idle
_MANY = 1000  # pieces of work in one step, so that the step's own cost does not count
_FACTORS = (1e-3, 1e3)
_TELLS = 1.3  # doubling a constant must change a test's time so much, or the test says nothing

UNITS = {"launch_s": "s", "step_s": "s", "idle_w": "W"}
MEANINGS = {
    "compute": "matrix products and convolutions, against the shipped rate",
    "memory": "bandwidth, against the shipped one",
    "power": "power that work adds to idle, against the shipped one",
    "launch_s": "the host's time to launch one kernel",
    "step_s": "what a training step takes besides its kernels",
    "idle_w": "power of the device without work",
}


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant: a factor, or a figure in `UNITS`. None: not found, for the `reason`."""

    name: str
    value: float | None
    spread: float | None = None  # relative, half of an interquartile range
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Power of a device without work; None where it could not be told, for the `reason`."""

    power_w: float | None
    spread: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was found of one device."""

    device: str  # "cpu", "gpu:0"
    name: str
    constants: tuple[Constant, ...]
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    power_provenance: Provenance | None
    input_s: tuple[float, float] | None  # of the host for one sample, and for each of its bytes
    seconds: float
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The document that the ledger keeps; `calibration_from` reads it."""
        return {
            "name": self.name,
            "values": {c.name: c.value for c in self.constants},
            "spreads": {c.name: c.spread for c in self.constants},
            "reasons": {c.name: c.reason for c in self.constants if c.reason},
            "input_s": None if self.input_s is None else list(self.input_s),
            "power_provenance": self.power_provenance and str(self.power_provenance),
            "tests": [result.to_json() for result in self.results],
            "notes": list(self.notes),
            "seconds": self.seconds,
            "versions": dict(self.versions),
        }


def calibration_from(document: Mapping[str, Any], sample_bytes: float | None = None) -> Calibration:
    """What a stored document says, for a forecast; figures that make no sense are left out.

    The rate of the input pipeline is that of a loader in the training's own process, for samples
    of `sample_bytes` in memory; None where they are not given (data that is in memory already).
    """
    values = document.get("values")
    values = values if isinstance(values, Mapping) else {}
    names = {f.name for f in fields(Calibration)} - {"samples_per_s"}
    known = {name: _positive(values.get(name)) for name in names}
    rate = None
    given = document.get("input_s")
    if sample_bytes is not None and isinstance(given, Sequence) and len(given) == 2:
        each, byte = _positive(given[0]) or 0.0, _positive(given[1]) or 0.0
        seconds = each + byte * sample_bytes
        rate = 1 / seconds if seconds > 0 else None
    return Calibration(**known, samples_per_s=rate)


def calibration_of(
    ledger: Ledger,
    environment: Mapping[str, Any],
    device: str,
    sample_bytes: float | None = None,
) -> Calibration | None:
    """The newest calibration of a device ("cpu", "gpu:0") of this machine, None without one."""
    stored = calibrations.load(ledger, environment, device)
    return None if stored is None else calibration_from(stored.document, sample_bytes)


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


# --- from times to constants ---------------------------------------------------------------------


def fit(
    results: Sequence[Result], idle: Idle, device: Device, forecaster: StaticForecaster
) -> tuple[Constant, ...]:
    """The constants of a device from its tests, with what the forecaster says of the same work."""
    launch = _launch(results)
    found = Calibration(launch_s=launch.value, idle_w=idle.power_w)
    memory = _factor("memory", MEMORY, results, device, forecaster, found)
    found = replace(found, memory=memory.value)
    compute = _factor("compute", COMPUTE, results, device, forecaster, found)
    found = replace(found, compute=compute.value)
    step = _step(results, device, forecaster, found)
    power = _power(results, device, forecaster, found)
    rest = Constant("idle_w", idle.power_w, idle.spread, idle.reason)
    return compute, memory, launch, step, rest, power


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
            there = device.calibrated(replace(found, **{name: factor}))
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


# --- at work -------------------------------------------------------------------------------------


def calibrate(
    target: Target,
    forecaster: StaticForecaster,
    environment: Environment,
    input_s: tuple[float, float] | None,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    env: Mapping[str, str] | None = None,
    told: Callable[[str], None] = lambda what: None,
) -> Calibrated:
    """Run a device's tests, about `seconds` in all, and fit its constants.

    Raises `MissingExtraError` without torch.
    """
    from .probe import measure

    env = os.environ if env is None else env
    torch = microbench.framework()
    device = torch.device(target.torch)
    begun = clock()
    if device.type == "cuda":
        torch.ones(1, device=device)  # holds the device: its idle power is that of a job's
    told("idle")
    idle = idle_power(
        target.domains, min(IDLE_S, _IDLE_SHARE * seconds), environment, clock, sleep, env
    )
    results: list[Result] = []
    tests = microbench.device_pieces(torch, device)
    wait = microbench.waiter(torch, device)
    left = max(1.0, seconds - (clock() - begun))
    load = _Load(clock)

    def act(tracker: Any) -> None:
        span: Callable[[str], AbstractContextManager[object]] = tracker.span
        results.extend(microbench.run_pieces(tests, wait, left, clock=clock, span=span, told=told))

    summary = measure(act, clock, env)
    others = load.others()
    results = [replace(r, power_w=power_of(summary, r.test.name, target.domains)) for r in results]
    sources = [d.source for d in summary.domains if _belongs(d.source.domain, target.domains)]
    notes = [] if others is None or others < _QUIET else [_crowded(others)]
    if not sources:
        notes.append(f"no meter of {target.device} here: joulecast doctor says why")
    notes += [f"{r.test.name}: not run: {r.skipped}" for r in results if r.skipped]
    return Calibrated(
        device=target.device,
        name=target.facts.name,
        constants=fit(results, idle, target.facts, forecaster),
        results=tuple(results),
        notes=tuple(notes),
        power_provenance=weakest(s.provenance for s in sources) if sources else None,
        input_s=input_s,
        seconds=clock() - begun,
        versions={"joulecast": __version__, "torch": str(torch.__version__)},
    )


def input_pipeline(
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    told: Callable[[str], None] = lambda what: None,
) -> tuple[tuple[float, float] | None, tuple[Result, ...]]:
    """What the host takes for samples, and the tests that say so. Raises `MissingExtraError`."""
    tests = microbench.input_pieces(microbench.framework())
    found = tuple(microbench.run_pieces(tests, lambda: None, seconds, clock=clock, told=told))
    return input_constants(found), found


def input_seconds(seconds: float) -> float:
    """The part of the whole time that goes to the host's pipeline."""
    return _INPUT_SHARE * seconds


def idle_power(
    domains: str,
    seconds: float,
    environment: Environment,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    env: Mapping[str, str],
) -> Idle:
    """Power of the domains while this process does nothing: the least of three stretches."""
    whole = discover(
        "machine", clock, env=env, cpu_time=CpuTime(clock, None), environment=environment
    )
    meters = [m for m in whole.meters if _belongs(m.source.domain, domains)]
    try:
        if not meters:
            return Idle(None, reason="no meter of the device here")
        load = _Load(clock)
        stretches = [measure_idle(meters, seconds / 3, clock, sleep) for _ in range(3)]
        others = load.others()
    finally:
        for meter in whole.meters:
            meter.close()
    watts = [sum(found.values()) for found in stretches if len(found) == len(meters)]
    if not watts or min(watts) <= 0:
        return Idle(None, reason="the meters gave no reading in the time: take more seconds")
    if domains.startswith("cpu") and others is not None and others > _QUIET:
        return Idle(None, reason=f"{_crowded(others)}: it was not idle")
    return Idle(min(watts), (max(watts) - min(watts)) / 2 / min(watts))


def power_of(summary: Summary, span: str, domains: str) -> float | None:
    """Mean power of the device in a span, W; None where its meters cannot resolve it."""
    for found in summary.spans:
        parts = {d: e for d, e in found.domains.items() if _belongs(d, domains)}
        if found.span.name != span or not parts:
            continue
        sources = {d.source.domain: d.source for d in summary.domains}
        if all(d in sources and is_resolved(found.duration_s, sources[d]) for d in parts):
            return sum(e.value for e in parts.values()) / found.duration_s
    return None


def _belongs(domain: str, domains: str) -> bool:
    return domain.startswith(domains) if domains.endswith(":") else domain == domains


class _Load:
    """How much of the processors' time others took since it was made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._times = CpuTime(clock, os.getpid())
        self._before = self._times.sample()

    def others(self) -> float | None:
        now, before = self._times.sample(), self._before
        total = now.machine_total_s - before.machine_total_s
        if total <= 0 or now.tree_cpu_s is None or before.tree_cpu_s is None:
            return None
        busy = now.machine_busy_s - before.machine_busy_s
        return max(0.0, busy - (now.tree_cpu_s - before.tree_cpu_s)) / total


def _crowded(others: float) -> str:
    return f"other programs took {100 * others:.0f} % of the processors' time"
