"""The idle baseline: what the machine draws before the run, by domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..meters.base import Meter
from .integrate import curve
from .sampler import Sampler


def measure_idle(
    meters: Sequence[Meter],
    duration_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    interval_s: float = 0.1,
) -> dict[str, float]:
    """Mean watts of each domain over `duration_s`; domains that gave nothing are left out.

    The meters are read, not closed, and can be used for the run afterwards.
    """
    sampler = Sampler(meters, clock, interval_s)
    sampler.tick(everything=True)
    while (left := duration_s - (clock() - sampler.start_s)) > 0:
        sleep(min(interval_s, left))
        sampler.tick(everything=left <= interval_s)
    samples = sampler.take()
    idle = {}
    for meter in meters:
        found = samples.get(meter.source.domain)
        if found is None or len(found) < 2:
            continue
        first, last = float(found.t_s[0]), float(found.t_s[-1])
        joules, _, _ = curve(found, meter.source.kind).between(first, last)
        idle[meter.source.domain] = joules / (last - first)
    return idle
