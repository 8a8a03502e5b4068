"""Medians over repetitions, with their intervals."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ...estimate import Z90

MIN_FOR_INTERVAL = 5
"""Values from which a median has a 90 % interval: the range of 4 values covers only 87.5 %."""

# Up to so many values the binomial distribution is summed exactly; its normal limit then differs
# by less than one rank.
_EXACT = 500


@dataclass(frozen=True, slots=True)
class Median:
    """A median of `n` values with its 90 % interval; None, with a `reason`, where there is none."""

    value: float
    low: float | None
    high: float | None
    n: int
    reason: str | None = None


def median(values: npt.NDArray[np.float64]) -> Median:
    """The median of finite values, at least one, and two order statistics around it.

    The interval covers the median of any continuous distribution in 90 % of samples or more.
    """
    ordered = np.sort(values)
    n = len(ordered)
    value = float(np.median(ordered))
    depth = median_rank(n)
    if depth:
        return Median(value, float(ordered[depth - 1]), float(ordered[n - depth]), n)
    if n == 1:
        reason = "one repetition: its variation is unknown"
    else:
        reason = f"{n} repetitions: a 90 % interval of a median needs {MIN_FOR_INTERVAL}"
    return Median(value, None, None, n, reason)


@lru_cache(maxsize=1024)
def median_rank(n: int) -> int:
    """The rank k (from 1) of the bounds of a 90 % interval of the median; 0 where there is none.

    `[x(k), x(n + 1 - k)]` with the largest k for which at most 5 % of samples lie wholly on either
    side of the median (W. J. Conover, Practical Nonparametric Statistics, section 3.2).
    """
    if n > _EXACT:
        return math.floor((n - Z90 * math.sqrt(n)) / 2)
    # Of 2 ** n samples, those with fewer than k + 1 values below the median.
    below, k = 1, 0
    while below * 20 <= 2**n:
        k += 1
        below += math.comb(n, k)
    return k
