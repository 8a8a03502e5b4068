"""The rate of the rest of a run from segments of it, before there are whole epochs to compare.

For a first epoch that is seen in steps, and for a run of which only a fraction done is known.
"""

import math

import numpy as np

from ...recording.model import Array
from ..base import Work
from .rates import Rate

CAPACITY = 128
# Early in a run the device is not yet as busy as it will be, but the peaks of its power show what
# it draws when it is: the rest of the run is near this quantile of the power so far.
PEAK = 0.95
# Fraction of the run after which the mean of the recent power is better than its peaks.
SEEN = 0.2
# ln(20): while steps are still getting faster, later ones may be faster by this factor.
UNSETTLED = 3.0
# Within the first epoch its evaluation is yet to come, if it has one: a factor on the upper bound.
EVALUATION = 1.2
# Segments whose power is one peak: that of a single one may be one reading of a sensor.
TOGETHER = 2


class Segments:
    """Collects work of any size in at most `CAPACITY` segments, so that reading them is cheap.

    Each work is its own segment until all places are taken. Then neighbors are merged in pairs,
    and from there on work is collected until it makes a segment of the new size.
    """

    def __init__(self) -> None:
        self._rows = np.zeros((CAPACITY, 3))
        self._count = 0
        # The progress of one segment.
        self._size = 0.0
        self._open = [0.0, 0.0, 0.0]

    def add(self, work: Work) -> None:
        """Add finished work; without progress, it belongs to the next segment."""
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
        """Progress, duration (s) and energy (J) of the segments, in order."""
        rows = self._rows[: self._count]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def __len__(self) -> int:
        return self._count


def rates_from_segments(
    progress: Array, duration: Array, energy: Array, fraction: float, cycle: bool = False
) -> tuple[Rate, Rate, int]:
    """Rates of duration and energy of the rest of the run, and the number of warm-up segments.

    Time comes from all segments after the warm-up, power from the later half of them, because
    power rises in phases that have nothing to do with the time per step.

    Args:
        progress: of the segments in order, each above 0, shape (n,).
        duration: of the segments, s.
        energy: of the segments, J.
        fraction: of the run that is done.
        cycle: whether a whole epoch with its evaluation was seen; then its mean counts.
    """
    time_per_progress = duration / progress
    start = warm_up(time_per_progress)
    settled = start < max(1, len(progress) // 2)
    p, t, e = progress[start:], duration[start:], energy[start:]
    if not settled:
        # The latest rate is then the nearest to what follows.
        p, t, e = (x[-max(1, len(x) // 2) :] for x in (p, t, e))
    seconds = float(t.sum() / p.sum())
    half = len(p) // 2
    joules = float(e.sum() / p.sum())
    if not cycle and t[half:].sum() > 0:
        joules = seconds * later_power(t[half:], e[half:], fraction)

    # Logarithms of how far the truth may be off: 5th and 95th percentile on measured traces.
    unseen = -math.log(min(1.0, max(fraction, 1e-9)))
    noise = 0.0
    if len(p) > 1 and seconds > 0:
        noise = 1.7 * float((t / p).std()) / seconds / math.sqrt(len(p))
    slower = math.hypot(noise, min(0.3, 0.05 * unseen))
    faster = math.hypot(noise, min(0.2, 0.03 * unseen) if settled else UNSETTLED)
    # At first a device may not even have work yet.
    more = math.hypot(noise, 0.05 * unseen if cycle else min(0.6, 0.039 * unseen**2))
    less = math.hypot(noise, min(0.3, 0.03 * unseen) if settled else UNSETTLED)
    return _around(seconds, faster, slower), _around(joules, less, more), start


def with_evaluation(rate: Rate) -> Rate:
    """The rate of epochs of which only steps were seen so far."""
    return Rate(rate.value, rate.low, rate.high * EVALUATION)


def _around(value: float, below: float, above: float) -> Rate:
    return Rate(value, value * math.exp(-min(10.0, below)), value * math.exp(min(10.0, above)))


def later_power(
    duration: Array, energy: Array, fraction: float, peak: float = PEAK, enough: float = SEEN
) -> float:
    """Mean power of the rest of the run, W, from segments of its recent part (s, J).

    It is between the peaks of that part and, once a fraction `enough` is done, its mean.
    """
    mean = float(energy.sum() / duration.sum())
    weight = min(1.0, fraction / enough)
    times, sums = (np.add.reduceat(x, np.arange(0, len(x), TOGETHER)) for x in (duration, energy))
    power = np.divide(sums, times, out=np.full_like(sums, mean), where=times > 0)
    return weight * mean + (1 - weight) * max(mean, float(np.quantile(power, peak)))


def warm_up(time_per_progress: Array) -> int:
    """How many of the first segments are slower than the rest: at most half of them.

    Compilation, autotuning and the first reading of the data make the first steps several times as
    long. The warm-up ends with the first step that is as fast as the slower ones of the later half.
    """
    half = len(time_per_progress) // 2
    if half < 2:
        return 0
    later = time_per_progress[half:]
    limit = max(float(np.quantile(later, 0.9)), 1.25 * float(np.median(later)))
    fast = np.flatnonzero(time_per_progress[:half] <= limit)
    return int(fast[0]) if len(fast) else half
