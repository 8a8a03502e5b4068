"""The trend of a figure over time: the median of all slopes, and its interval."""

import math
from dataclasses import dataclass

import numpy as np

from ...estimate import Z90
from ..table.columns import Array

MIN_POINTS = 8
"""Points below which the normal limit of Kendall's S, and so the interval, is not reliable."""

# Above so many points, means of segments are used instead: 200 have 19,900 pairs.
_MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with its 90 % interval."""

    value: float
    low: float
    high: float


def segment_means(values: Array, count: int) -> Array:
    """Means of `count` segments of about equal length, shape (count,); `values` are not fewer."""
    edges = np.linspace(0, len(values), count + 1).astype(int)
    means: Array = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    return means


def theil_sen(x: Array, y: Array) -> Slope | None:
    """The median of the slopes of all pairs (Theil 1950), with the interval of Sen 1968.

    None of fewer than 8 points. Neither assumes a distribution, and outliers change both little.

    Args:
        x: increasing, shape (n,).
        y: shape (n,), finite.
    """
    n = len(x)
    if n < MIN_POINTS:
        return None
    if n > _MAX_POINTS:
        x, y = segment_means(x, _MAX_POINTS), segment_means(y, _MAX_POINTS)
        n = _MAX_POINTS
    i, j = np.triu_indices(n, 1)
    apart = x[j] > x[i]
    slopes = np.sort((y[j] - y[i])[apart] / (x[j] - x[i])[apart])
    half = Z90 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, math.floor((len(slopes) - half) / 2) - 1)
    high = min(len(slopes) - 1, math.ceil((len(slopes) + half) / 2))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
