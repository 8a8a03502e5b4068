"""Arrays for the charts of a run: power over time, and energy up to an instant."""

from dataclasses import dataclass

import numpy as np

from ...meters.base import ReadingKind
from ...recording.integrate import energy_curves
from ...recording.model import Array, Recording
from .downsample import MAX_POINTS, bin_edges, coarse_edges, mean_power, resolution_s


@dataclass(frozen=True, slots=True)
class Trace:
    """Energy of one domain at the instants of its readings; arrays of shape (n,)."""

    domain: str
    kind: ReadingKind
    resolution_s: float
    t_s: Array
    energy_j: Array
    # Seconds measured so far; constant during a gap.
    measured_s: Array


@dataclass(frozen=True, slots=True)
class PowerSeries:
    """Mean power of each domain in the same bins, in the order of the sources."""

    edges_s: Array  # shape (m + 1,)
    power_w: dict[str, Array]  # shape (m,); NaN where not measured
    width_s: dict[str, float]  # over which each domain is averaged


def traces(recording: Recording) -> list[Trace]:
    """One trace for each domain with at least two readings, in the order of the sources."""
    interval_s = recording.header.interval_s
    return [
        Trace(
            source.domain,
            source.kind,
            resolution_s(source.kind, source.update_period_s, interval_s),
            c.t_s,
            c.energy_j[0],
            np.concatenate([[0.0], np.cumsum(np.diff(c.t_s) * c.open)]),
        )
        for source, c in energy_curves(recording).values()
    ]


def power_series(
    lines: list[Trace], duration_s: float, limit: int = MAX_POINTS
) -> PowerSeries | None:
    """Mean power by domain over the run, or None where there is nothing to draw.

    All domains have the same bins, so that they can be stacked; one whose meter is slower is
    averaged over several bins and drawn as steps.
    """
    if not lines or duration_s <= 0:
        return None
    edges = bin_edges(duration_s, min(x.resolution_s for x in lines), limit)
    power, width = {}, {}
    for x in lines:
        own, counts = coarse_edges(edges, x.resolution_s)
        means = mean_power(x.t_s, x.energy_j, x.measured_s, own, x.kind is ReadingKind.COUNTER)
        power[x.domain] = np.repeat(means, counts)
        width[x.domain] = float(own[1] - own[0])
    return PowerSeries(edges, power, width)


def energy_until(lines: list[Trace], t_s: Array) -> Array:
    """Joules of all domains together from the start of the run up to each time, shape (n,)."""
    total = np.zeros(len(t_s))
    for x in lines:
        total += np.interp(t_s, x.t_s, x.energy_j)
    return total
