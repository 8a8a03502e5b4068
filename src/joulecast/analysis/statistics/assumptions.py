"""Whether values are normal and spread alike: what a test of groups may assume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .groups import Group, peak
from .scipy_stats import finite, quiet, scipy_stats

MOST_SHAPIRO = 5000
"""Values up to which the p of Shapiro-Wilk is calibrated (Royston 1995, AS R94)."""

_SEED = 0  # of the sample of a larger group: the same values give the same answer


@dataclass(frozen=True, slots=True)
class Normality:
    """Shapiro-Wilk of one group. `normal` is None, with a `reason`, where it cannot be tested.

    `tested` values of `n` were looked at: a random sample where there are more than 5,000.
    """

    group: str
    n: int
    tested: int
    statistic: float | None
    p: float | None
    normal: bool | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EqualSpread:
    """Levene's test around the medians (Brown and Forsythe 1974) of all groups."""

    statistic: float | None
    p: float | None
    equal: bool | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "statistic": self.statistic,
            "p": self.p,
            "equal": self.equal,
            "center": "median",
            "reason": self.reason,
        }


def shapiro(group: Group, alpha: float) -> Normality:
    """Whether the values of a group look normal (Shapiro and Wilk 1965), at level `alpha`.

    Of more than 5,000 values a random sample of 5,000 is tested, always the same one: any larger
    set of measurements fails, for departures that matter to nobody.
    """
    if group.n < 3:
        reason = f"{values(group.n)}: Shapiro-Wilk needs three"
        return Normality(group.name, group.n, 0, None, None, None, reason)
    if group.constant:
        reason = "all values are the same"
        return Normality(group.name, group.n, 0, None, None, None, reason)
    stats = scipy_stats()
    scaled = group.values / peak([group])
    if group.n > MOST_SHAPIRO:
        chosen = np.random.default_rng(_SEED).choice(group.n, MOST_SHAPIRO, replace=False)
        scaled = scaled[chosen]
        if np.ptp(scaled) == 0:
            reason = f"all of a sample of {MOST_SHAPIRO:,} values are the same"
            return Normality(group.name, group.n, MOST_SHAPIRO, None, None, None, reason)
    # A tiny spread around a large mean is precise enough once the mean is taken off.
    with quiet():
        found = stats.shapiro(scaled - np.median(scaled))
    statistic, p = finite(found.statistic), finite(found.pvalue)
    if statistic is None or p is None:
        reason = "the values differ by too little for the test"
        return Normality(group.name, group.n, len(scaled), None, None, None, reason)
    return Normality(group.name, group.n, len(scaled), statistic, p, p >= alpha)


def levene(groups: Sequence[Group], alpha: float) -> EqualSpread:
    """Whether groups, none of them empty, are spread alike, at level `alpha`."""
    if len(groups) < 2:
        there = "one" if groups else "none"
        return EqualSpread(None, None, None, f"it compares groups, and there is {there}")
    scale = peak(groups)
    scaled = [g.values / scale for g in groups]
    deviations = [np.abs(v - np.median(v)) for v in scaled]
    if max(float(np.ptp(d)) for d in deviations) <= 1e-12:
        # Of one value each, of two, of constants: Levene's own denominator is zero.
        if all(g.n == 1 for g in groups):
            reason = "one value in each group has no spread"
        elif all(g.constant for g in groups):
            reason = "no group has any spread"
        else:
            reason = "within each group all values are equally far from the median"
        return EqualSpread(None, None, None, reason)
    with quiet():
        found = scipy_stats().levene(*scaled, center="median")
    statistic, p = finite(found.statistic), finite(found.pvalue)
    if statistic is None or p is None:
        return EqualSpread(None, None, None, "the values are too few")
    return EqualSpread(statistic, p, p >= alpha)


def values(n: int) -> str:
    """`1 value`, `2 values`."""
    return f"{n:,} value{'s' * (n != 1)}"
