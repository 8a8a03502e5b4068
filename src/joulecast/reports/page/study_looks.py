"""How configurations look in every plot of a study, on the page and on paper.

A color for each level of the first factor and a shape for each of the second: shape and place
tell what color alone would not. Hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...analysis.table.columns import Array
from ...study.findings.findings import Findings
from ..words.study import level_name
from .palette import translucent

COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8a8f98",
    "#a6761d",
)
"""Okabe and Ito's without their yellow and black, which one of the backgrounds swallows."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "cross": "P",
    "star": "*",
    "hexagon": "h",
}
"""The same shapes as matplotlib calls them."""


@dataclass(frozen=True, slots=True)
class Look:
    """Color `#rrggbb` and shape (as plotly calls it)."""

    color: str
    shape: str

    @property
    def pale(self) -> str:
        """The color of single runs."""
        return translucent(self.color, 0.35)


@dataclass(frozen=True, slots=True)
class Looks:
    """Of every configuration, and of the levels that a legend explains."""

    by_group: Mapping[str, Look]
    colors: Mapping[str, str]  # by the name of a level of the first factor
    shapes: Mapping[str, str]  # of the second; empty where there is none


def looks(found: Findings) -> Looks:
    """How the configurations of a study look."""
    names = list(found.factors)
    first = found.factors[names[0]] if names else ()
    second = found.factors[names[1]] if len(names) > 1 else ()
    colors = level_colors(first)
    shapes = {level: SHAPES[i % len(SHAPES)] for i, level in enumerate(second)}
    by_group = {
        g.name: Look(
            colors.get(g.levels[names[0]], COLORS[0]) if names else COLORS[0],
            shapes.get(g.levels[names[1]], SHAPES[0]) if len(names) > 1 else SHAPES[0],
        )
        for g in found.groups
    }
    return Looks(
        by_group,
        {level_name(names[0], x): c for x, c in colors.items()},
        {level_name(names[1], x): shape for x, shape in shapes.items()},
    )


def level_colors(levels: Sequence[str]) -> dict[str, str]:
    """A color for each level; from the ninth on they come again."""
    return {level: COLORS[i % len(COLORS)] for i, level in enumerate(levels)}


@dataclass(frozen=True, slots=True)
class Box:
    """A box plot's five figures: whiskers end at the last value within 1.5 boxes (Tukey 1977)."""

    low: float
    quartile_1: float
    median: float
    quartile_3: float
    high: float


def box(values: Array) -> Box:
    """Of values of shape (n,), at least one, all finite."""
    q1, median, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    low, high = min(q1, float(inside.min())), max(q3, float(inside.max()))
    return Box(low, q1, median, q3, high)


def jitter(n: int, width: float = 0.5) -> Array:
    """Offsets that spread n points over a width, the same each time, shape (n,).

    The fractional parts of multiples of the golden ratio: even for any n.
    """
    offsets: Array = np.mod(np.arange(1.0, n + 1) * 0.6180339887498949, 1.0) * width - width / 2
    return offsets
