"""The rate of the epochs to come (joules or seconds per epoch) from those that are finished."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Habits:
    """What is taken for granted of the epochs of a run (benchmarks/fit_online.py chose the values).

    Attributes:
        lift: rise of the later level per unit of ln(1 + remaining / seen). What has not been seen
            yet is, on average, dearer: evaluations and checkpoints yet to come, layers yet to be
            unfrozen, a device that warms up. A change is as likely between 1 and 10 % of a run as
            between 10 and 100 %, hence the logarithm.
        most_lift: and no more than this.
        up, down: the same for the bounds of the 90 % interval: up from the value, down from the
            level that was seen.
        alike: ln(first / later) at which the first epoch counts e^-1/2 of a later one. A first
            epoch much longer than the others is start-up; one that is a little longer may as well
            be noise, or an evaluation that will come again.
        noise: relative deviation of an epoch before deviations are seen, ...
        noise_s: ... plus that of a sensor read once a second: so many seconds over the duration.
    """

    lift: float = 0.01
    most_lift: float = 0.03
    up: float = 0.0375
    down: float = 0.005
    alike: float = 0.25
    noise: float = 0.0015
    noise_s: float = 0.12


HABITS = Habits()
DURATION_HABITS = replace(HABITS, up=0.045)
"""Starting up takes time at little power: a first epoch stands out more by its duration, so it is
counted in less, and a later rise is left to the interval."""
NOISE_WEIGHT = 2.0
"""The deviation taken for granted counts like this many epochs."""

_T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)
"""Student's t, 95th percentile, for 1 to 10 degrees of freedom."""


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
    """As numpy's, several times as fast on few values."""
    x = np.sort(x)
    return float(x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def steady(x: Array) -> int:
    """How many of the last values share one level.

    The window grows while the values it would take in agree with those it has, within their noise
    (the rule of intersecting confidence intervals, Goldenshluger and Nemirovski 1997). Noise is the
    mean step between neighbors, as on a control chart (mean moving range / 1.128), which a change
    of level hardly moves and a regular alternation does.
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
    """Between the median of a few values and the mean of many.

    A value far off the others is noise or a hiccup while it was seen once, and a habit of the run
    (an evaluation every n epochs) when it is seen often: then the mean is what it costs. A single
    one beyond all measure (the machine slept) counts no more than three times the next largest.
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
    """The rate of the epochs to come from the first one and those after it (`x`, at least one).

    `seconds` is the duration of a usual epoch; `seen` and `remaining` are progress, in epochs.
    """
    window = steady(x)
    recent = x[-window:]
    usual = level(recent)
    mean = usual
    ratio = first / usual if usual > 0 else 0.0
    if window == len(x) and 0 < ratio < math.inf:
        # With one later epoch there is no majority: then the first is taken for the odd one.
        weight = math.exp(-0.5 * (math.log(ratio) / habits.alike) ** 2)
        weight *= (len(x) - 1) / len(x)
        mean = (usual * window + first * weight) / (window + weight)
    # Deviation of one epoch: what was seen, shrunk to what is usual while little was seen.
    freedom = NOISE_WEIGHT + window - 1
    granted = usual * (habits.noise + habits.noise_s / max(1.0, seconds))
    squares = NOISE_WEIGHT * granted**2 + float(((recent - recent.mean()) ** 2).sum())
    spread = t95(freedom) * math.sqrt(squares / freedom * (1 / window + 1 / max(1.0, remaining)))
    far = math.log1p(remaining / seen)
    value = mean * math.exp(min(habits.most_lift, habits.lift * far))
    # Downwards from the level that was seen: the rise is only expected. Upwards from the value.
    below = math.hypot(spread, usual * habits.down * far)
    above = math.hypot(spread, mean * habits.up * far)
    return Rate(value, min(value, max(0.0, usual - below)), value + above)
