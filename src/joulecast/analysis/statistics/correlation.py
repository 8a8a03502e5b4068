"""Whether two columns rise together: Spearman's rank correlation, of all rows and of each group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from ...errors import UsageError
from ...units import Z90
from ..table.columns import Array, Table
from .assumptions import values
from .groups import split
from .scipy_stats import finite, scipy_stats

SCHEMA = "joulecast/correlation/1"
MOST_EXACT = 8
"""Pairs up to which p counts all orders (8! = 40,320)."""


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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "group": self.group,
            "n": self.n,
            "missing": self.missing,
            "rho": self.rho,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Correlations:
    """Two columns of a table against each other: overall, and within each group of `by`."""

    table: str
    x: str
    y: str
    overall: Correlation
    by: str | None = None
    groups: tuple[Correlation, ...] = ()
    unlabeled: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/correlation/1`."""
        return {
            "schema": SCHEMA,
            "table": self.table,
            "x": self.x,
            "y": self.y,
            "by": self.by,
            "method": "spearman",
            "overall": self.overall.to_json(),
            "groups": [group.to_json() for group in self.groups],
            "unlabeled": self.unlabeled,
            "notes": list(self.notes),
        }


def correlate(table: Table, x: str, y: str, by: str | None = None) -> Correlations:
    """Spearman's rank correlation of two numeric columns, and within each group of `by`.

    Raises:
        BadInputError: a column is missing or holds what is no number, or `by` has more than
            `MOST_GROUPS` labels.
        MissingExtraError: scipy is not installed.
        UsageError: the two columns are one.
    """
    if x == y:
        raise UsageError(f"{x} with itself: name two columns")
    xs, ys = table.numbers(x), table.numbers(y)
    overall = _correlation(None, xs, ys)
    if by is None:
        return Correlations(table.name, x, y, overall)
    names, unlabeled = split(table, x, by)
    labels = np.array(["" if c is None else c for c in table.levels(by)], dtype=object)
    groups = tuple(_correlation(g.name, xs[labels == g.name], ys[labels == g.name]) for g in names)
    return Correlations(
        table.name, x, y, overall, by, groups, unlabeled, _notes(overall, groups, by)
    )


def spearman(x: Array, y: Array) -> tuple[float, float]:
    """Spearman's rho (ties get mean ranks) and its two-sided p.

    p counts all orders up to 8 pairs; of more it is Student's t, but never less than the chance
    of the two extreme orders. Both arrays have shape (n,), n of 3 or more, and vary.
    """
    stats = scipy_stats()
    a, b = (_standard(stats.rankdata(v)) for v in (x, y))
    rho = float(a @ b)
    if abs(rho) > 1 - 1e-12:
        rho = math.copysign(1.0, rho)  # rounding apart
    n = len(a)
    if n <= MOST_EXACT:
        orders = a[np.array(list(permutations(range(n))))] @ b
        return rho, float(np.mean(np.abs(orders) >= abs(rho) - 1e-12))
    t = abs(rho) * math.sqrt((n - 2) / max(1e-300, 1 - rho**2))
    least = math.log(2.0) - math.lgamma(n + 1)
    if abs(rho) == 1:  # orders that differ only within ties are as extreme
        _, ties = np.unique(x, return_counts=True)
        least += sum(math.lgamma(count + 1) for count in ties.tolist())
    return rho, min(1.0, max(float(2 * stats.t.sf(t, n - 2)), math.exp(min(0.0, least))))


def _correlation(group: str | None, x: Array, y: Array) -> Correlation:
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    n, missing = len(x), int(np.sum(~known))
    if n < 3:
        reason = f"{values(n)} of both: it needs three"
        return Correlation(group, n, missing, reason=reason)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        reason = "one of the two is the same in all rows"
        return Correlation(group, n, missing, reason=reason)
    rho, p = spearman(x, y)
    low, high = _interval(rho, n)
    return Correlation(group, n, missing, rho, finite(p), low, high)


def _interval(rho: float, n: int) -> tuple[float | None, float | None]:
    """90 %, by Fisher's z with the variance of Bonett and Wright 2000; None of fewer than 10."""
    if n < 10 or abs(rho) == 1:
        return None, None
    half = Z90 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    z = math.atanh(rho)
    return math.tanh(z - half), math.tanh(z + half)


def _standard(ranks: Array) -> Array:
    centered = ranks - ranks.mean()
    found: Array = centered / math.sqrt(float(centered @ centered))
    return found


def _notes(overall: Correlation, groups: tuple[Correlation, ...], by: str) -> tuple[str, ...]:
    known = [g.rho for g in groups if g.rho is not None]
    if overall.rho is None or len(known) < 2:
        return ()
    rising, falling = all(rho > 0 for rho in known), all(rho < 0 for rho in known)
    if (rising and overall.rho <= 0) or (falling and overall.rho >= 0):
        return (f"within each {by} the sign is another than over all rows: look at the groups",)
    return ()
