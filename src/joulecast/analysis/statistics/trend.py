"""How a figure drifts with time: the median of all slopes, and its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...units import Z90
from ..table.columns import Array

LEAST = 8
"""Points below which the normal limit of Kendall's S, and so the interval, is not to be trusted."""

MOST = 200
"""Points above which means of stretches stand for them: their pairs are 19,900."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with its 90 % interval."""

    value: float
    low: float
    high: float


def stretch_means(values: Array, count: int) -> Array:
    """Means of `count` stretches of about equal length, shape (count,), of no fewer values."""
    edges = np.linspace(0, len(values), count + 1).astype(int)
    means: Array = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    return means


def theil_sen(x: Array, y: Array) -> Slope | None:
    """The median of the slopes of all pairs (Theil 1950), with the interval of Sen 1968.

    None of fewer than 8 points. Neither needs a distribution, and an outlier moves neither far.

    Args:
        x: rising, shape (n,).
        y: of each, shape (n,), finite.
    """
    n = len(x)
    if n < LEAST:
        return None
    if n > MOST:
        x, y = stretch_means(x, MOST), stretch_means(y, MOST)
        n = MOST
    i, j = np.triu_indices(n, 1)
    apart = x[j] > x[i]
    slopes = np.sort((y[j] - y[i])[apart] / (x[j] - x[i])[apart])
    half = Z90 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, math.floor((len(slopes) - half) / 2) - 1)
    high = min(len(slopes) - 1, math.ceil((len(slopes) + half) / 2))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
