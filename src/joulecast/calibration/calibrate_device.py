"""Calibrates one device: runs its tests, meters them, and fits its constants."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

from .._version import __version__
from ..estimate import provenance_of_sum
from ..forecasting.physical.forecaster import Physical
from ..hardware.environment import Environment
from ..meters.base import Meter
from ..meters.cpu_time import CpuTime, OtherLoad
from ..meters.discovery import discover
from ..recording.baseline import measure_idle
from ..recording.integrate import is_resolved
from ..recording.summary import Summary
from . import microbench
from .constants_fit import fit
from .device_tests import device_tests
from .microbench import Measurement
from .probe import measure
from .stored_constants import BUSY_SHARE, Constant, DeviceCalibration, MicroTiming
from .targets import Target

_MAX_IDLE_S = 10.0
_DISTURBED = "other programs took {:.0f} % of the processors' time"
_IDLE_SHARE = 0.1
_IDLE_PARTS = 3


def calibrate_device(
    torch: Any,
    target: Target,
    environment: Environment,
    input_s: tuple[float, float] | None,
    *,
    duration_s: float,
    progress: Callable[[str], None],
) -> DeviceCalibration:
    """Run a device's tests for about `duration_s` seconds, and fit its constants.

    Args:
        torch: the package.
        target: the device.
        environment: of the machine.
        input_s: seconds of the host's input pipeline for one sample, and for each of its bytes.
        duration_s: for idle power and all tests.
        progress: is called with the name of each test.
    """
    device = torch.device(target.torch)
    begun = time.monotonic()
    if device.type == "cuda":
        # Allocates the device, so that its idle power is that of a job's.
        torch.ones(1, device=device)
    progress("idle")
    idle_s = min(_MAX_IDLE_S, _IDLE_SHARE * duration_s)
    idle = idle_power(target.domains, idle_s, environment)
    load = OtherLoad(time.monotonic)
    left_s = max(1.0, duration_s - (time.monotonic() - begun))
    measurements, summary = _run_tests(torch, device, left_s, progress)
    others = load.others()
    measurements = [
        each.with_power(power_of(summary, {each.test.name}, target.domains))
        for each in measurements
    ]
    constants = fit(measurements, idle, target.facts, Physical())
    metered = [d.energy for d in summary.domains if _belongs(d.source.domain, target.domains)]
    timings = [each.timing for each in measurements]
    return DeviceCalibration(
        device=target.device,
        name=target.facts.name,
        values={name: constant.value for name, constant in constants.items()},
        spreads={name: constant.spread for name, constant in constants.items()},
        reasons={name: c.reason for name, c in constants.items() if c.reason},
        input_s=input_s,
        power_provenance=provenance_of_sum(metered)[0] if metered else None,
        tests=timings,
        notes=_notes(target, others, bool(metered), timings),
        others=others,
        seconds=time.monotonic() - begun,
        versions={"joulecast": __version__, "torch": str(torch.__version__)},
    )


def _notes(
    target: Target, others: float | None, metered: bool, timings: Sequence[MicroTiming]
) -> list[str]:
    notes = []
    if others is not None and others >= BUSY_SHARE:
        notes.append(_DISTURBED.format(100 * others))
    if not metered:
        notes.append(f"no meter of {target.device} here: run joulecast doctor to see why")
    return notes + [f"{t.name}: not run: {t.skipped}" for t in timings if t.skipped]


def _run_tests(
    torch: Any, device: Any, seconds: float, progress: Callable[[str], None]
) -> tuple[list[Measurement], Summary]:
    """The tests' measurements, and what was metered in the span of each."""
    tests = device_tests(torch, device)
    wait = microbench.waiter(torch, device)
    measurements: list[Measurement] = []

    def act(tracker: Any) -> None:
        span: Callable[[str], AbstractContextManager[object]] = tracker.span
        measurements.extend(
            microbench.measure_all(
                tests, wait, seconds, clock=time.monotonic, span=span, progress=progress
            )
        )

    return measurements, measure(act)


def idle_power(domains: str, seconds: float, environment: Environment) -> Constant:
    """Power of the domains while this process does nothing, W: the lowest of three means."""
    clock = time.monotonic
    machine = discover("machine", clock, cpu_time=CpuTime(clock, None), environment=environment)
    meters = [m for m in machine.meters if _belongs(m.source.domain, domains)]
    load = OtherLoad(time.monotonic)
    try:
        watts = _idle_means(meters, seconds / _IDLE_PARTS)
    finally:
        for meter in machine.meters:
            meter.close()
    others = load.others() or 0.0
    if not meters:
        return Constant(None, reason="no meter of the device here")
    if not watts or min(watts) <= 0:
        return Constant(None, reason="the meters gave no reading in time: use a longer --duration")
    if domains.startswith("cpu") and others > BUSY_SHARE:
        return Constant(None, reason=f"{_DISTURBED.format(100 * others)}: it was not idle")
    return Constant(min(watts), (max(watts) - min(watts)) / 2 / min(watts))


def _idle_means(meters: Sequence[Meter], part_s: float) -> list[float]:
    """Mean power of all meters together in each part of the time in which all gave readings, W."""
    if not meters:
        return []
    parts = [measure_idle(meters, part_s, time.monotonic, time.sleep) for _ in range(_IDLE_PARTS)]
    return [sum(part.values()) for part in parts if len(part) == len(meters)]


def power_of(summary: Summary, spans: Collection[str], domains: str) -> float | None:
    """Mean power of the device in spans of these names, W; None where meters cannot resolve it.

    Spans that are each too short for a meter may together be long enough.
    """
    sources = {
        d.source.domain: d.source for d in summary.domains if _belongs(d.source.domain, domains)
    }
    energy_j = duration_s = 0.0
    metered: set[str] = set()
    for span in summary.spans:
        parts = {domain: e.value for domain, e in span.domains.items() if domain in sources}
        if span.span.name in spans and parts:
            energy_j += sum(parts.values())
            duration_s += span.duration_s
            metered |= set(parts)
    if not metered or not all(is_resolved(duration_s, sources[domain]) for domain in metered):
        return None
    return energy_j / duration_s


def _belongs(domain: str, domains: str) -> bool:
    return domain.startswith(domains) if domains.endswith(":") else domain == domains
