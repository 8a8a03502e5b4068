"""Readings into joules: pure functions on arrays.

An `EnergyCurve` is the energy of one domain since its first reading, as a function of time.
Counters are taken as they are, and interpolated linearly at the edges of a window; watts are
integrated by the trapezoid rule, exactly also at edges that fall between two readings. A gap
contributes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..meters.base import ReadingKind, Source
from ..units import Estimate, Provenance, add_independent
from .model import Array, Gap, Samples

UPDATES_TO_RESOLVE = 5
"""A meter does not resolve windows shorter than this many of its updates (arXiv 2312.02741)."""

EDGE_FACTOR = 0.68
"""Each edge of a window falls anywhere within one update of the meter. The difference of two
uniform errors of width `p` is triangular, and 90 % of it lies within p (1 - sqrt(0.1)) = 0.68 p."""


SLACK_S = 1e-5
"""Times are stored to the microsecond: a gap that begins at a reading does not touch the segment
before it."""


@dataclass(frozen=True, slots=True)
class EnergyCurve:
    """Cumulative energy of one domain at the instants of its readings; arrays of shape (n,).

    `power_w` is set for domains that are integrated from watts; rows are value, low, high.
    """

    t_s: Array
    energy_j: Array  # shape (3, n): value, low, high
    held_s: Array
    power_w: Array | None  # shape (3, n)
    open: Array  # shape (n - 1,): 1.0 where the segment was measured, 0.0 in a gap

    def at(self, t_s: float | Array) -> Array:
        """Joules up to each time, rows value, low, high; constant beyond the ends."""
        t = np.clip(np.asarray(t_s, dtype=float), self.t_s[0], self.t_s[-1])
        if self.power_w is None or len(self.t_s) < 2:
            return np.stack([np.interp(t, self.t_s, row) for row in self.energy_j])
        i = np.clip(np.searchsorted(self.t_s, t, side="right") - 1, 0, len(self.t_s) - 2)
        step = self.t_s[i + 1] - self.t_s[i]
        into = t - self.t_s[i]
        before, after = self.power_w[:, i], self.power_w[:, i + 1]
        reached = before + (after - before) * into / np.where(step > 0, step, 1.0)
        area: Array = self.energy_j[:, i] + self.open[i] * into * (before + reached) / 2
        return area

    def between(self, start_s: float, end_s: float) -> tuple[float, float, float]:
        """Joules from one time to another: value, low, high (the meter's own error only)."""
        value, low, high = (float(x) for x in self.at(end_s) - self.at(start_s))
        return value, low, high

    def own_seconds(self, start_s: float, end_s: float) -> float:
        """Seconds of the domain that belonged to the run between two times."""
        a, b = np.interp([start_s, end_s], self.t_s, self.held_s)
        return float(b - a)


def curve(samples: Samples, kind: ReadingKind, gaps: Iterable[Gap] = ()) -> EnergyCurve:
    """The energy curve of one domain's samples, of which there is at least one.

    Segments that touch a gap contribute nothing. A counter ignores gaps, because it goes on
    counting while it is not read.
    """
    bounds = np.stack([samples.value, samples.low, samples.high])
    step = np.diff(samples.t_s)
    measured = np.ones(len(step))
    if kind is ReadingKind.COUNTER:
        return EnergyCurve(samples.t_s, bounds - bounds[:, :1], samples.held_s, None, measured)
    for gap in gaps:
        end = np.inf if gap.end_s is None else gap.end_s
        touched = (samples.t_s[:-1] < end - SLACK_S) & (samples.t_s[1:] > gap.start_s + SLACK_S)
        measured[touched] = 0.0
    area = step * measured * (bounds[:, :-1] + bounds[:, 1:]) / 2
    energy = np.concatenate([np.zeros((3, 1)), np.cumsum(area, axis=1)], axis=1)
    return EnergyCurve(samples.t_s, energy, samples.held_s, bounds, measured)


def with_edges(
    joules: tuple[float, float, float], duration_s: float, source: Source
) -> Estimate | None:
    """The energy of a window as an estimate; None for an empty window.

    Its interval is widened, because it is unknown where the window begins and ends within an update
    of the meter (`EDGE_FACTOR`).
    """
    if duration_s <= 0:
        return None
    value, low, high = (float(x) for x in widened(np.array(joules), duration_s, source))
    return Estimate(value, low, high, "J", source.provenance)


def widened(
    joules: Array, duration_s: float | Array, source: Source, around_w: float = 0.0
) -> Array:
    """The same for windows of positive length, many at once: rows value, low, high.

    `around_w` is the mean power around the windows: the energy of a window that seems to have used
    nothing may have been counted in its neighbors.
    """
    value, low, high = joules
    edge = EDGE_FACTOR * source.update_period_s * np.maximum(value / duration_s, around_w)
    below, above = np.hypot(value - low, edge), np.hypot(high - value, edge)
    return np.stack([value, np.minimum(value, np.maximum(0.0, value - below)), value + above])


def total_of(parts: Iterable[Estimate], lacking: Sequence[str]) -> Estimate | None:
    """Sum of the domains of a run, or None without any.

    It is never "measured" where domains are `lacking`: their energy is assumed to be 0.
    """
    total = add_independent(parts)
    if total is None or not lacking:
        return total
    reason = f"without {', '.join(lacking)}"
    return replace(total, provenance=Provenance.ASSUMED, reason=reason)


def is_resolved(duration_s: float, source: Source) -> bool:
    """Whether a window is long enough for the meter to resolve it."""
    return duration_s >= UPDATES_TO_RESOLVE * source.update_period_s


def energy_between(
    samples: Samples, source: Source, start_s: float, end_s: float, gaps: Iterable[Gap] = ()
) -> Estimate | None:
    """Energy of one domain between two times, J, or None where it has no samples there."""
    if len(samples) == 0:
        return None
    mine = [gap for gap in gaps if gap.domain == source.domain]
    joules = curve(samples, source.kind, mine).between(start_s, end_s)
    return with_edges(joules, end_s - start_s, source)
