"""Millions of readings into a few thousand points that can be drawn. Pure functions on arrays.

Power is the energy between two instants divided by the time between them. Over one update of a
counter that is mostly quantization, so that power is averaged over several updates.
"""

import numpy as np
import numpy.typing as npt

from ...meters.base import ReadingKind
from ...recording.integrate import UPDATES_TO_RESOLVE
from ...recording.model import Array

Indices = npt.NDArray[np.intp]

MAX_POINTS = 2000
"""Points drawn for each domain; more than a screen has columns."""

MIN_COVERED = 0.5
"""Minimum fraction of a bin that must have been measured; others are left empty."""


def resolution_s(kind: ReadingKind, update_period_s: float, interval_s: float) -> float:
    """The shortest window whose mean power the readings resolve, s.

    Counters need `UPDATES_TO_RESOLVE` updates between two differences; watts need only one.
    """
    if kind is ReadingKind.COUNTER:
        return max(UPDATES_TO_RESOLVE * update_period_s, interval_s)
    return max(update_period_s, interval_s)


def bin_edges(duration_s: float, finest_s: float, limit: int = MAX_POINTS) -> Array:
    """Edges of equal bins over `[0, duration]`, none narrower than `finest_s`, shape (m + 1,).

    There are 1 to `limit` bins.
    """
    if duration_s <= 0:
        return np.zeros(1)
    bins = limit if finest_s <= 0 else int(min(limit, np.floor(duration_s / finest_s + 1e-9)))
    edges: Array = np.linspace(0.0, duration_s, max(1, bins) + 1)
    return edges


def mean_power(
    t_s: Array, energy_j: Array, measured_s: Array, edges_s: Array, counted: bool
) -> Array:
    """Mean watts in each bin, shape (m,); NaN where too little of the bin was measured.

    `energy_j` and `measured_s` are cumulative at the instants `t_s`. A counter (`counted`) goes on
    in a gap, so its energy belongs to the whole bin; integrated watts belong to the measured part.
    """
    if len(edges_s) < 2 or len(t_s) < 2:
        return np.full(max(0, len(edges_s) - 1), np.nan)
    energy = np.diff(np.interp(edges_s, t_s, energy_j))
    measured = np.diff(np.interp(edges_s, t_s, measured_s))
    time = np.diff(np.clip(edges_s, t_s[0], t_s[-1])) if counted else measured
    covered = (measured >= MIN_COVERED * np.diff(edges_s)) & (time > 0)
    power: Array = np.divide(energy, time, out=np.full(len(energy), np.nan), where=covered)
    return power


def coarse_edges(edges_s: Array, min_s: float) -> tuple[Array, Indices]:
    """Every k-th edge, so that no bin is narrower than `min_s`, and how many fine bins each has.

    The counts, shape (bins,), are what `np.repeat` needs to lay coarse values on the fine grid.
    A short remainder joins the last bin.
    """
    bins = len(edges_s) - 1
    if bins < 1:
        return edges_s, np.zeros(0, dtype=np.intp)
    k = max(1, int(np.ceil(min_s / (edges_s[1] - edges_s[0]) - 1e-9)))
    first = np.arange(0, bins, k)
    if len(first) > 1 and bins - first[-1] < k:
        first = first[:-1]
    starts = np.append(first, bins)
    return edges_s[starts], np.diff(starts)


def thin(count: int, limit: int) -> Indices:
    """Indices of at most `limit` of `count` items, evenly spread, first and last among them."""
    if count <= limit:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, limit).round().astype(np.intp))
