"""Which groups differ: each pair, with p adjusted for how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from .groups import Group, peak
from .scipy_stats import finite, quiet, scipy_stats

_LEAST = 1e-140
"""Squared error, in squares of the largest value, that still has a square itself."""

Pairs = dict[tuple[int, int], float | None]
"""p by the places of the two groups, the first before the second; None where undefined."""


def dunn(groups: Sequence[Group]) -> Pairs:
    """p of each pair after Kruskal-Wallis, unadjusted (Dunn 1964, ties corrected).

    Mean ranks over all groups, compared by the normal distribution.
    """
    stats = scipy_stats()
    pooled = np.concatenate([g.values for g in groups])
    total = len(pooled)
    ranks = stats.rankdata(pooled)
    _, ties = np.unique(pooled, return_counts=True)
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (12 * max(1, total - 1))
    variance = total * (total + 1) / 12 - tied
    ends = np.cumsum([g.n for g in groups])
    means = [float(part.mean()) for part in np.split(ranks, ends[:-1])]
    found: Pairs = {}
    for i, j in combinations(range(len(groups)), 2):
        # All the same: their variance is zero up to rounding.
        if len(ties) == 1:
            found[i, j] = None
            continue
        error = np.sqrt(variance * (1 / groups[i].n + 1 / groups[j].n))
        found[i, j] = finite(2 * stats.norm.sf(abs(means[i] - means[j]) / error))
    return found


def games_howell(groups: Sequence[Group]) -> Pairs:
    """p of each pair after Welch's ANOVA, adjusted (Games and Howell 1976).

    By the studentized range of as many groups as there are; undefined for a pair with a group of
    one value, or of which neither varies.
    """
    stats = scipy_stats()
    pairs = list(combinations(range(len(groups)), 2))
    scale = peak(groups)
    found: Pairs = dict.fromkeys(pairs)
    means = [float(np.mean(g.values / scale)) for g in groups]
    errors = [_squared_error(g, scale) for g in groups]
    defined, q, df = [], [], []
    for i, j in pairs:
        a, b = errors[i], errors[j]
        if a is None or b is None or a + b < _LEAST:
            continue
        defined.append((i, j))
        q.append(abs(means[i] - means[j]) / np.sqrt((a + b) / 2))
        freedom = a**2 / (groups[i].n - 1) + b**2 / (groups[j].n - 1)
        df.append((a + b) ** 2 / freedom)
    if defined:
        with quiet():
            p = stats.studentized_range.sf(np.array(q), len(groups), np.array(df))
        found |= dict(zip(defined, (finite(x) for x in np.clip(p, 0.0, 1.0)), strict=True))
    return found


def _squared_error(group: Group, scale: float) -> float | None:
    """Of the mean; 0 of a constant, None of one value."""
    if group.n < 2:
        return None
    return 0.0 if group.constant else float(np.var(group.values / scale, ddof=1)) / group.n


def holm(found: Pairs) -> Pairs:
    """Adjusted for the number of pairs that have a p (Holm 1979)."""
    known = sorted((p, pair) for pair, p in found.items() if p is not None)
    adjusted: Pairs = dict.fromkeys(found)
    highest = 0.0
    for done, (p, pair) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - done)))
        adjusted[pair] = highest
    return adjusted
