"""Two configurations compared: how much cost one saves, and how much quality it loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...column_units import unit_of
from ...units import one_line
from ..statistics.medians import Median
from ..table.columns import Array

MAX_PAIRED = 40
"""Configurations up to which each is compared with each: 780 pairs."""

# Percentiles of the bootstrap that bound a 90 % interval.
_INTERVAL = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class QualityColumn:
    """The measure of quality, and how differences in it are written.

    Attributes:
        column: its name.
        maximize: whether more is better.
        in_points: whether differences are written in points (hundredths): accuracy, F1, anything
            from 0 to 1, or percentages.
        points_factor: from the column's own unit to the one written.
    """

    column: str
    maximize: bool
    in_points: bool
    points_factor: float

    @classmethod
    def of(cls, column: str, quality: Array, maximize: bool) -> QualityColumn:
        """The measure in a column, by the column's unit, or by the range of its medians."""
        if unit_of(column).name == "%":
            return cls(column, maximize, True, 1.0)
        fraction = maximize and float(quality.min()) >= 0 and float(quality.max()) <= 1
        return cls(column, maximize, fraction, 100.0 if fraction else 1.0)

    def text(self, difference: float) -> str:
        """A positive difference (own unit): `0.8 points of F1`, `0.031 of loss`."""
        written = difference * self.points_factor
        if not self.in_points:
            return f"{written:.3g} of {one_line(self.column)}"
        digits = 1 if written >= 0.095 else 2 if written >= 0.0095 else 3
        return f"{written:.{digits}f} points of {one_line(self.column)}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 90 % interval, which is None where repetitions are too few."""

    value: float
    low: float | None = None
    high: float | None = None

    def scaled(self, factor: float) -> Interval:
        """The same in another unit; `factor` is positive."""
        low, high = (None if x is None else x * factor for x in (self.low, self.high))
        return Interval(self.value * factor, low, high)


@dataclass(frozen=True, slots=True)
class ConfigurationPair:
    """Two configurations compared.

    Attributes:
        lower_cost: name of the one that costs less; of two that cost the same, either.
        higher_cost: name of the other.
        cost_reduction_pct: by how much the first costs less than the second, by the medians.
        quality_loss: of the first, in the quality's own unit; negative where it is better.
        quality_loss_points: the same in points; None where quality is not written in points.
        reason: why there are no intervals; None where there are.
        sentence: `mobilenet saves 64 % for 0.8 points of F1 against vgg16`.
    """

    lower_cost: str
    higher_cost: str
    cost_reduction_pct: Interval
    quality_loss: Interval
    quality_loss_points: Interval | None
    reason: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Side:
    """A configuration of a pair; `index` is its column in the bootstrapped medians."""

    name: str
    cost: Median
    quality: Median
    index: int


def pair_of(
    a: Side, b: Side, quality: QualityColumn, bootstrapped: tuple[Array, Array] | None
) -> ConfigurationPair:
    """`a`, which costs no more, compared with `b`.

    Intervals are percentiles of the bootstrap (5 to 95 %), where both have five repetitions.

    Args:
        a: one configuration.
        b: the other.
        quality: how quality is written.
        bootstrapped: medians of cost and of quality, each of shape (draws, configurations).
    """
    sign = 1.0 if quality.maximize else -1.0
    reduction = Interval((1 - a.cost.value / b.cost.value) * 100)
    loss = Interval(sign * (b.quality.value - a.quality.value))
    reason = a.cost.reason or b.cost.reason
    if reason is None and bootstrapped is None:
        reason = "too many configurations for a bootstrap of their differences"
    if reason is None and bootstrapped is not None:
        costs, qualities = bootstrapped
        reduction = _interval(reduction.value, (1 - costs[:, a.index] / costs[:, b.index]) * 100)
        loss = _interval(loss.value, sign * (qualities[:, b.index] - qualities[:, a.index]))
    return ConfigurationPair(
        a.name,
        b.name,
        reduction,
        loss,
        loss.scaled(quality.points_factor) if quality.in_points else None,
        reason,
        _sentence(one_line(a.name), one_line(b.name), reduction.value, loss.value, quality),
    )


def _interval(value: float, draws: Array) -> Interval:
    low, high = np.percentile(draws, _INTERVAL)
    return Interval(value, min(float(low), value), max(float(high), value))


def percent(value: float) -> str:
    """A percentage (already times 100) for people: `64 %`, `3.2 %`, `99.4 %`."""
    fine = abs(value) < 9.95 or 99 < value < 100
    return f"{round(value, 1):g} %" if fine else f"{value:.0f} %"


def _sentence(a: str, b: str, reduction: float, loss: float, quality: QualityColumn) -> str:
    costs_less = reduction >= 0.05
    saves = f"{a} saves {percent(reduction)}" if costs_less else f"{a} costs the same"
    if loss == 0:
        name = one_line(quality.column)
        return f"{saves} {'at' if costs_less else 'and has'} the same {name} against {b}"
    amount = quality.text(abs(loss))
    if loss < 0:
        gains = f"gains {amount}" if quality.maximize else f"has {amount} less"
        return f"{saves} and {gains} against {b}"
    if costs_less:
        return f"{saves} for {amount}{'' if quality.maximize else ' more'} against {b}"
    return f"{saves} and {'lacks' if quality.maximize else 'adds'} {amount} against {b}"
