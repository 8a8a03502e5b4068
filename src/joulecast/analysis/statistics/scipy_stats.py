"""scipy, imported when a statistic is asked for."""

from __future__ import annotations

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
    """No warnings: what is undefined comes out as not-a-number, and is told with its reason."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def finite(value: float) -> float | None:
    """A float as JSON may hold it: None for what is not finite."""
    number = float(value)
    return number if abs(number) < float("inf") else None
