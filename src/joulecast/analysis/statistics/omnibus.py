"""Whether several groups differ at all: Kruskal-Wallis, and Welch's ANOVA."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...units import counted
from .effect_sizes import EffectSize, eta_squared, omega_squared
from .groups import Group
from .scipy_stats import finite, quiet, scipy_stats
from .wording import some

KRUSKAL, WELCH = "kruskal-wallis", "welch-anova"


@dataclass(frozen=True, slots=True)
class Omnibus:
    """One test of all groups. `p` is None, with a `reason`, where it is undefined."""

    name: str
    statistic: float | None = None
    df: tuple[float, ...] = ()
    p: float | None = None
    effect: EffectSize | None = None
    reason: str | None = None


def kruskal_wallis(groups: Sequence[Group]) -> Omnibus:
    """Whether values of some groups tend to be larger (Kruskal and Wallis 1952, ties corrected).

    p is that of the chi-squared distribution. Of two groups it is the Mann-Whitney test without
    correction for continuity. Effect: eta squared, from H.
    """
    reason = _too_little(groups)
    pooled = np.concatenate([g.values for g in groups]) if groups else np.zeros(0)
    if reason is None and bool(np.all(pooled == pooled[0])):
        reason = "all values of all groups are the same"
    if reason is not None:
        return Omnibus(KRUSKAL, reason=reason)
    with quiet():
        result = scipy_stats().kruskal(*(g.values for g in groups))
    h, p = finite(result.statistic), finite(result.pvalue)
    if h is None or p is None:
        return Omnibus(KRUSKAL, reason="it is undefined for these values")
    k = len(groups)
    return Omnibus(KRUSKAL, h, (float(k - 1),), p, eta_squared(h, k, len(pooled)))


def welch_anova(groups: Sequence[Group]) -> Omnibus:
    """Whether the means of groups differ, whatever their variances (Welch 1951).

    Of two groups it is Welch's t test. Effect: omega squared, from F.
    """
    reason = _too_little(groups) or _without_variance(groups)
    if reason is not None:
        return Omnibus(WELCH, reason=reason)
    with quiet():
        result = scipy_stats().f_oneway(*(g.values for g in groups), equal_var=False)
        df = (float(len(groups) - 1), _df_within(groups))
    f, p = finite(result.statistic), finite(result.pvalue)
    if f is None or p is None or finite(df[1]) is None:
        return Omnibus(WELCH, reason="it is undefined for these values")
    return Omnibus(WELCH, f, df, p, omega_squared(f, df[0], sum(g.n for g in groups)))


def _df_within(groups: Sequence[Group]) -> float:
    """Degrees of freedom of the denominator of Welch's F, which scipy does not return."""
    k = len(groups)
    sizes = np.array([g.n for g in groups], dtype=np.float64)
    weights = sizes / np.array([np.var(g.values, ddof=1) for g in groups])
    unequal = np.sum((1 - weights / weights.sum()) ** 2 / (sizes - 1))
    return float((k**2 - 1) / (3 * unequal))


def _too_little(groups: Sequence[Group]) -> str | None:
    if not groups:
        return "no group has a value"
    if len(groups) == 1:
        name, n = some([groups[0].name]), counted(groups[0].n, "value")
        return f"there is one group, {name} ({n}): nothing to compare it with"
    if all(g.n == 1 for g in groups):
        return "there is one value in each group: the variation of repetitions is unknown"
    return None


def _without_variance(groups: Sequence[Group]) -> str | None:
    single = [g.name for g in groups if g.n < 2]
    if single:
        return f"{_have(single)} one value, and a variance needs two"
    constant = [g.name for g in groups if g.constant]
    if constant:
        return f"{_have(constant)} no variance: all values are the same"
    return None


def _have(names: Sequence[str]) -> str:
    return f"{some(names)} {'has' if len(names) == 1 else 'have'}"
