"""Readings into joules: pure functions on arrays.

An `EnergyCurve` is the energy of one domain since its first reading, as a function of time.
Counters are taken as they are, and interpolated linearly at the edges of a window; watts are
integrated by the trapezoid rule, exactly also at edges that fall between two readings. A gap
contributes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..estimate import Estimate, Provenance, add_independent
from ..hardware.environment import machine_of
from ..meters.base import ReadingKind, Source
from .model import Array, Gap, Recording, Samples

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
    `read_s` counts the seconds that were measured, `own_s` the part of them that was the run's.
    `machine` names that of the meter, as far as it is known.
    """

    t_s: Array
    energy_j: Array  # shape (3, n): value, low, high
    read_s: Array
    own_s: Array
    power_w: Array | None  # shape (3, n)
    open: Array  # shape (n - 1,): 1.0, 0.0 where a gap touches the segment
    machine: str = ""

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

    def read_seconds(self, start_s: float, end_s: float) -> float:
        """Seconds between two times in which the domain was measured."""
        a, b = np.interp([start_s, end_s], self.t_s, self.read_s)
        return float(b - a)

    def own_seconds(self, start_s: float, end_s: float) -> float:
        """Of these, the seconds of the domain that belonged to the run."""
        a, b = np.interp([start_s, end_s], self.t_s, self.own_s)
        return float(b - a)


def curve(samples: Samples, kind: ReadingKind, gaps: Iterable[Gap] = ()) -> EnergyCurve:
    """The energy curve of one domain's samples, of which there is at least one.

    Segments that touch a gap contribute nothing. A counter goes on counting while it is not read:
    what it counted in a gap stays, and a gap in which it counted nothing (a reset) is not measured.
    """
    bounds = np.stack([samples.value, samples.low, samples.high])
    step = np.diff(samples.t_s)
    measured = is_open = ~_touched(samples.t_s, list(gaps))
    power = None if kind is ReadingKind.COUNTER else bounds
    if power is None:
        measured = is_open | (np.diff(samples.value) > 0)
        energy = bounds - bounds[:, :1]
    else:
        energy = _cumulative(step * measured * (bounds[:, :-1] + bounds[:, 1:]) / 2)
    read_s, own_s = _cumulative(np.stack([step, np.diff(samples.held_s)]) * measured)
    return EnergyCurve(samples.t_s, energy, read_s, own_s, power, is_open.astype(float))


def _cumulative(parts: Array) -> Array:
    """Sums up to each instant, of rows of parts between the instants."""
    return np.concatenate([np.zeros((len(parts), 1)), np.cumsum(parts, axis=1)], axis=1)


def _touched(t_s: Array, gaps: list[Gap]) -> npt.NDArray[np.bool_]:
    """Which segments between readings any gap touches."""
    starts = np.array([gap.start_s for gap in gaps])
    ends = np.array([np.inf if gap.end_s is None else gap.end_s for gap in gaps])
    first = np.searchsorted(t_s[1:], starts + SLACK_S, side="right")
    behind = np.searchsorted(t_s[:-1], ends - SLACK_S, side="left")
    # Each gap opens at its first segment and closes behind its last.
    depth = np.zeros(len(t_s), dtype=int)
    np.add.at(depth, first[first < behind], 1)
    np.add.at(depth, behind[first < behind], -1)
    return np.cumsum(depth)[:-1] > 0


def energy_curves(recording: Recording) -> dict[str, tuple[Source, EnergyCurve]]:
    """The energy curve of each domain that has two readings or more."""
    gaps = recording.gaps_of
    # The meters of a machine that is not known share no error with those of another run.
    machine = str(machine_of(recording.header.environment) or recording.header.run_id)
    return {
        source.domain: (
            source,
            replace(curve(samples, source.kind, gaps[source.domain]), machine=machine),
        )
        for source in recording.sources
        if len(samples := recording.samples.get(source.domain, Samples.empty())) > 1
    }


def with_edges(
    joules: tuple[float, float, float], duration_s: float, source: Source, machine: str = ""
) -> Estimate | None:
    """The energy of a window as an estimate; None for an empty window.

    Its interval is widened, because it is unknown where the window begins and ends within an update
    of the meter (`EDGE_FACTOR`).
    """
    if duration_s <= 0:
        return None
    return estimate(source, widened(np.array(joules), duration_s, source).tolist(), machine)


def estimate(source: Source, row: Sequence[float], machine: str = "") -> Estimate:
    """Energy of a source on a machine, from a column of `widened`.

    Meters that read in another way share no error, even of one domain.
    """
    value, low, high, *own = row
    own_low, own_high = own or (None, None)
    energy = Estimate(value, low, high, "J", source.provenance, {}, own_low, own_high)
    return energy.by_meter(f"{machine} {source.domain} {source.source}")


def widened(
    joules: Array, duration_s: float | Array, source: Source, around_w: float = 0.0
) -> Array:
    """The same for windows of positive length, many at once: rows value, low, high.

    Two more are the bounds without the error that all readings of the meter share, where the
    source states its own. `around_w` is the mean power around the windows: the energy of a window
    that seems to have used nothing may have been counted in its neighbors.
    """
    value, low, high = joules
    edge = EDGE_FACTOR * source.update_period_s * np.maximum(value / duration_s, around_w)
    sides = [(value - low, high - value)]
    if source.uncertainty.own is not None:
        sides.append((source.uncertainty.own * value,) * 2)
    rows = [value]
    for below, above in sides:
        rows += [np.clip(value - np.hypot(below, edge), 0.0, value), value + np.hypot(above, edge)]
    return np.stack(rows)


def total_of(parts: Iterable[Estimate], lacking: Sequence[str]) -> Estimate | None:
    """Sum of the domains of a run, or None without any.

    It is never "measured" where domains are `lacking`: their energy is assumed to be 0.
    """
    total = add_independent(parts)
    if total is None or not lacking:
        return total
    reason = f"without {', '.join(lacking)}"
    return total.changed(provenance=Provenance.ASSUMED, reason=reason)


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
