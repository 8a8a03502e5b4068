"""The rate of the epochs to come (J or s per epoch) from the finished ones."""

import math
from dataclasses import dataclass, replace

import numpy as np

from ...recording.model import Array


@dataclass(frozen=True, slots=True)
class Habits:
    """What is assumed of the epochs of a run; `benchmarks/fit_online.py` chose the values.

    Attributes:
        lift: rise of the later level per unit of ln(1 + remaining / seen). What was not seen yet
            uses more energy on average: evaluations and checkpoints to come, layers that are
            unfrozen later, a device that warms up. A change is as likely between 1 and 10 % of a
            run as between 10 and 100 %, hence the logarithm.
        max_lift: upper limit of that rise.
        up: the same for the upper bound of the 90 % interval, from the value.
        down: the same for the lower bound, from the level that was seen.
        alike: ln(first / later) at which the first epoch has the weight e^-1/2 of a later one. A
            first epoch that is much longer than the others is start-up; one that is a little
            longer may be noise, or an evaluation that will come again.
        noise: relative deviation of an epoch before deviations are seen.
        noise_s: further deviation, from a sensor that is read once a second: so many seconds
            divided by the duration of an epoch.
    """

    lift: float = 0.01
    max_lift: float = 0.03
    up: float = 0.0375
    down: float = 0.005
    alike: float = 0.25
    noise: float = 0.0015
    noise_s: float = 0.12


HABITS = Habits()
# Start-up takes time at low power, so the duration of a first epoch differs more than its energy,
# and a later rise is left to the interval.
DURATION_HABITS = replace(HABITS, up=0.045)
# The assumed deviation has the weight of so many epochs.
NOISE_WEIGHT = 2.0

# Student's t, 95th percentile, for 1 to 10 degrees of freedom.
_T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)


def t95(freedom: float) -> float:
    """Student's t, 95th percentile; above 10 degrees of freedom by Cornish and Fisher's series."""
    if freedom <= 10:
        return _T95[max(0, math.ceil(freedom) - 1)]
    z = 1.645
    return z + (z**3 + z) / (4 * freedom)


@dataclass(frozen=True, slots=True)
class Rate:
    """Per unit of progress: the value and its 90 % interval."""

    value: float
    low: float
    high: float


def median(x: Array) -> float:
    """The median, several times as fast as numpy's on few values."""
    x = np.sort(x)
    return float(x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def steady(x: Array) -> int:
    """How many of the last values share one level.

    The window grows while the next older values agree with those in it within their noise (the
    rule of intersecting confidence intervals, Goldenshluger and Nemirovski 1997). Noise is the mean
    moving range / 1.128, as on a control chart: a change of level hardly moves it, a regular
    alternation does.
    """
    window, older = 3, 2
    while window + older <= len(x):
        both, new = x[-window - older :], x[-window:]
        noise = float(np.abs(np.diff(both)).mean()) / 1.128
        level = median(new)
        gap = abs(median(both[:older]) - level)
        if gap > 3 * noise * math.sqrt(1 / older + 1 / window) + 0.01 * abs(level):
            return window
        window, older = window + older, window
    return len(x)


def level(x: Array) -> float:
    """The level of epochs: near the median of a few values, near the mean of many.

    A value far from the others is noise where it was seen once, and part of the run (an evaluation
    every n epochs) where it is seen often: then the mean is right. A single extreme one (the
    machine slept) counts at most three times the next largest.
    """
    middle = median(x)
    if len(x) > 2:
        x = np.minimum(x, 3 * max(middle, float(np.partition(x, -2)[-2])))
    return middle + (float(x.mean()) - middle) * len(x) / (len(x) + 10)


def later_epochs(
    first: float,
    x: Array,
    seconds: float,
    seen: float,
    remaining: float,
    habits: Habits = HABITS,
) -> Rate:
    """The rate of the epochs to come.

    Args:
        first: of the first epoch, J or s.
        x: of the epochs after it, in order, shape (n,), n >= 1.
        seconds: duration of a usual epoch, s.
        seen: progress so far, in epochs.
        remaining: progress to come, in epochs.
        habits: what is assumed of epochs.
    """
    window = steady(x)
    recent = x[-window:]
    usual = level(recent)
    mean = usual
    ratio = first / usual if usual > 0 else 0.0
    if window == len(x) and 0 < ratio < math.inf:
        # With one later epoch there is no majority: then the first is treated as the odd one.
        weight = math.exp(-0.5 * (math.log(ratio) / habits.alike) ** 2)
        weight *= (len(x) - 1) / len(x)
        mean = (usual * window + first * weight) / (window + weight)
    # Deviation of one epoch: what was seen, near the assumed one while little was seen.
    freedom = NOISE_WEIGHT + window - 1
    assumed = usual * (habits.noise + habits.noise_s / max(1.0, seconds))
    squares = NOISE_WEIGHT * assumed**2 + float(((recent - recent.mean()) ** 2).sum())
    spread = t95(freedom) * math.sqrt(squares / freedom * (1 / window + 1 / max(1.0, remaining)))
    far = math.log1p(remaining / seen)
    value = mean * math.exp(min(habits.max_lift, habits.lift * far))
    # Down from the level that was seen, because the rise is only expected; up from the value.
    below = math.hypot(spread, usual * habits.down * far)
    above = math.hypot(spread, mean * habits.up * far)
    return Rate(value, min(value, max(0.0, usual - below)), value + above)
