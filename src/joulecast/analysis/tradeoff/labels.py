"""An energy label, A to G, for each configuration within the range of its own study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LABELS = "ABCDEFG"

MIN_RANGE = 1.01
"""Highest / lowest cost below which labels would separate configurations that cost the same."""


@dataclass(frozen=True, slots=True)
class LabelRange:
    """A label, and the costs that it stands for."""

    label: str
    low: float
    high: float


def label_ranges(costs: Sequence[float]) -> list[LabelRange] | None:
    """The costs of each label, A (lowest) to G; None where `why_no_labels` has a reason.

    Equal steps of the logarithm: the upper bound of each label is the same multiple of its lower
    bound, `(highest / lowest) ** (1 / 7)`.

    Args:
        costs: of the study's configurations, positive.
    """
    if why_no_labels(costs) is not None:
        return None
    low, high = math.log(min(costs)), math.log(max(costs))
    steps = len(LABELS)
    inner = [math.exp(low + (high - low) * i / steps) for i in range(1, steps)]
    bounds = [min(costs), *inner, max(costs)]
    return [LabelRange(*x) for x in zip(LABELS, bounds, bounds[1:], strict=False)]


def label(cost: float, ranges: Sequence[LabelRange]) -> str:
    """The label of a cost; one on a bound has the better label."""
    return next((r.label for r in ranges if cost <= r.high), LABELS[-1])


def why_no_labels(costs: Sequence[float]) -> str | None:
    """Why there are no labels, or None where there are."""
    if len(costs) < 2:
        return "there is only one configuration"
    if max(costs) < MIN_RANGE * min(costs):
        return "all configurations cost the same, within 1 %"
    return None
