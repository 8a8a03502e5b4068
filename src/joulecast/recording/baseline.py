"""Meters that are read for a while outside a run; the idle baseline before one."""

from collections.abc import Callable, Sequence

from ..meters.base import Gauge, Meter
from .integrate import curve
from .sampler import Sampler


def watch(
    meters: Sequence[Meter],
    duration_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    gauges: Sequence[Gauge] = (),
    interval_s: float = 0.1,
) -> Sampler:
    """The sampler that has read the meters and gauges for `duration_s`. They stay open."""
    sampler = Sampler([*meters, *gauges], clock, interval_s)
    sampler.tick(everything=True)
    while (remaining_s := duration_s - (clock() - sampler.start_s)) > 0:
        sleep(min(interval_s, remaining_s))
        sampler.tick(everything=remaining_s <= interval_s)
    return sampler


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
    samples = watch(meters, duration_s, clock, sleep, interval_s=interval_s).take()
    idle = {}
    for meter in meters:
        of_meter = samples.get(meter.source.domain)
        if of_meter is None or len(of_meter) < 2:
            continue
        first, last = float(of_meter.t_s[0]), float(of_meter.t_s[-1])
        joules, _, _ = curve(of_meter, meter.source.kind).between(first, last)
        idle[meter.source.domain] = joules / (last - first)
    return idle
