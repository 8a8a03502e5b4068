"""Whether two columns rise together: Spearman's rank correlation, of all rows and of each group."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...errors import UsageError
from ...estimate import Z90
from ...result import Result
from ...units import counted
from ..table.columns import Array
from ..table.load import Source, Where, load_table
from ..table.quantities import quantities
from .groups import split
from .scipy_stats import finite, scipy_stats

MAX_EXACT = 8
"""Pairs up to which p counts all orders (8! = 40,320)."""

_MIN_FOR_INTERVAL = 10


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rho of `n` pairs with its 90 % interval; None, with a `reason`, if undefined.

    `missing` rows lack one of the two values. `group` is None of all rows together.
    """

    group: str | None
    n: int
    missing: int
    rho: float | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Correlations(Result):
    """Two columns of a table against each other: overall, and within each group of `by`."""

    SCHEMA: ClassVar[str] = "joulecast/correlation/1"
    table: str
    x: str
    y: str
    by: str | None
    overall: Correlation
    groups: tuple[Correlation, ...]
    unlabeled: int
    notes: tuple[str, ...]


def correlate(
    source: Source,
    x: str,
    y: str,
    by: str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    where: Where | None = None,
    ledger: str | Path | None = None,
) -> Correlations:
    """Spearman's rank correlation of two numeric columns, and within each group of `by`.

    Args:
        source: a CSV file, columns by name, or recorded runs, as `load_table` takes them.
        x: one column.
        y: the other.
        by: a column in each of whose groups the correlation is computed too.
        tags: tags that recorded runs must have.
        where: only rows with these values, by column.
        ledger: where the recorded runs are; default: that of the user.

    Returns:
        rho (-1 to 1) with its 90 % interval and two-sided p, of all rows and of each group.

    Raises:
        BadInputError: a column is missing or not numeric, or `by` has too many labels.
        MissingExtraError: scipy is not installed.
        UsageError: the two columns are the same.

    Examples:
        >>> runs = {"batch": [8, 16, 32, 64], "energy_j": [9.0, 7.0, 6.0, 5.5]}
        >>> joulecast.correlate(runs, "batch", "energy_j").overall.rho
        -1.0
    """
    if x == y:
        raise UsageError(f"{x} with itself: name two columns")
    table = load_table(source, tags=tags, where=where, ledger=ledger)
    xs, ys = quantities(table, x)[0], quantities(table, y)[0]
    overall = _correlation(None, xs, ys)
    groups: list[Correlation] = []
    unlabeled = 0
    if by is not None:
        parts, unlabeled = split(table, xs, by)
        labels = np.array(table.levels(by), dtype=object)
        groups = [_correlation(g.name, xs[labels == g.name], ys[labels == g.name]) for g in parts]
    notes = (*table.notes, *_notes(overall, groups, by))
    return Correlations(table.name, x, y, by, overall, tuple(groups), unlabeled, notes)


def spearman(x: Array, y: Array) -> tuple[float, float]:
    """Spearman's rho (ties get mean ranks) and its two-sided p.

    p counts all orders up to 8 pairs; of more it is Student's t, but never less than the chance
    of the two extreme orders. Both arrays have shape (n,), n of 3 or more, and vary.
    """
    stats = scipy_stats()
    a, b = (_standardized(stats.rankdata(v)) for v in (x, y))
    rho = float(a @ b)
    if abs(rho) > 1 - 1e-12:
        # Only rounding keeps it from 1.
        rho = math.copysign(1.0, rho)
    n = len(a)
    if n <= MAX_EXACT:
        orders = a[np.array(list(permutations(range(n))))] @ b
        return rho, float(np.mean(np.abs(orders) >= abs(rho) - 1e-12))
    t = abs(rho) * math.sqrt((n - 2) / max(1e-300, 1 - rho**2))
    log_p_of_extremes = math.log(2.0) - math.lgamma(n + 1)
    if abs(rho) == 1:
        # Orders that differ only within ties are as extreme.
        _, ties = np.unique(x, return_counts=True)
        log_p_of_extremes += sum(math.lgamma(count + 1) for count in ties.tolist())
    p = max(float(2 * stats.t.sf(t, n - 2)), math.exp(min(0.0, log_p_of_extremes)))
    return rho, min(1.0, p)


def _correlation(group: str | None, x: Array, y: Array) -> Correlation:
    complete = ~(np.isnan(x) | np.isnan(y))
    x, y = x[complete], y[complete]
    n, missing = len(x), int(np.sum(~complete))
    if n < 3:
        reason = f"{counted(n, 'value')} of both: it needs three"
        return Correlation(group, n, missing, reason=reason)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        reason = "one of the two is the same in all rows"
        return Correlation(group, n, missing, reason=reason)
    rho, p = spearman(x, y)
    low, high = _interval(rho, n)
    return Correlation(group, n, missing, rho, finite(p), low, high)


def _interval(rho: float, n: int) -> tuple[float | None, float | None]:
    """90 %, by Fisher's z with the variance of Bonett and Wright 2000; None of fewer than 10."""
    if n < _MIN_FOR_INTERVAL or abs(rho) == 1:
        return None, None
    half = Z90 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    z = math.atanh(rho)
    return math.tanh(z - half), math.tanh(z + half)


def _standardized(ranks: Array) -> Array:
    centered: Array = ranks - ranks.mean()
    return centered / math.sqrt(float(centered @ centered))


def _notes(overall: Correlation, groups: list[Correlation], by: str | None) -> list[str]:
    signs = [np.sign(g.rho) for g in groups if g.rho is not None]
    if overall.rho is None or len(signs) < 2:
        return []
    if len(set(signs)) == 1 and signs[0] not in (0, np.sign(overall.rho)):
        return [f"within each {by} the sign differs from that of all rows: read the groups"]
    return []
