"""Arrays for the charts of a run: power over time, and energy up to an instant."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ...meters.base import ReadingKind
from ...recording.integrate import curve
from ...recording.model import Array, Gap, Recording
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
    gaps: dict[str, list[Gap]] = defaultdict(list)
    for gap in recording.gaps:
        gaps[gap.domain].append(gap)
    domain_traces = []
    for source in recording.header.sources:
        samples = recording.samples.get(source.domain)
        if samples is None or len(samples) < 2:
            continue
        t = samples.t_s
        # The bounds that `curve` adds are not drawn, and take long for a day of readings.
        if source.kind is ReadingKind.COUNTER:
            energy = samples.value - samples.value[0]
        else:
            energy = curve(samples, source.kind, gaps[source.domain]).energy_j[0]
        step = np.diff(t)
        for gap in gaps[source.domain]:
            end = np.inf if gap.end_s is None else gap.end_s
            first = max(0, int(np.searchsorted(t, gap.start_s, side="right")) - 1)
            step[first : int(np.searchsorted(t, end, side="left"))] = 0.0
        finest = resolution_s(source.kind, source.update_period_s, recording.header.interval_s)
        measured = np.concatenate([np.zeros(1), np.cumsum(step)])
        domain_traces.append(Trace(source.domain, source.kind, finest, t, energy, measured))
    return domain_traces


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
