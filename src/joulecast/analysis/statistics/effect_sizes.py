"""How large a difference is, apart from whether there is one."""

import math
from dataclasses import dataclass

import numpy as np

from ...estimate import Z90
from ..table.columns import Array

MIN_FOR_INTERVAL = 5
"""Values of each group below which the interval of Cliff's delta is not reliable."""

CLIFF = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
"""Words of sizes of Cliff's delta, and the value below which each holds."""
_VARIANCE = ((0.01, "negligible"), (0.06, "small"), (0.14, "medium"))


@dataclass(frozen=True, slots=True)
class EffectSize:
    """An effect size and its word, with the 90 % interval of Cliff's delta.

    `value` is None, with a `reason`, where it is undefined.
    """

    name: str
    value: float | None
    word: str | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def cliffs_delta(a: Array, b: Array) -> EffectSize:
    """Cliff's delta: P(b > a) - P(b < a) for a random value of each group.

    From -1 (all of `b` are smaller) over 0 to 1 (all are larger). In n log n steps. The words are
    those of Romano et al. 2006 (0.147, 0.33, 0.474). The 90 % interval is the asymmetric one of
    Feng and Cliff 2004 (J. of Modern Applied Statistical Methods 3(2)) from the unbiased variance;
    of groups that do not overlap, theirs for that case. On normal samples of 5 to 30 values it
    covers the true value in 83 to 95 of 100 cases; of fewer than 5 there is none.

    Args:
        a: the reference, shape (m,), finite.
        b: what is compared with it, shape (n,), finite.
    """
    if min(len(a), len(b)) < 2:
        lack = "one value" if len(a) and len(b) else "no values"
        return EffectSize("cliffs-delta", None, None, reason=f"a group has {lack}")
    a, b = np.sort(a), np.sort(b)
    m, n = len(a), len(b)
    a_below_b, a_up_to_b = np.searchsorted(a, b, "left"), np.searchsorted(a, b, "right")
    b_below_a, b_up_to_a = np.searchsorted(b, a, "left"), np.searchsorted(b, a, "right")
    # Smaller less larger values of the other group: of each value of b, and of each of a.
    wins = a_below_b.astype(np.int64) - (m - a_up_to_b)
    losses = (n - b_up_to_a) - b_below_a.astype(np.int64)
    delta = int(wins.sum()) / (m * n)
    untied = int(a_below_b.sum()) + int((m - a_up_to_b).sum())
    low, high = _interval(delta, wins / m, losses / n, untied)
    return EffectSize("cliffs-delta", delta, word(abs(delta), CLIFF), low, high)


def _interval(
    delta: float, rows: Array, columns: Array, untied: int
) -> tuple[float | None, float | None]:
    n, m = len(rows), len(columns)
    smaller = min(m, n)
    if smaller < MIN_FOR_INTERVAL:
        return None, None
    if abs(delta) == 1:
        bound = (smaller - Z90**2) / (smaller + Z90**2)
        return (bound, 1.0) if delta > 0 else (-1.0, -bound)
    cells = untied - m * n * delta**2
    spread = m**2 * float(((rows - delta) ** 2).sum()) + n**2 * float(
        ((columns - delta) ** 2).sum()
    )
    variance = max((spread - cells) / (m * n * (m - 1) * (n - 1)), (1 - delta**2) / (m * n - 1))
    squared = Z90**2 * variance
    half = Z90 * math.sqrt(variance * ((1 - delta**2) ** 2 + squared))
    center, scale = delta - delta**3, 1 - delta**2 + squared
    # By rounding, the bounds of a delta close to 1 may lie on the wrong side of it.
    low = min(delta, max(-1.0, (center - half) / scale))
    return low, max(delta, min(1.0, (center + half) / scale))


def eta_squared(h: float, k: int, n: int) -> EffectSize:
    """Share of the variance of ranks that `k` groups explain, from H of `n` values.

    `(H - k + 1) / (n - k)` (Tomczak and Tomczak 2014), 0 where that is negative; the words are
    Cohen's (0.01, 0.06, 0.14).
    """
    if n <= k:
        return EffectSize("eta-squared", None, None, reason="there is one value in each group")
    value = max(0.0, (h - k + 1) / (n - k))
    return EffectSize("eta-squared", value, word(value, _VARIANCE))


def omega_squared(f: float, df_between: float, n: int) -> EffectSize:
    """Share of the variance that groups explain, from Welch's F of `n` values.

    `df (F - 1) / (df (F - 1) + n)` (Carroll and Nordholm 1975), 0 where that is negative; the words
    are Cohen's (0.01, 0.06, 0.14).
    """
    above = max(0.0, df_between * (f - 1))
    value = above / (above + n)
    return EffectSize("omega-squared", value, word(value, _VARIANCE))


def word(value: float, thresholds: tuple[tuple[float, str], ...]) -> str:
    """The word of the first threshold that `value` is under; `large` over all."""
    return next((text for bound, text in thresholds if value < bound), "large")
