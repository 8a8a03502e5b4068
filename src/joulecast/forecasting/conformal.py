"""Intervals from held-out error: how far forecasts were from measurements not used in the fit.

A forecast's error is taken as the logarithm of measured over forecast. The 90 % quantile of its
size on held-out architectures or devices, with the correction for their number, is the half width
of an interval that covers nine of ten new cases, if they resemble the held-out ones (split
conformal prediction; J. Lei et al., doi:10.1080/01621459.2017.1307116). What is unlike
them gets a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .base import Prediction

LEVEL = 0.9


def grouped_half_width(groups: Sequence[Sequence[float]]) -> float:
    """The quantile of the sizes of errors that covers a new one with probability `LEVEL`.

    Errors come in groups that share their cause (of one each, where they do not): of n groups of
    one it is the `ceil((n + 1) * LEVEL)`-th smallest. Each group has the same weight, so that one
    machine's thousand runs count no more than another's ten. The new group has the weight of each
    other: that covers `LEVEL` of the errors of a new group (Lee, Barber and
    Willett, arXiv 2306.06342). With fewer groups than that needs (nine, for nine tenths) there is
    no such bound; it is the quantile of those there are, which covers somewhat less.
    Raises `ValueError` without any.
    """
    kept = [group for group in groups if group]
    if not kept:
        raise ValueError("no held-out errors")
    weighed = sorted((abs(s), 1 / len(group)) for group in kept for s in group)
    wanted, seen = LEVEL * (len(kept) + 1), 0.0
    if wanted > len(kept) + 1e-9:
        wanted = LEVEL * len(kept)
    for score, weight in weighed:
        seen += weight
        if seen >= wanted - 1e-9:
            return score
    return weighed[-1][0]


@dataclass(frozen=True, slots=True)
class Spread:
    """An interval of a factor `exp(half)` to both sides."""

    half: float

    def around(self, value: float) -> Prediction:
        """The prediction with its interval."""
        factor = math.exp(self.half)
        return Prediction(value, value / factor, value * factor)

    def widened(self, factor: float) -> Spread:
        """The interval of something unlike what the errors come from (factor 1 or more)."""
        return Spread(self.half * factor)
