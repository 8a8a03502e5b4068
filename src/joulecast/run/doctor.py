"""The Python interface: `joulecast.doctor`."""

import os
import time
from collections.abc import Sequence

from ..hardware.environment import Environment
from ..meters.base import GaugeSource, Meter, Source
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..meters.gauges import find_gauges
from ..recording.baseline import watch
from ..recording.integrate import UPDATES_TO_RESOLVE
from ..recording.model import Samples
from .checkup import Checkup, gauge_now, power_now, total_power

# How long power is read: longer for slow meters, which need `UPDATES_TO_RESOLVE` updates.
MIN_WATCH_S, MAX_WATCH_S = 1.5, 3.0


def doctor(scope: str = "machine") -> Checkup:
    """What can be measured on this machine, what cannot, why, and what to do about it.

    Reads every meter for one and a half to three seconds.

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
    try:
        sampler = watch(discovery.meters, watch_s(discovery.meters), clock, time.sleep, gauges.open)
    finally:
        for gauge in gauges.open:
            gauge.close()
        for meter in discovery.meters:
            meter.close()
    watched_s, samples = clock() - sampler.start_s, sampler.take()
    notes = [f"{gap.domain}: {gap.reason}" for gap in sampler.take_gaps()]

    def taken(source: Source | GaugeSource) -> Samples:
        return samples.get(source.domain, Samples.empty())

    domains = [power_now(m.source, taken(m.source)) for m in discovery.meters]
    return Checkup(
        scope=scope,
        watched_s=watched_s if discovery.meters else 0.0,
        power=total_power(domains),
        domains=domains,
        unavailable=discovery.unavailable,
        gauges=[gauge_now(source, taken(source)) for source in gauges.sources],
        warnings=discovery.warnings + notes,
        environment=environment.to_json(),
    )


def watch_s(meters: Sequence[Meter]) -> float:
    """Long enough for the slowest meter to be resolved, from `MIN_WATCH_S` to `MAX_WATCH_S`."""
    periods = [UPDATES_TO_RESOLVE * meter.source.update_period_s for meter in meters]
    slowest = max(periods, default=0.0)
    return min(max(MIN_WATCH_S, slowest), MAX_WATCH_S)
