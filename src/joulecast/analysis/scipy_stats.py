"""scipy, imported when a statistic is asked for."""

from __future__ import annotations

from typing import Any

from ..errors import MissingExtraError


def scipy_stats() -> Any:
    """The module `scipy.stats`. Raises `MissingExtraError` where it is not installed."""
    try:
        from scipy import stats
    except ImportError:
        raise MissingExtraError("the statistics of runs", "analysis") from None
    return stats


def finite(value: float) -> float | None:
    """A float as JSON may hold it: None for what is not finite."""
    number = float(value)
    return number if abs(number) < float("inf") else None
