"""Readings at the wall and of the meters, averaged over the same bins of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..recording.integrate import energy_curves
from ..recording.model import Array, Gap, Recording

# Plugs and sensors average over about a second, each in its own way.
_MIN_BIN_S = 5.0
# A bin has this many updates of a meter or counter, and this many readings of power at the wall.
_UPDATES = 5
_PERIODS = 3
# Readings that are further apart leave a hole.
_MAX_PERIODS, _MIN_HOLE_S = 5, 10.0


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of a meter at the wall.

    Attributes:
        t_s: times since 1970, s.
        value: watts, or cumulative joules.
        counts: whether they are cumulative joules.
        origin: the file or plug, for people.
        other_clock: whether another machine's clock gave the times.
    """

    t_s: Array
    value: Array
    counts: bool
    origin: str
    other_clock: bool = True

    def shifted(self, seconds: float) -> Readings:
        """The same readings, later by some seconds."""
        return replace(self, t_s=self.t_s + seconds)

    @property
    def period_s(self) -> float:
        """Median time from one to the next."""
        return float(np.median(np.diff(self.t_s))) if len(self.t_s) > 1 else math.inf


@dataclass(frozen=True, slots=True)
class Metered:
    """The energy that all meters of one recording measured together.

    Attributes:
        t_s: times since 1970, s.
        energy_j: cumulative energy of all domains.
        gaps: segments in which a meter gave no reading, since 1970.
        scope: of the recording.
        domains: that were metered.
        period_s: update period of the slowest meter.
    """

    t_s: Array
    energy_j: Array
    gaps: tuple[tuple[float, float], ...]
    scope: str
    domains: tuple[str, ...]
    period_s: float


def metered_of(recording: Recording) -> Metered | None:
    """What all meters of a recording measured together; None where one of them gave no readings."""
    started_at, end_s = recording.header.started_at, recording.duration_s
    sources = recording.header.sources
    curves = [c for _, c in energy_curves(recording).values()]
    if not sources or len(curves) < len(sources):
        return None
    first = max(0.0, *(float(c.t_s[0]) for c in curves))
    last = min(end_s, *(float(c.t_s[-1]) for c in curves))
    t_s = np.unique(np.concatenate([c.t_s for c in curves]))
    t_s = t_s[(t_s >= first) & (t_s <= last)]
    if len(t_s) < 2:
        return None
    return Metered(
        t_s=t_s + started_at,
        energy_j=np.sum([c.at(t_s)[0] for c in curves], axis=0),
        gaps=tuple(_since_1970(gap, started_at, end_s) for gap in recording.energy_gaps),
        scope=recording.header.scope,
        domains=tuple(sorted(source.domain for source in sources)),
        period_s=max(source.update_period_s for source in sources),
    )


def _since_1970(gap: Gap, started_at: float, end_s: float) -> tuple[float, float]:
    """Start and end of a gap; one without an end lasts until the end of the recording."""
    gap_end_s = end_s if gap.end_s is None else gap.end_s
    return gap.start_s + started_at, gap_end_s + started_at


@dataclass(frozen=True, slots=True)
class Joined:
    """Mean power at the wall and of the meters in the same bins, W."""

    wall_w: Array
    metered_w: Array


def join(readings: Readings, runs: Sequence[Metered], bin_s: float) -> Joined:
    """Mean powers in bins that both the wall and the meters cover entirely."""
    wall_j, holes = _cumulative(readings)
    walls, meters = [np.empty(0)], [np.empty(0)]
    for run in runs:
        count = int((run.t_s[-1] - run.t_s[0]) // bin_s)
        if count < 1:
            continue
        edges = run.t_s[0] + bin_s * np.arange(count + 1)
        start, end = edges[:-1], edges[1:]
        covered = (start >= readings.t_s[0]) & (end <= readings.t_s[-1])
        # Holes follow one another: a bin has none if as many began before its end as ended before
        # its start.
        ended = np.searchsorted(holes[1], start, side="right")
        covered &= np.searchsorted(holes[0], end) == ended
        for gap_start, gap_end in run.gaps:
            covered &= (end <= gap_start) | (start >= gap_end)
        walls.append(np.diff(np.interp(edges, readings.t_s, wall_j))[covered] / bin_s)
        meters.append(np.diff(np.interp(edges, run.t_s, run.energy_j))[covered] / bin_s)
    return Joined(np.concatenate(walls), np.concatenate(meters))


def _cumulative(readings: Readings) -> tuple[Array, Array]:
    """Joules up to each reading; starts and ends of the holes between readings, (2, n)."""
    t_s, value = readings.t_s, readings.value
    steps = np.diff(t_s)
    hole = steps > max(_MAX_PERIODS * readings.period_s, _MIN_HOLE_S)
    if readings.counts:
        joules = np.diff(value)
        # A counter that falls was reset.
        hole |= joules < 0
        joules = np.maximum(joules, 0.0)
    else:
        joules = steps * (value[:-1] + value[1:]) / 2
    return np.r_[0.0, np.cumsum(joules)], np.stack([t_s[:-1][hole], t_s[1:][hole]])


def bin_width(readings: Readings, runs: Sequence[Metered]) -> float:
    """The shortest bin in which wall and meters are both resolved, s."""
    slowest = max((run.period_s for run in runs), default=0.0)
    wall = (_UPDATES if readings.counts else _PERIODS) * readings.period_s
    return max(_MIN_BIN_S, _UPDATES * slowest, wall)


def where_counted(readings: Readings) -> Readings:
    """A counter's readings at which it had changed; its resolution hides what is between them."""
    if not readings.counts or len(readings.t_s) < 2:
        return readings
    moved = np.r_[True, np.diff(readings.value) != 0]
    return replace(readings, t_s=readings.t_s[moved], value=readings.value[moved])
