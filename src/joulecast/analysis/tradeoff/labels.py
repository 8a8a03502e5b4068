"""An energy label, A to G, of each configuration against the range of its own study."""

from __future__ import annotations

import math
from collections.abc import Sequence

LABELS = "ABCDEFG"

LEAST_RANGE = 1.01
"""Dearest over cheapest below which labels would tell apart what is the same."""


def label_bounds(costs: Sequence[float]) -> list[float] | None:
    """The eight costs between which the labels lie, cheapest to dearest, or None.

    Equal steps of the logarithm: each label's upper bound is the same multiple of its lower one,
    `(dearest / cheapest) ** (1 / 7)`. None where there is no range: one configuration, or all
    within 1 % of each other.

    Args:
        costs: of the study's configurations, positive.
    """
    if len(costs) < 2 or max(costs) < LEAST_RANGE * min(costs):
        return None
    low, high = math.log(min(costs)), math.log(max(costs))
    steps = len(LABELS)
    inner = [math.exp(low + (high - low) * i / steps) for i in range(1, steps)]
    return [min(costs), *inner, max(costs)]


def label(cost: float, bounds: Sequence[float]) -> str:
    """The label of a cost; one on a bound takes the better label."""
    return next((x for x, upper in zip(LABELS, bounds[1:], strict=True) if cost <= upper), "G")


def why_no_labels(costs: Sequence[float]) -> str | None:
    """Why `label_bounds` is None, or None where it is not."""
    if label_bounds(costs) is not None:
        return None
    if len(costs) < 2:
        return "one configuration: there is no range to set it against"
    return "all configurations cost the same, within 1 %"
