"""Two configurations against each other: what the cheaper one saves, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...units import one_line
from ..statistics.medians import Median
from ..table.column_units import Unit
from ..table.columns import Array

MOST_PAIRED = 40
"""Configurations up to which each is set against each: 780 pairs."""

_INTERVAL = (5.0, 95.0)  # percentiles of the bootstrap


@dataclass(frozen=True, slots=True)
class QualityScale:
    """How differences in quality are told.

    Attributes:
        name: of the quality, for people.
        points: told in points (hundredths): accuracy, F1, anything from 0 to 1, or percentages.
        factor: from the quality's own unit to the one told.
        maximize: whether more is better.
    """

    name: str
    points: bool
    factor: float
    maximize: bool

    @classmethod
    def of(cls, name: str, unit: Unit, quality: Array, maximize: bool) -> QualityScale:
        """That of a column: by its unit, or by the range of its medians."""
        if unit.name == "%":
            return cls(name, True, 1.0, maximize)
        share = maximize and float(quality.min()) >= 0 and float(quality.max()) <= 1
        return cls(name, share, 100.0 if share else 1.0, maximize)

    def text(self, size: float) -> str:
        """A positive difference (own unit): `0.8 points of F1`, `0.031 of loss`."""
        told = size * self.factor
        if self.points:
            digits = 1 if told >= 0.095 else 2 if told >= 0.0095 else 3
            return f"{told:.{digits}f} points of {self.name}"
        return f"{told:.3g} of {self.name}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 90 % interval; without one where repetitions are too few."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Plain JSON types."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class ConfigurationPair:
    """The cheaper of two configurations against the dearer one.

    Attributes:
        cheaper: its name; of two that cost the same, either.
        dearer: the other's.
        reduction_pct: of cost, by the medians.
        loss: of quality, in its own unit; negative: the cheaper is better too.
        sentence: `mobilenet saves 64 % for 0.8 points of F1 against vgg16`.
    """

    cheaper: str
    dearer: str
    reduction_pct: Interval
    loss: Interval
    why_no_interval: str | None
    sentence: str

    def to_json(self, scale: QualityScale) -> dict[str, Any]:
        """Plain JSON types."""
        f = scale.factor
        told = {k: None if v is None else v * f for k, v in self.loss.to_json().items()}
        return {
            "cheaper": self.cheaper,
            "dearer": self.dearer,
            "cost_reduction_pct": self.reduction_pct.to_json(),
            "quality_loss": self.loss.to_json(),
            "quality_loss_points": told if scale.points else None,
            "why_no_interval": self.why_no_interval,
            "sentence": self.sentence,
        }


Side = tuple[str, Median, Median, int]
"""Name, cost, quality, and column of the drawn medians."""


def pair_of(
    a: Side, b: Side, scale: QualityScale, drawn: tuple[Array, Array] | None
) -> ConfigurationPair:
    """`a`, which costs no more, against `b`.

    Intervals are percentiles of the bootstrap (5 to 95 %), of configurations that both have five
    repetitions; `drawn` holds the medians of cost and quality, shape (draws, configurations).
    """
    sign = 1.0 if scale.maximize else -1.0
    reduction = (1 - a[1].value / b[1].value) * 100
    loss = sign * (b[2].value - a[2].value)
    why = next((m.reason for m in (a[1], b[1]) if m.reason), None)
    if why is None and drawn is None:
        why = "too many configurations to keep what was drawn"
    saved, lost = Interval(reduction), Interval(loss)
    if why is None and drawn is not None:
        cost, quality = drawn
        saved = _interval(reduction, (1 - cost[:, a[3]] / cost[:, b[3]]) * 100)
        lost = _interval(loss, sign * (quality[:, b[3]] - quality[:, a[3]]))
    sentence = _sentence(one_line(a[0]), one_line(b[0]), reduction, loss, scale)
    return ConfigurationPair(a[0], b[0], saved, lost, why, sentence)


def _interval(value: float, draws: Array) -> Interval:
    low, high = np.percentile(draws, _INTERVAL)
    return Interval(value, min(float(low), value), max(float(high), value))


def percent(value: float) -> str:
    """A percentage (already times 100) as people read it: `64 %`, `3.2 %`, `99.4 %`."""
    fine = abs(value) < 9.95 or 99 < value < 100
    return f"{round(value, 1):g} %" if fine else f"{value:.0f} %"


def _sentence(a: str, b: str, reduction: float, loss: float, scale: QualityScale) -> str:
    costs_less = reduction >= 0.05
    saves = f"{a} saves {percent(reduction)}" if costs_less else f"{a} costs the same"
    if loss == 0:
        return f"{saves} {'at' if costs_less else 'and has'} the same {scale.name} against {b}"
    amount = scale.text(abs(loss))
    if loss < 0:
        gains = f"gains {amount}" if scale.maximize else f"has {amount} less"
        return f"{saves} and {gains} against {b}"
    if costs_less:
        return f"{saves} for {amount}{'' if scale.maximize else ' more'} against {b}"
    return f"{saves} and {'lacks' if scale.maximize else 'adds'} {amount} against {b}"
