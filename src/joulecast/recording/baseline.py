"""The idle baseline: power of the machine before the run, by domain."""

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
    """Mean watts of each domain over `duration_s`; domains without readings are left out.

    The meters stay open and can be used for the run afterwards.
    """
    sampler = Sampler(meters, clock, interval_s)
    sampler.tick(everything=True)
    while (remaining_s := duration_s - (clock() - sampler.start_s)) > 0:
        sleep(min(interval_s, remaining_s))
        sampler.tick(everything=remaining_s <= interval_s)
    samples = sampler.take()
    idle = {}
    for meter in meters:
        of_meter = samples.get(meter.source.domain)
        if of_meter is None or len(of_meter) < 2:
            continue
        first, last = float(of_meter.t_s[0]), float(of_meter.t_s[-1])
        joules, _, _ = curve(of_meter, meter.source.kind).between(first, last)
        idle[meter.source.domain] = joules / (last - first)
    return idle
