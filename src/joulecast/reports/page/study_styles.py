"""Colors and shapes of configurations, the same in every plot of a study, on the page and on paper.

A color for each level of the first factor and a shape for each of the second, so that color is not
the only difference. Hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...analysis.table.columns import Array
from ...study.findings.findings import Findings
from ..words.study import level_name

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98", "#a6761d")
"""Okabe and Ito's without yellow and black, which are invisible on one of the backgrounds."""
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
"""Shapes of plotly, and their names in matplotlib."""
SHAPES = tuple(MARKERS)
PALE = 0.4
"""Opacity of single runs on paper; the page has its own."""


@dataclass(frozen=True, slots=True)
class GroupStyle:
    """Color `#rrggbb` and shape (by plotly's name)."""

    color: str
    shape: str


@dataclass(frozen=True, slots=True)
class StudyStyles:
    """Styles of every configuration, and of the levels that a legend explains.

    Attributes:
        by_group: of the configurations.
        colors: by the name of a level of the first factor.
        shapes: of the second; empty where there is none.
    """

    by_group: Mapping[str, GroupStyle]
    colors: Mapping[str, str]
    shapes: Mapping[str, str]


def study_styles(findings: Findings) -> StudyStyles:
    """The styles of the configurations of a study."""
    names = list(findings.factors)
    first = findings.factors[names[0]] if names else ()
    second = findings.factors[names[1]] if len(names) > 1 else ()
    colors = level_colors(first)
    shapes = {level: SHAPES[i % len(SHAPES)] for i, level in enumerate(second)}
    by_group = {
        g.name: GroupStyle(
            colors.get(g.factors[names[0]], COLORS[0]) if names else COLORS[0],
            shapes.get(g.factors[names[1]], SHAPES[0]) if len(names) > 1 else SHAPES[0],
        )
        for g in findings.configurations
    }
    return StudyStyles(
        by_group,
        {level_name(names[0], x): c for x, c in colors.items()},
        {level_name(names[1], x): shape for x, shape in shapes.items()},
    )


def level_colors(levels: Sequence[str]) -> dict[str, str]:
    """A color for each level; the ninth has that of the first."""
    return {level: COLORS[i % len(COLORS)] for i, level in enumerate(levels)}


def jitter(n: int, width: float = 0.5) -> Array:
    """Offsets that spread n points over a width, the same each time, shape (n,).

    The fractional parts of multiples of the golden ratio: even for any n.
    """
    offsets: Array = np.mod(np.arange(1.0, n + 1) * 0.6180339887498949, 1.0) * width - width / 2
    return offsets
