"""The rate of the rest of a run from stretches of it, before there are whole epochs to compare.

For the first epoch seen in steps, and for a run of which only a fraction is known.
"""

from __future__ import annotations

import math

import numpy as np

from ..base import Work
from .rates import Array, Rate

CAPACITY = 128
PEAK = 0.95
"""Quantile of the power so far that the rest of a run is near to, while little of it was seen: the
device is not yet as busy as it will be, but its peaks show what it draws when it is."""
SEEN = 0.2
"""Fraction of the run after which the mean of the recent power tells more than its peaks."""
UNSETTLED = 3.0
"""ln(20): while steps are still getting faster, later ones may be that much faster than they."""
EVALUATION = (1.04, 1.15)
"""Within the first epoch its evaluation is yet to come: what it adds to the value and the upper
bound. Evaluations cost from nothing to a third of an epoch."""
RESOLVED_S = 2.0
"""Power over less than two readings of a sensor read once a second is noise."""


class Stretches:
    """Takes work of any size; keeps at most `CAPACITY` stretches, so that a look at them is cheap.

    Every work is its own stretch until the room is full; then neighbors are merged two by two, and
    from there on work is gathered until it makes a stretch of the new size.
    """

    def __init__(self) -> None:
        self._rows = np.zeros((CAPACITY, 3))
        self._count = 0
        self._size = 0.0  # progress that makes a stretch
        self._open = [0.0, 0.0, 0.0]

    def add(self, work: Work) -> None:
        """One more stretch of finished work; without progress, it belongs to the next one."""
        self._open[0] += work.progress
        self._open[1] += work.duration_s
        self._open[2] += work.energy_j
        if self._count == CAPACITY:
            self._rows[: CAPACITY // 2] = self._rows[0::2] + self._rows[1::2]
            self._count = CAPACITY // 2
            self._size = float(np.median(self._rows[: self._count, 0]))
        if self._open[0] > 0 and self._open[0] >= self._size * (1 - 1e-6):
            self._rows[self._count] = self._open
            self._count += 1
            self._open = [0.0, 0.0, 0.0]

    def arrays(self) -> tuple[Array, Array, Array]:
        """Progress, duration and energy of the stretches, in order."""
        rows = self._rows[: self._count]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def __len__(self) -> int:
        return self._count


def later_stretches(
    progress: Array, duration: Array, energy: Array, fraction: float, cycle: bool = False
) -> tuple[Rate, Rate, int]:
    """Rates of duration and energy of the rest of the run, and how many stretches were warm-up.

    `fraction` of the run was seen. The stretches are in order and of some progress each. The time
    is taken from all that came after the warm-up, the power from the later half: it rises in
    phases that have nothing to do with the pace. Once a whole `cycle` (an epoch, its evaluation
    with it) was seen, its mean is what counts.
    """
    pace = duration / progress
    start = warm_up(pace)
    settled = start < max(1, len(pace) // 2)
    p, t, e = progress[start:], duration[start:], energy[start:]
    if not settled:  # the latest pace is then the nearest to what follows
        p, t, e = (x[-max(1, len(x) // 2) :] for x in (p, t, e))
    seconds = float(t.sum() / p.sum())
    half = len(p) // 2
    joules = float(e.sum() / p.sum())
    if not cycle and t[half:].sum() > 0:
        joules = seconds * later_power(t[half:], e[half:], fraction)

    # How far the truth may be off, as logarithms: 5th and 95th percentile on measured traces.
    unseen = -math.log(min(1.0, max(fraction, 1e-9)))
    noise = 0.0
    if len(p) > 1 and seconds > 0:
        noise = 1.7 * float((t / p).std()) / seconds / math.sqrt(len(p))
    spent_s = float(duration.sum())
    slower = math.hypot(noise, min(0.3, 0.05 * unseen))
    faster = math.hypot(noise, min(0.2, 0.03 * unseen) if settled else UNSETTLED)
    # In its first seconds a device may not even have been given its work.
    rise = 0.05 * unseen if cycle else 0.039 * unseen**2
    dearer = math.hypot(noise, min(0.4 + 0.4 * 2 ** (-spent_s / 30), rise))
    cheaper = math.hypot(noise, min(0.3, 0.03 * unseen) if settled else UNSETTLED)
    return _around(seconds, faster, slower), _around(joules, cheaper, dearer), start


def with_evaluation(rate: Rate) -> Rate:
    """The rate of epochs of which only the steps were seen yet."""
    value, high = EVALUATION
    return Rate(rate.value * value, rate.low, rate.high * high)


def _around(value: float, below: float, above: float) -> Rate:
    return Rate(value, value * math.exp(-min(10.0, below)), value * math.exp(min(10.0, above)))


def later_power(
    duration: Array, energy: Array, fraction: float, peak: float = PEAK, enough: float = SEEN
) -> float:
    """Watts of the rest of the run from stretches of its recent part (of some duration).

    Between the peaks of that part, while little of the run was seen, and its mean.
    """
    mean = float(energy.sum() / duration.sum())
    weight = min(1.0, fraction / enough)
    edges = np.floor(np.cumsum(duration) / RESOLVED_S)
    starts = np.flatnonzero(np.diff(edges, prepend=-1.0) > 0)
    times = np.add.reduceat(duration, starts)
    sums = np.add.reduceat(energy, starts)
    power = np.divide(sums, times, out=np.full_like(sums, mean), where=times > 0)
    return weight * mean + (1 - weight) * max(mean, float(np.quantile(power, peak)))


def warm_up(pace: Array) -> int:
    """How many of the first stretches were slower than the rest: at most half of them.

    Compilation, autotuning and the first reading of the data make steps several times as long, one
    after the other from the start on; they end with the first step that is as fast as the slower
    ones of the later half.
    """
    half = len(pace) // 2
    if half < 2:
        return 0
    later = pace[half:]
    limit = max(float(np.quantile(later, 0.9)), 1.25 * float(np.median(later)))
    fast = np.flatnonzero(pace[:half] <= limit)
    return int(fast[0]) if len(fast) else half
