"""Where the middle of some runs lies and how far they spread, without assuming a distribution."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .table import Array

LEAST = 5
"""Values from which the median has a 90 % interval: of 4, even their range covers only 87.5 %."""
_EXACT = 500
"""Values up to which the binomial is summed exactly; from there its normal limit differs by
less than one rank."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Some values in order: the median with its 90 % interval, the quartiles, the range.

    `low` and `high` are None of fewer than `LEAST` values.
    """

    n: int
    median: float
    low: float | None
    high: float | None
    quartile_1: float
    quartile_3: float
    least: float
    most: float

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def spread(values: Array) -> Spread | None:
    """The spread of values of shape (n,), NaN left out; None where nothing is left.

    The interval of the median is that of order statistics: `[x(k), x(n + 1 - k)]` with the
    largest k for which at most 5 % of samples lie wholly on either side, which holds for any
    continuous distribution (W. J. Conover, Practical Nonparametric Statistics, section 3.2).
    Quartiles are interpolated linearly.
    """
    found = np.sort(values[~np.isnan(values)])
    n = len(found)
    if not n:
        return None
    k = median_rank(n)
    low, high = (float(found[k - 1]), float(found[n - k])) if k else (None, None)
    first, median, third = (float(q) for q in np.quantile(found, (0.25, 0.5, 0.75)))
    return Spread(n, median, low, high, first, third, float(found[0]), float(found[-1]))


def median_rank(n: int) -> int:
    """The rank k (from 1) of the bounds of a 90 % interval of the median; 0 where there is none."""
    if n > _EXACT:
        return math.floor((n - 1.6448536 * math.sqrt(n)) / 2)
    below, k = 1, 0  # samples, of 2 ** n, with fewer than k + 1 values under the median
    while below * 20 <= 2**n:
        k += 1
        below += math.comb(n, k)
    return k
