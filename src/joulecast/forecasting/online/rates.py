"""The rate of the epochs to come (J or s per epoch), from those that are finished.

Several candidates forecast it (`candidates.py`). Each has forecast every later epoch of this run
from those before it, too, and its weight is

    prior x (mean error of the level / its own mean error) ^ number of these forecasts

which is how much more probable it makes what was seen, if errors have Laplace's distribution of a
scale that is not known. The prior prefers the level so much that a steady run stays with it.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...recording.model import Array
from .candidates import (
    COUNT,
    DRIFT_SEEN,
    ENDLESS,
    LEVEL,
    able,
    drift,
    epochs_behind,
    forecast,
    level,
    next_epoch,
    slope,
    without_odd,
)

# Epochs that rates are computed from; older ones only count as energy so far.
RECENT = 256
# Of each candidate but the level, relative to the level.
PRIOR = 0.01
# A candidate has a say once it was better than the level so many times in a row: a change of level
# is followed from its third epoch on.
IN_A_ROW = 2
# Relative; smaller errors are not distinguished, because no meter resolves them.
RESOLVED = 1e-3
# The value leaves out candidates of less weight, the bounds do not reach to those of less.
IN_VALUE, IN_BOUNDS = 1e-3, 0.05

# Half of the interval, per mean absolute error of the forecasts of one epoch and Student's t: so
# that nine of ten made-up runs of 5 and 20 % noise are inside.
NOISE = 1.07
# A change that nothing announces, per ln(1 + remaining / seen), to either side: it is as likely
# between 1 and 10 % of a run as between 10 and 100 %. What was not seen yet mostly adds:
# evaluations, layers that are unfrozen, a device that warms up. The upper one includes an epoch
# twice as long in every fifth, and the evaluations in the second half of a run of 3D U-Net.
UP, DOWN = 0.06, 0.01
# With one later epoch only its distance to the first shows how noisy epochs are: half of the
# interval is so many times as wide, up to a limit. A first epoch that is longer by more than
# `START_UP` is start-up, which says nothing of noise.
ONE, ONE_LIMIT, START_UP = 1.8, 0.25, 0.7
# Deviation of an epoch before any is seen.
UNSEEN = 0.02
# Odds against a drift of which nothing but its slope is known; the bounds reach as far as it is
# probable.
AGAINST_DRIFT = 20.0
# A straight line that falls ends at this part of its level.
LOWEST = 0.05
# Seconds of an epoch that a sensor which is read once a second may get wrong.
SENSOR_S = 0.12

# Student's t, 95th percentile, for 1 to 10 degrees of freedom.
_T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)


def t95(freedom: int) -> float:
    """Student's t, 95th percentile; above 10 degrees of freedom by Cornish and Fisher's series."""
    if freedom <= 10:
        return _T95[freedom - 1]
    z = 1.645
    return z + (z**3 + z) / (4 * freedom)


@dataclass(frozen=True, slots=True)
class Rate:
    """Per unit of progress: the value and its 90 % interval."""

    value: float
    low: float
    high: float


class LaterEpochs:
    """The epochs after the first one, what each candidate forecast of them, and the rest."""

    def __init__(self) -> None:
        self._x: Array = np.zeros(0)
        # Of the forecasts of all epochs but the first here, shape (n - 1, `COUNT`).
        self._errors: Array = np.zeros((0, COUNT))
        # Times in a row that each candidate was better than the level.
        self._better: Array = np.zeros(COUNT)

    def __len__(self) -> int:
        return len(self._x)

    def add(self, value: float) -> None:
        """The next epoch, J or s."""
        if len(self._x):
            errors = value - next_epoch(self._x)
            sizes = np.abs(errors)
            # Sums of the same numbers differ in their last digits.
            better = sizes < sizes[LEVEL] * (1 - 1e-9)
            self._better = np.where(better, self._better + 1, 0)
            self._errors = np.vstack([self._errors, errors])[-RECENT:]
        self._x = np.append(self._x, value)[-RECENT:]

    @property
    def usual(self) -> float:
        """Their level."""
        return level(self._x)

    def weights(self) -> Array:
        """Of the candidates; their sum is 1."""
        prior = np.where(able(len(self._x)) & (self._better >= IN_A_ROW), PRIOR, 0.0)
        prior[LEVEL] = 1.0
        sums = np.abs(self._errors).sum(axis=0) + RESOLVED * self._x.sum() + 1e-300
        evidence = len(self._errors) * np.log(sums[LEVEL] / sums)
        weights = prior * np.exp(evidence - evidence[prior > 0].max())
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def rate(self, remaining: float, first: float, seconds: float = math.inf) -> Rate:
        """The rate of the remaining epochs.

        Args:
            remaining: progress to come, in epochs.
            first: of the first epoch, J or s.
            seconds: duration of a usual epoch, where a sensor's period makes values uncertain.
        """
        x, n = self._x, len(self._x)
        weights = self.weights()
        heard = np.flatnonzero(weights > IN_VALUE)
        forecasts = np.array([forecast(x, int(i), remaining) for i in heard])
        weights = weights[heard] / weights[heard].sum()
        value = float(weights @ forecasts)
        unit = value * SENSOR_S / max(1.0, seconds) + value * RESOLVED
        near = forecasts[weights > IN_BOUNDS].tolist()
        low, high = min(value, *near), max(value, *near)
        if n == 1:
            distance = 0.0 if first > value * (1 + START_UP) else abs(first - value)
            noise = math.hypot(UNSEEN * value, unit, ONE * min(distance, ONE_LIMIT * value))
            # The second epoch may be the odd one, and the first, which is smaller, the usual one.
            low = min(low, first)
        else:
            best = int(heard[np.argmax(weights)])
            noise, odd = self._noise(best, remaining, unit)
            low, high = low + min(0.0, odd), high + max(0.0, odd)
        far = math.log1p(remaining / n)
        below, above = math.hypot(noise, DOWN * far * value), math.hypot(noise, UP * far * value)
        if n >= DRIFT_SEEN:
            reached = drifts(x, remaining, value)
            low, high = min(low, *reached), max(high, *reached)
        return Rate(value, min(value, max(0.0, low - below)), max(value, high + above))

    def _noise(self, candidate: int, remaining: float, unit: float) -> tuple[float, float]:
        """Half of the interval that noise makes; what one odd error adds if its like comes again.

        An error of a forecast from m epochs includes that of their mean.
        """
        n, errors = len(self._x), self._errors[:, candidate]
        usual = without_odd(errors)
        seen = np.arange(n - len(errors), n)
        size = float(np.abs(usual / np.sqrt(1 + 1 / seen)).mean())
        mean_of = 1 / epochs_behind(candidate, n) + 1 / max(1.0, remaining)
        noise = NOISE * t95(len(errors)) * max(size, unit) * math.sqrt(mean_of)
        return noise, float((errors - usual).sum()) / n


def drifts(x: Array, remaining: float, value: float) -> tuple[float, float]:
    """How far a drift may go on, as far as it is probable: along a straight line, and compounding.

    Its odds are those of a straight line against a constant with Gauss's noise, the prior against.

    Args:
        x: epochs in order, shape (n,), n >= `DRIFT_SEEN`.
        remaining: epochs to come.
        value: their mean without a drift.
    """
    n = len(x)
    rise, middle = slope(x)
    residuals = without_odd(x - middle * (1 + rise * (np.arange(n) - (n - 1) / 2)))
    variance = float((residuals**2).sum()) / (n - 2) + (RESOLVED * middle) ** 2
    error = math.sqrt(variance / n) * 2 / (n - n // 2)
    if middle <= 0:
        return value, value
    square = (rise * middle / error) ** 2
    odds = math.exp(min(700.0, n / 2 * math.log1p(square / (n - 2)))) / AGAINST_DRIFT
    probable = odds / (1 + odds)
    line = middle * max(LOWEST, 1 + rise * (n + remaining) / 2)
    compound = drift(x, remaining, ENDLESS)
    return value + probable * (line - value), value + probable * (compound - value)
