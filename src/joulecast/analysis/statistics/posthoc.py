"""Which groups differ: each pair, with p adjusted for how many there are."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from .groups import Group
from .scipy_stats import finite, quiet, scipy_stats

PairPs = dict[tuple[int, int], float | None]
"""p by the places of the two groups, the first before the second; None where undefined."""


def dunn(groups: Sequence[Group]) -> PairPs:
    """p of each pair after Kruskal-Wallis, unadjusted (Dunn 1964, ties corrected).

    Mean ranks over all groups, compared by the normal distribution.
    """
    stats = scipy_stats()
    pooled = np.concatenate([g.values for g in groups])
    total = len(pooled)
    ranks = stats.rankdata(pooled)
    _, ties = np.unique(pooled, return_counts=True)
    pairs = list(combinations(range(len(groups)), 2))
    if len(ties) == 1:
        # All values are the same: the variance of their ranks is zero up to rounding.
        return dict.fromkeys(pairs)
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (12 * (total - 1))
    variance = total * (total + 1) / 12 - tied
    ends = np.cumsum([g.n for g in groups])
    means = [float(part.mean()) for part in np.split(ranks, ends[:-1])]
    p_values: PairPs = {}
    for i, j in pairs:
        error = np.sqrt(variance * (1 / groups[i].n + 1 / groups[j].n))
        p_values[i, j] = finite(2 * stats.norm.sf(abs(means[i] - means[j]) / error))
    return p_values


def games_howell(groups: Sequence[Group]) -> PairPs:
    """p of each pair after Welch's ANOVA, adjusted (Games and Howell 1976).

    By the studentized range of as many groups as there are; undefined for a pair with a group of
    one value, or of which neither varies. `scipy.stats.tukey_hsd(equal_var=False)` gives the same
    figures, but computes both halves of the matrix (24 s instead of 14 s for 50 groups) and raises
    for a group of one value.
    """
    means = np.array([np.mean(g.values) for g in groups])
    sizes = np.array([g.n for g in groups])
    i, j = np.triu_indices(len(groups), 1)
    with quiet():
        errors = np.array([_squared_error(g) for g in groups])
        a, b = errors[i], errors[j]
        q = np.abs(means[i] - means[j]) / np.sqrt((a + b) / 2)
        df = (a + b) ** 2 / (a**2 / (sizes[i] - 1) + b**2 / (sizes[j] - 1))
        p = np.clip(scipy_stats().studentized_range.sf(q, len(groups), df), 0.0, 1.0)
    return dict(zip(zip(i.tolist(), j.tolist(), strict=True), map(finite, p), strict=True))


def _squared_error(group: Group) -> float:
    """Squared standard error of the mean: 0 of a constant, NaN of one value."""
    if group.n > 1 and group.constant:
        return 0.0
    return float(np.var(group.values, ddof=1)) / group.n


def holm(p_values: PairPs) -> PairPs:
    """Adjusted for the number of pairs that have a p (Holm 1979)."""
    ascending = sorted((p, pair) for pair, p in p_values.items() if p is not None)
    adjusted: PairPs = dict.fromkeys(p_values)
    highest = 0.0
    for done, (p, pair) in enumerate(ascending):
        highest = max(highest, min(1.0, p * (len(ascending) - done)))
        adjusted[pair] = highest
    return adjusted
