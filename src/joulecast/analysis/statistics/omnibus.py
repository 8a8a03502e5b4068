"""Whether several groups differ at all: Kruskal-Wallis, and the ANOVA of Welch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .assumptions import values
from .effect_sizes import EffectSize, eta_squared, omega_squared
from .groups import Group, peak, some
from .scipy_stats import finite, quiet, scipy_stats

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

    def to_json(self) -> dict[str, Any] | None:
        """Plain JSON types; None of a test that is undefined."""
        if self.p is None or self.effect is None:
            return None
        return {
            "name": self.name,
            "statistic": self.statistic,
            "df": list(self.df),
            "p": self.p,
            "effect": self.effect.to_json(),
        }


def kruskal_wallis(groups: Sequence[Group]) -> Omnibus:
    """Whether values of some groups tend to be larger (Kruskal and Wallis 1952, ties corrected).

    p is that of the chi-squared distribution. Of two groups it is the Mann-Whitney test without
    correction for continuity. Effect: eta squared, from H.
    """
    if (why := _too_little(groups)) is not None:
        return Omnibus(KRUSKAL, reason=why)
    pooled = np.concatenate([g.values for g in groups])
    if bool(np.all(pooled == pooled[0])):
        return Omnibus(KRUSKAL, reason="all values of all groups are the same")
    with quiet():
        found = scipy_stats().kruskal(*(g.values for g in groups))
    h, p = finite(found.statistic), finite(found.pvalue)
    if h is None or p is None:
        return Omnibus(KRUSKAL, reason="it is undefined for these values")
    k = len(groups)
    return Omnibus(KRUSKAL, h, (float(k - 1),), p, eta_squared(h, k, len(pooled)))


def welch_anova(groups: Sequence[Group]) -> Omnibus:
    """Whether the means of groups differ, whatever their variances (Welch 1951).

    Of two groups it is Welch's t test. Effect: omega squared, from F.
    """
    if (why := _too_little(groups)) is not None:
        return Omnibus(WELCH, reason=why)
    single = [g.name for g in groups if g.n < 2]
    if single:
        return Omnibus(WELCH, reason=f"{_have(single)} one value, and a variance needs two")
    still = [g.name for g in groups if g.constant]
    if still:
        return Omnibus(WELCH, reason=f"{_have(still)} no variance: all values are the same")
    scale = peak(groups)
    with quiet():
        found = scipy_stats().f_oneway(*(g.values / scale for g in groups), equal_var=False)
        df = (float(len(groups) - 1), _df_within(groups, scale))
    f, p = finite(found.statistic), finite(found.pvalue)
    if f is None or p is None or finite(df[1]) is None:
        return Omnibus(WELCH, reason="it is undefined for these values")
    n, k = sum(g.n for g in groups), len(groups)
    return Omnibus(WELCH, f, df, p, omega_squared(f, k - 1, n))


def _df_within(groups: Sequence[Group], scale: float) -> float:
    """Degrees of freedom of the denominator of Welch's F."""
    k = len(groups)
    sizes = np.array([g.n for g in groups], dtype=np.float64)
    weights = sizes / np.array([np.var(g.values / scale, ddof=1) for g in groups])
    unequal = np.sum((1 - weights / weights.sum()) ** 2 / (sizes - 1))
    return float((k**2 - 1) / (3 * unequal))


def _too_little(groups: Sequence[Group]) -> str | None:
    if not groups:
        return "no group has a value"
    if len(groups) == 1:
        name, n = some([groups[0].name]), values(groups[0].n)
        return f"there is one group, {name} ({n}): nothing to compare it with"
    if all(g.n == 1 for g in groups):
        return "there is one value in each group: nothing tells how much repetitions differ"
    return None


def _have(names: Sequence[str]) -> str:
    return f"{some(names)} {'has' if len(names) == 1 else 'have'}"
