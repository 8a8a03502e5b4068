"""Whether values are normal and their variances equal: what a test of groups may assume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...units import counted
from .groups import Group
from .scipy_stats import finite, quiet, scipy_stats

MAX_SHAPIRO = 5000
"""Values up to which the p of Shapiro-Wilk is calibrated (Royston 1995, AS R94)."""

# Seed of the sample of a larger group, so that the same values give the same answer.
_SEED = 0
# Distances from the median that differ by less, in shares of the largest value, are equal.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Normality:
    """Shapiro-Wilk of one group. `normal` is None, with a `reason`, where it cannot be tested.

    `tested` of the `n` values were used: a random sample where there are more than 5,000.
    """

    group: str
    n: int
    tested: int
    statistic: float | None
    p: float | None
    normal: bool | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EqualSpread:
    """Levene's test around the medians (Brown and Forsythe 1974) of all groups."""

    statistic: float | None
    p: float | None
    equal: bool | None
    reason: str | None = None


def shapiro(group: Group, alpha: float) -> Normality:
    """Whether the values of a group pass as normal (Shapiro and Wilk 1965), at level `alpha`.

    Of more than 5,000 values a random sample of 5,000 is tested, always the same one, because any
    larger set of measurements fails for departures without practical meaning.
    """
    values = group.values
    if group.n > MAX_SHAPIRO:
        sample = np.random.default_rng(_SEED).choice(group.n, MAX_SHAPIRO, replace=False)
        values = values[sample]
    if group.n < 3:
        return _untested(group, 0, f"{counted(group.n, 'value')}: Shapiro-Wilk needs three")
    if group.constant:
        return _untested(group, 0, "all values are the same")
    if np.ptp(values) == 0:
        reason = f"all of a sample of {MAX_SHAPIRO:,} values are the same"
        return _untested(group, MAX_SHAPIRO, reason)
    # The statistic depends on neither location nor scale. Without them scipy also tests a tiny
    # spread around a large mean precisely.
    centered = values - np.median(values)
    with quiet():
        result = scipy_stats().shapiro(centered / np.max(np.abs(centered)))
    statistic, p = finite(result.statistic), finite(result.pvalue)
    if statistic is None or p is None:
        return _untested(group, len(values), "the values differ by too little for the test")
    return Normality(group.name, group.n, len(values), statistic, p, p >= alpha)


def _untested(group: Group, tested: int, reason: str) -> Normality:
    return Normality(group.name, group.n, tested, None, None, None, reason)


def levene(groups: Sequence[Group], alpha: float) -> EqualSpread:
    """Whether groups, none of them empty, have equal variances, at level `alpha`."""
    reason = _why_no_levene(groups)
    if reason is not None:
        return EqualSpread(None, None, None, reason)
    with quiet():
        result = scipy_stats().levene(*(g.values for g in groups), center="median")
    statistic, p = finite(result.statistic), finite(result.pvalue)
    if statistic is None or p is None:
        return EqualSpread(None, None, None, "the values are too few")
    return EqualSpread(statistic, p, p >= alpha)


def _why_no_levene(groups: Sequence[Group]) -> str | None:
    if len(groups) < 2:
        return f"it compares groups, and there is {'one' if groups else 'none'}"
    largest = max(float(np.max(np.abs(g.values))) for g in groups)
    ranges = [float(np.ptp(np.abs(g.values - np.median(g.values)))) for g in groups]
    if max(ranges) > _ROUNDING * largest:
        return None
    # No group's distances from its median vary: the denominator of Levene's statistic is zero.
    if max(g.n for g in groups) == 1:
        return "one value in each group has no spread"
    if all(g.constant for g in groups):
        return "no group has any spread"
    return "within each group all values are equally far from the median"
