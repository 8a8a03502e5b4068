"""Axes, the same on the page and on paper: linear, logarithmic, near one.

On a linear axis that includes 0.2, accuracies of 0.957 and 0.987 are one point. Where the best are
close to 1 and others are not, an axis shows the logarithm of the distance from 1: the share of
errors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ...analysis.table.columns import Array
from ...study.findings.measures import Measure
from .figures import unit_of

LOG_FROM = 8.0
"""Largest over smallest from which an axis of energy is logarithmic."""
NEAR_ONE_FROM = 4.0
"""Largest over smallest distance of medians from 1, likewise."""
# Margin on either side, as a share of the range.
_MARGIN = 0.06
# Share of the runs that may lie outside of the axis where they are far from the others.
_TAIL = 0.05


class ScaleKind(StrEnum):
    """How values are placed along an axis."""

    LINEAR = "linear"
    LOG = "log"
    # The logarithm of the distance from 1, which grows towards the origin.
    NEAR_ONE = "near one"


@dataclass(frozen=True, slots=True)
class AxisScale:
    """An axis.

    Attributes:
        title: with the unit.
        kind: of the places.
        factor: values are divided by it first.
        ticks: places and their texts; empty: as the drawing program chooses.
        first: place at the origin's end; None: as the drawing program chooses.
        last: place at the other end.
    """

    title: str
    kind: ScaleKind
    factor: float = 1.0
    ticks: tuple[tuple[float, str], ...] = ()
    first: float | None = None
    last: float | None = None

    def place(self, values: Array) -> Array:
        """Where values lie on the axis, before any logarithm."""
        scaled = values / self.factor
        return 1.0 - scaled if self.kind is ScaleKind.NEAR_ONE else scaled

    def at(self, value: float) -> float:
        """Where one value lies."""
        return float(self.place(np.array([value]))[0])

    def outside(self, values: Array) -> int:
        """How many of the finite values lie beyond the ends."""
        if self.first is None or self.last is None:
            return 0
        places = self.place(values[~np.isnan(values)])
        low, high = sorted((self.first, self.last))
        return int(np.sum((places < low) | (places > high)))


def title_of(m: Measure, unit: str | None) -> str:
    """`energy (kJ)`; a name of 300 letters is cut."""
    label = m.label if len(m.label) <= 40 else m.label[:39] + "…"
    return f"{label} ({unit})" if unit else label


def amount_scale(m: Measure, values: Array) -> AxisScale:
    """Of energy, power or other figures: logarithmic where they are positive and far apart."""
    finite = values[~np.isnan(values)]
    largest = float(np.abs(finite).max()) if len(finite) else 0.0
    if m.unit.name in (None, "%", "°C"):
        factor, unit = 1.0, m.unit.name
    else:
        factor, unit = unit_of(largest, m.unit.name or "")
    title = title_of(m, unit)
    smallest = float(finite.min()) if len(finite) else 0.0
    if not (smallest > 0 and largest >= LOG_FROM * smallest):
        return AxisScale(title, ScaleKind.LINEAR, factor)
    low, high = smallest / factor / 1.15, largest / factor * 1.15
    ticks = tuple((t, f"{t:g}") for t in _decades(low, high))
    return AxisScale(title, ScaleKind.LOG, factor, ticks, low, high)


def _decades(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade between two places; of many decades, 1 alone."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [s * 10.0**k for k in range(first, last + 1) for s in steps]
    return [t for t in ticks if low <= t <= high]


def quality_scale(m: Measure, values: Array, medians: Sequence[float], maximize: bool) -> AxisScale:
    """Of a metric of correctness: near one where that separates the medians, else linear.

    All medians are on it; up to 5 % of the runs, which are far from the others, are not.
    """
    finite = values[~np.isnan(values)]
    best, worst = max(medians), min(medians)
    share = maximize and float(finite.min()) >= 0 and float(finite.max()) < 1
    if share and (1 - worst) >= NEAR_ONE_FROM * (1 - best):
        return _near_one(m, finite, worst)
    low, high = _reach(finite, worst, best)
    margin = (high - low) * _MARGIN or abs(high) * 0.05 or 1.0
    return AxisScale(
        title_of(m, m.unit.name), ScaleKind.LINEAR, 1.0, (), low - margin, high + margin
    )


def _reach(finite: Array, worst: float, best: float) -> tuple[float, float]:
    """The range of the runs, without tails that are longer than the rest."""
    whole = (float(finite.min()), float(finite.max()))
    low, high = (float(q) for q in np.quantile(finite, (_TAIL / 2, 1 - _TAIL / 2)))
    low, high = min(low, worst), max(high, best)
    if whole[1] - whole[0] <= 2 * (high - low):
        return whole
    return low, high


def _near_one(m: Measure, finite: Array, worst: float) -> AxisScale:
    away = 1.0 - finite
    far = max(1.0 - worst, float(np.quantile(away, 1 - _TAIL)))
    first, last = min(far * 1.25, 1.1), float(away.min()) / 1.25
    ticks = []
    for decade in range(8):
        for step in (1.0, 0.5, 0.2):
            place = step * 10.0**-decade
            if last <= place <= first:
                ticks.append((place, f"{1 - place:.9g}"))
    return AxisScale(title_of(m, None), ScaleKind.NEAR_ONE, 1.0, tuple(ticks), first, last)
