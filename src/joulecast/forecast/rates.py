"""The rate of what is still to come (joules or seconds per unit of progress) from what was seen.

Two sources. Whole epochs, once a second one is finished: their level, found on the longest recent
stretch without a change of level. And before that the stretches within the first epoch, or of a run
of which only a fraction is known: their rate after the warm-up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LIFT = 0.03
"""Rise of the later level per unit of ln(1 + remaining / seen).

What has not been seen yet is, on average, dearer: evaluations and checkpoints that are yet to come,
layers that are yet to be unfrozen, a device that warms up. A change is as likely between 1 and 10 %
of a run as between 10 and 100 %, hence the logarithm.
"""
LIFT_HIGH = 0.075
LIFT_LOW = -0.012
"""95th and 5th percentile of the same."""
NOISE = 0.01
"""Relative deviation of an epoch taken for granted before deviations are seen, ..."""
NOISE_S = 0.3
"""... plus that of a sensor read once a second: this many seconds over the epoch's duration."""
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


def steady(x: Array) -> int:
    """How many of the last values share one level.

    The window grows while the values it would take in agree with those it has, within their noise
    (the rule of intersecting confidence intervals, Goldenshluger and Nemirovski 1997). Noise is the
    mean step between neighbours, as on a control chart (mean moving range / 1.128), which a change
    of level hardly moves and a regular alternation does.
    """
    window, older = 3, 2
    while window + older <= len(x):
        both, new = x[-window - older :], x[-window:]
        noise = float(np.abs(np.diff(both)).mean()) / 1.128
        level = float(np.median(new))
        gap = abs(float(np.median(both[:older])) - level)
        if gap > 3 * noise * math.sqrt(1 / older + 1 / window) + 0.01 * abs(level):
            return window
        window, older = window + older, window
    return len(x)


def level(x: Array) -> tuple[float, float]:
    """Mean and standard deviation of one level, a single outlier counted half.

    An epoch much longer than the others may recur (a checkpoint) or not (a hiccup); seen once, it
    is taken to recur half as often as it was seen.
    """
    mean = float(x.mean())
    deviation = float(x.std(ddof=1)) if len(x) > 1 else 0.0
    if len(x) >= 3:
        middle = float(np.median(x))
        largest = float(x.max())
        others = np.delete(x, int(x.argmax()))
        spread = float(np.abs(others - middle).mean())
        if largest > middle + max(6 * spread, 0.2 * middle):
            mean -= (largest - middle) / (2 * len(x))
    return mean, deviation


def later_epochs(x: Array, durations: Array, remaining: float) -> Rate:
    """The rate of the epochs to come from those after the first (`x`, at least one)."""
    window = steady(x)
    recent = x[-window:]
    mean, deviation = level(recent)
    seen = len(x) + 1
    # Deviation of one epoch: what was seen, shrunk to what is usual while little was seen.
    usual = mean * (NOISE + NOISE_S / max(1.0, float(np.median(durations))))
    freedom = NOISE_WEIGHT + window - 1
    variance = (NOISE_WEIGHT * usual**2 + (window - 1) * deviation**2) / freedom
    spread = t95(freedom) * math.sqrt(variance * (1 / window + 1 / max(1.0, remaining)))
    far = math.log1p(remaining / seen)
    value = mean * math.exp(LIFT * far)
    below = math.hypot(spread, mean * (LIFT - LIFT_LOW) * far)
    above = math.hypot(spread, mean * (LIFT_HIGH - LIFT) * far)
    return Rate(value, max(0.0, value - below), value + above)


# --- within the first epoch, or where only a fraction of the run is known ------------------------

QUANTILE = 0.9
"""Quantile of the recent power that the rest of a run is near to, while little of it was seen: the
device is not yet as busy as it will be, but has shown in its peaks what it draws when it is."""
SEEN = 0.15
"""Fraction of the run after which the mean of the recent power is as good as that quantile."""


def later_stretches(
    progress: Array, duration: Array, energy: Array, fraction: float
) -> tuple[Rate, Rate, int]:
    """Rates of duration and energy of the rest of the run, and how many stretches were warm-up.

    `fraction` of the run was seen. The stretches are in order and of some progress each.
    """
    pace = duration / progress
    start = warm_up(pace)
    p, t, e = progress[start:], duration[start:], energy[start:]
    time = float(t.sum() / p.sum())
    half = len(p) // 2
    power = np.divide(e, t, out=np.zeros_like(e), where=t > 0)[half:]
    weight = min(1.0, fraction / SEEN)
    mean = float(e[half:].sum() / t[half:].sum()) if t[half:].sum() > 0 else 0.0
    peak = float(np.quantile(power, QUANTILE))
    watts = weight * mean + (1 - weight) * peak
    joules = watts * time if t[half:].sum() > 0 else float(e.sum() / p.sum())
    n = len(p)
    noise = float(pace[start:].std()) / math.sqrt(n) if n > 1 else time
    left = 1 - min(1.0, fraction)
    doubt = left * (0.03 + 0.04 * math.log(1 / max(fraction, 1e-6)))
    below, above = time * doubt, time * doubt
    quick = Rate(
        time, max(0.0, time - math.hypot(below, 1.7 * noise)), time + math.hypot(above, 1.7 * noise)
    )
    return quick, Rate(joules, joules * math.exp(-1.2 * doubt), joules * math.exp(doubt)), start


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
    usual = float(np.median(later))
    limit = max(float(np.quantile(later, 0.9)), 1.25 * usual)
    fast = np.flatnonzero(pace[:half] <= limit)
    return int(fast[0]) if len(fast) else half
