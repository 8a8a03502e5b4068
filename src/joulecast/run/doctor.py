"""The Python interface: `joulecast.doctor`."""

import os
import time
from collections.abc import Callable, Sequence

from ..errors import MeterLostError
from ..hardware.environment import Environment
from ..meters.base import Gauge, Meter, Reading
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..meters.gauges import find_gauges
from ..recording.integrate import UPDATES_TO_RESOLVE
from .checkup import Checkup, gauge_now, power_now, total_power

# How long power is read: longer for slow meters, which need `UPDATES_TO_RESOLVE` updates.
MIN_WATCH_S, MAX_WATCH_S = 1.0, 3.0
_STEP_S = 0.1


def doctor(scope: str = "machine") -> Checkup:
    """What can be measured on this machine, what cannot, why, and what to do about it.

    Reads every meter for one to three seconds.

    Args:
        scope: `"machine"`, or `"process"` for what `joulecast run` counts of its command: the
            GPUs visible to it and its share of the CPU.

    Returns:
        Power by domain (W, with 90 % intervals), the meters that cannot be read, the environment.

    Examples:
        >>> checkup = joulecast.doctor()
        >>> checkup.power.unit
        'W'
    """
    clock = time.monotonic
    environment = Environment.detect()
    cpu_time = CpuTime(clock, None if scope == "machine" else os.getpid())
    discovery = discover(scope, clock, cpu_time=cpu_time, environment=environment)
    gauges = find_gauges(scope, clock, cpu_time, discovery.meters)
    warnings = list(discovery.warnings)
    try:
        start = clock()
        before = _read_once(gauges.open)
        readings = watch(discovery.meters, watch_s(discovery.meters), clock, time.sleep, warnings)
        watched_s = clock() - start
        if not discovery.meters:
            # A gauge that counts needs two readings apart.
            time.sleep(_STEP_S)
        after = _read_once(gauges.open)
    finally:
        for gauge in gauges.open:
            gauge.close()
        for meter in discovery.meters:
            meter.close()
    domains = [
        power_now(m.source, taken) for m, taken in zip(discovery.meters, readings, strict=True)
    ]
    gauge_readings = zip(gauges.open, before, after, strict=True)
    return Checkup(
        scope=scope,
        watched_s=watched_s if discovery.meters else 0.0,
        power=total_power(domains),
        domains=domains,
        unavailable=discovery.unavailable,
        gauges=[
            *(gauge_now(g.source, [r for r in both if r]) for g, *both in gauge_readings),
            *(gauge_now(source, []) for source in gauges.missing),
        ],
        warnings=warnings,
        environment=environment.to_json(),
    )


def _read_once(gauges: Sequence[Gauge]) -> list[Reading | None]:
    """One reading of each; None where it gives none, or is lost."""
    readings: list[Reading | None] = []
    for gauge in gauges:
        try:
            readings.append(gauge.read())
        except MeterLostError:
            readings.append(None)
    return readings


def watch_s(meters: Sequence[Meter]) -> float:
    """Long enough for the slowest meter to be resolved, from `MIN_WATCH_S` to `MAX_WATCH_S`."""
    if not meters:
        return 0.0
    slowest = max(UPDATES_TO_RESOLVE * meter.source.update_period_s for meter in meters)
    return min(max(MIN_WATCH_S, slowest), MAX_WATCH_S)


def watch(
    meters: Sequence[Meter],
    duration_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    warnings: list[str],
) -> list[list[Reading]]:
    """Readings of each meter over a while; what goes wrong is added to `warnings`."""
    readings: list[list[Reading]] = [[] for _ in meters]
    lost: set[int] = set()
    end = clock() + duration_s
    while len(lost) < len(meters):
        for i, meter in enumerate(meters):
            if i in lost:
                continue
            try:
                readings[i].append(meter.read())
            except MeterLostError as error:
                lost.add(i)
                warnings.append(f"{meter.source.domain}: {error}")
            note = meter.note()
            if note:
                warnings.append(f"{meter.source.domain}: {note}")
        remaining_s = end - clock()
        if remaining_s <= 0:
            break
        sleep(min(_STEP_S, remaining_s))
    return readings
