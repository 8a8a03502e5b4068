"""Medians over repetitions, and how sure they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ...units import Z90

LEAST = 5
"""Values from which a median has a 90 % interval: of 4, even their range covers only 87.5 %."""

_EXACT = 500
"""Values up to which the binomial is summed exactly; from there its normal limit differs by
less than one rank."""


@dataclass(frozen=True, slots=True)
class Median:
    """A median with its 90 % interval; `why_no_interval` says why there is none."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def why_no_interval(self) -> str | None:
        """Why `low` and `high` are None, or None."""
        if self.low is not None:
            return None
        if self.n == 1:
            return "one repetition: its scatter is unknown"
        return f"{self.n} repetitions: a 90 % interval of a median needs {LEAST}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "median": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "why_no_interval": self.why_no_interval,
        }

    def scaled(self, factor: float) -> Median:
        """The same in another unit; `factor` is positive."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Median(self.value * factor, low, high, self.n)


def median(values: npt.NDArray[np.float64]) -> Median:
    """The median of finite values, at least one, and two order statistics around it.

    The interval holds the median of any continuous distribution with 90 % or more.
    """
    ordered = np.sort(values)
    n = len(ordered)
    value = float(np.median(ordered))
    depth = median_rank(n)
    if depth == 0:
        return Median(value, None, None, n)
    return Median(value, float(ordered[depth - 1]), float(ordered[n - depth]), n)


@lru_cache(maxsize=1024)
def median_rank(n: int) -> int:
    """The rank k (from 1) of the bounds of a 90 % interval of the median; 0 where there is none.

    `[x(k), x(n + 1 - k)]` with the largest k for which at most 5 % of samples lie wholly on either
    side of the median (W. J. Conover, Practical Nonparametric Statistics, section 3.2).
    """
    if n > _EXACT:
        return math.floor((n - Z90 * math.sqrt(n)) / 2)
    below, k = 1, 0  # samples, of 2 ** n, with fewer than k + 1 values under the median
    while below * 20 <= 2**n:
        k += 1
        below += math.comb(n, k)
    return k
