"""What the charts of a study's page have in common: names, axes, single runs, the legend.

Every text of a user is escaped, and cut where it would leave no room for the chart.
"""

import math
from typing import Any

import numpy as np

from ...analysis.table.columns import Array
from ...study.findings.findings import Findings
from .downsample import thin
from .figures import escape, rounded, scatter
from .study_scales import AxisScale, ScaleKind
from .study_styles import PALE, StudyStyles

MAX_POINTS = 3000
"""Runs drawn one by one; of more, evenly chosen ones."""
MAX_NAME = 26
"""Letters of a name in a chart."""


def short(text: str, limit: int = MAX_NAME) -> str:
    """A name as a chart shows it: escaped, and cut in the middle, where names differ the least."""
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[: limit - 1 - half]}…{text[len(text) - half :]}"
    return escape(text)


def axis(scale: AxisScale, **more: Any) -> dict[str, Any]:
    """A scale as an axis of plotly."""
    drawn: dict[str, Any] = {"title": {"text": escape(scale.title)}} | more
    logarithmic = scale.kind is not ScaleKind.LINEAR
    if logarithmic:
        drawn["type"] = "log"
    if scale.ticks:
        drawn |= {
            "tickmode": "array",
            "tickvals": [place for place, _ in scale.ticks],
            "ticktext": [text for _, text in scale.ticks],
        }
    if scale.first is not None and scale.last is not None:
        ends = (scale.first, scale.last)
        drawn["range"] = [math.log10(end) if logarithmic else end for end in ends]
    return drawn


def run_points(
    findings: Findings, style: StudyStyles, x: Array, y: Array, size: int = 5
) -> list[dict[str, Any]]:
    """The single runs at their places, a trace for each configuration."""
    data = []
    total = sum(len(g.rows) for g in findings.configurations)
    for group in findings.configurations:
        rows = np.array(group.rows, np.intp)
        rows = rows[~(np.isnan(x[rows]) | np.isnan(y[rows]))]
        if total > MAX_POINTS:
            rows = rows[thin(len(rows), max(2, MAX_POINTS * len(rows) // total))]
        # The median of a single run is the run itself.
        if len(rows) < 2:
            continue
        mark = style.by_group[group.name]
        marker = {"size": size, "color": mark.color, "opacity": PALE, "symbol": mark.shape}
        runs = scatter(rounded(x[rows]), rounded(y[rows]), marker=marker, hoverinfo="skip")
        data.append(runs | {"name": escape(group.name), "showlegend": False, "meta": "runs"})
    return data


def legend_entries(style: StudyStyles) -> list[dict[str, Any]]:
    """Entries of the legend that explain levels, without points."""
    nowhere = scatter([None], [None], hoverinfo="skip")
    entries = [
        nowhere | {"name": short(level, 18), "marker": {"color": color, "size": 10}}
        for level, color in list(style.colors.items())[:12]
    ]
    entries += [
        nowhere | {"name": short(level, 18), "meta": "soft", "marker": {"symbol": shape, "size": 9}}
        for level, shape in list(style.shapes.items())[:8]
    ]
    return entries
