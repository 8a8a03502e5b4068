"""scipy, imported when a statistic is asked for.

scipy computes every distribution and the tests of Shapiro and Wilk, Levene, Kruskal and Wallis,
and Welch. The rest is written here, a few lines each, because statsmodels (sums of squares of two
factors, Holm) and scikit-posthocs (Dunn) take 2 to 3 s to import, build a design matrix of every
run, and return NaN or raise for groups of one value or of equal values. Both are development
dependencies: tests compare these figures with theirs.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import MissingExtraError


def scipy_stats() -> Any:
    """The module `scipy.stats`. Raises `MissingExtraError` where it is not installed."""
    try:
        from scipy import stats
    except ImportError:
        raise MissingExtraError("the statistics of runs", "analysis") from None
    return stats


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: an undefined result is not-a-number, and is reported with its reason."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def finite(value: float) -> float | None:
    """A float as JSON can represent it: None where it is not finite."""
    number = float(value)
    return number if abs(number) < float("inf") else None
