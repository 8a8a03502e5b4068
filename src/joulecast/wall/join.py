"""Readings at the wall and what the meters said, brought into the same stretches of time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..meters.base import Source
from ..recording.integrate import curve
from ..recording.model import Array, Gap, Recording, Samples

_LEAST_BIN_S = 5.0  # plugs and sensors average over a second or so, each in its own way
_UPDATES = 5  # of a meter, or of a counter at the wall, in a bin
_PERIODS = 3  # of readings at the wall


@dataclass(frozen=True, slots=True)
class Readings:
    """What a meter at the wall said: times since 1970 (s), and watts or cumulative joules."""

    t_s: Array
    value: Array
    counts: bool  # cumulative joules
    origin: str  # for people: the file, the plug

    def shifted(self, seconds: float) -> Readings:
        """The same, so much later."""
        return replace(self, t_s=self.t_s + seconds)

    @property
    def period_s(self) -> float:
        """Time from one to the next, as a rule."""
        return float(np.median(np.diff(self.t_s))) if len(self.t_s) > 1 else math.inf


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meters of one recording said together. Times are since 1970."""

    t_s: Array
    energy_j: Array  # cumulative, all domains
    dark: tuple[tuple[float, float], ...]  # stretches in which one of them was silent
    scope: str
    domains: tuple[str, ...]
    period_s: float  # of the slowest


def metered(
    samples: Mapping[str, Samples],
    sources: Iterable[Source],
    gaps: Iterable[Gap],
    started_at: float,
    end_s: float,
    scope: str,
) -> Metered | None:
    """The sum of what the domains' meters said; None where one that is there said nothing."""
    sources, gaps = list(sources), list(gaps)
    curves = []
    for source in sources:
        found = samples.get(source.domain)
        if found is None or len(found) < 2:
            return None
        own = [gap for gap in gaps if gap.domain == source.domain]
        curves.append(curve(found, source.kind, own))
    if not curves:
        return None
    first = max(0.0, *(float(c.t_s[0]) for c in curves))
    last = min(end_s, *(float(c.t_s[-1]) for c in curves))
    t_s = np.unique(np.concatenate([c.t_s for c in curves]))
    t_s = t_s[(t_s >= first) & (t_s <= last)]
    if len(t_s) < 2:
        return None
    dark = [(gap.start_s, end_s if gap.end_s is None else gap.end_s) for gap in gaps]
    return Metered(
        t_s=t_s + started_at,
        energy_j=np.sum([c.at(t_s)[0] for c in curves], axis=0),
        dark=tuple((a + started_at, b + started_at) for a, b in dark),
        scope=scope,
        domains=tuple(sorted(source.domain for source in sources)),
        period_s=max(source.update_period_s for source in sources),
    )


def metered_of(recording: Recording) -> Metered | None:
    """What the meters of a recording said together; None where nothing was metered."""
    header = recording.header
    return metered(
        recording.samples,
        header.sources,
        recording.energy_gaps,
        header.started_at,
        recording.duration_s,
        header.scope,
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """Mean watts in the same bins."""

    wall_w: Array
    metered_w: Array


def join(readings: Readings, runs: Sequence[Metered], bin_s: float) -> Joined:
    """Mean powers at the wall and of the meters, in bins in which both were there throughout."""
    wall_j, holes = _cumulative(readings)
    walls, meters = [np.empty(0)], [np.empty(0)]
    for run in runs:
        count = int((run.t_s[-1] - run.t_s[0]) // bin_s)
        if count < 1:
            continue
        edges = run.t_s[0] + bin_s * np.arange(count + 1)
        start, end = edges[:-1], edges[1:]
        whole = (start >= readings.t_s[0]) & (end <= readings.t_s[-1])
        # Holes follow each other: none is in a bin where as many began before its end as ended
        # before its start.
        whole &= np.searchsorted(holes[0], end) == np.searchsorted(holes[1], start, side="right")
        for dark_from, dark_to in run.dark:
            whole &= (end <= dark_from) | (start >= dark_to)
        walls.append(np.diff(np.interp(edges, readings.t_s, wall_j))[whole] / bin_s)
        meters.append(np.diff(np.interp(edges, run.t_s, run.energy_j))[whole] / bin_s)
    return Joined(np.concatenate(walls), np.concatenate(meters))


def _cumulative(readings: Readings) -> tuple[Array, Array]:
    """Joules up to each reading; starts and ends of the stretches nothing is known of, (2, n)."""
    t_s, value = readings.t_s, readings.value
    steps = np.diff(t_s)
    unknown = steps > max(5 * readings.period_s, 10.0)
    if readings.counts:
        joules = np.diff(value)
        unknown |= joules < 0  # it was set back
        joules = np.maximum(joules, 0.0)
    else:
        joules = steps * (value[:-1] + value[1:]) / 2
    return np.r_[0.0, np.cumsum(joules)], np.stack([t_s[:-1][unknown], t_s[1:][unknown]])


def bin_width(readings: Readings, runs: Sequence[Metered]) -> float:
    """How long a bin must be for both to be resolved in it, s."""
    slowest = max((run.period_s for run in runs), default=0.0)
    wall = (_UPDATES if readings.counts else _PERIODS) * readings.period_s
    return max(_LEAST_BIN_S, _UPDATES * slowest, wall)


def risen(readings: Readings) -> Readings:
    """A counter's readings at which it had moved: between them it counts too coarsely to tell."""
    if not readings.counts or len(readings.t_s) < 2:
        return readings
    moved = np.r_[True, np.diff(readings.value) != 0]
    return replace(readings, t_s=readings.t_s[moved], value=readings.value[moved])
