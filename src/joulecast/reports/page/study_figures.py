"""The charts of a study's page as plain plotly figures, colored by the page's script like a run's:
boxes, interactions, curves, power. The trade-off has a file of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...analysis.statistics.interaction import Interaction
from ...analysis.statistics.medians import Median
from ...study.findings.findings import Findings
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import Measure, measure
from ..words.study import level_name
from .downsample import thin
from .figures import Figure, rounded, unit_of
from .study_axes import LEGEND, MARGIN, MOST_POINTS, axis, legend_entries, run_points, short
from .study_looks import Box, Look, box, jitter, level_colors, looks
from .study_scales import AxisScale, amount_scale, quality_scale

MOST_BOXES = 40
"""Configurations that have a box; the cheapest."""
MOST_NAMES = 10
"""Curves up to which a legend names each."""
MOST_CURVE_POINTS = 200


# --- boxes ---------------------------------------------------------------------------------------


def shown_groups(found: Findings) -> list[ConfigurationGroup]:
    """Configurations that ran, cheapest first, as many as are drawn."""
    ran = [g for g in found.groups if found.energy.column in g.medians]
    return sorted(ran, key=lambda g: g.medians[found.energy.column].value)[:MOST_BOXES]


def box_scale(found: Findings, m: Measure) -> AxisScale:
    """The axis of the boxes of a measure."""
    values = found.values(m.column)
    if found.quality is not None and m.column == found.quality.column:
        medians = [g.medians[m.column].value for g in found.groups if m.column in g.medians]
        return quality_scale(m, values, medians, found.maximize)
    return amount_scale(m, values)


def box_figure(found: Findings, m: Measure) -> Figure | None:
    """A box of each configuration with its runs as points, the cheapest on top."""
    groups = [g for g in shown_groups(found) if m.column in g.medians]
    if not groups:
        return None
    style = looks(found)
    all_values = found.values(m.column)
    scale = box_scale(found, m)
    most = max(5, MOST_POINTS // len(groups))
    data = []
    for place, group in enumerate(groups):
        values = all_values[group.rows]
        values = scale.place(values[~np.isnan(values)])
        look = style.by_group[group.name]
        five = box(values)
        if len(values) > 1:
            data.append(_box(place, five, look, group.name))
        points = values[thin(len(values), most)] if len(values) > most else values
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": rounded(points),
                "y": [round(float(v), 3) for v in place + jitter(len(points))],
                "marker": {"size": 4, "color": look.pale},
                "hoverinfo": "skip",
            }
        )
    layout = {
        "height": 74 + max(2, len(groups)) * (26 if len(groups) <= 20 else 19),
        "margin": MARGIN | {"l": 20},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": axis(scale),
        "yaxis": {
            "tickmode": "array",
            "tickvals": list(range(len(groups))),
            "ticktext": [short(g.name, 22) for g in groups],
            "range": [len(groups) - 0.4, -0.6],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "tickfont": {"size": 11},
        },
    }
    return {"data": data, "layout": layout}


def _box(place: int, five: Box, look: Look, name: str) -> dict[str, Any]:
    figures = (five.low, five.quartile_1, five.median, five.quartile_3, five.high)
    low, first, median, third, high = ([float(f"{v:.5g}")] for v in figures)
    return {
        "type": "box",
        "orientation": "h",
        "name": short(name),
        "y": [place],
        "lowerfence": low,
        "q1": first,
        "median": median,
        "q3": third,
        "upperfence": high,
        "width": 0.66,
        "line": {"width": 1.3, "color": look.color},
        "fillcolor": "rgba(0,0,0,0)",
        "hoverinfo": "x",
    }


# --- interaction, curves, power ------------------------------------------------------------------


def interaction_figure(found: Findings, act: Interaction) -> Figure:
    """Medians of a measure over the levels of one factor, a line for each level of the other."""
    m = measure(act.value)
    columns = list(found.factors[act.a])
    lines = found.factors[act.b]
    cells = {(c.a, c.b): c.median for c in act.cells}
    scale = amount_scale(m, np.array([c.value for c in cells.values()]))
    colors = level_colors(lines)
    data = []
    for i, level in enumerate(lines):
        there = [(x, cells.get((x, level))) for x in columns]
        points = [(x, c) for x, c in there if c is not None]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": short(level_name(act.b, level), 18),
                "x": [columns.index(x) for x, _ in points],
                "y": [scale.at(c.value) for _, c in points],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [_above(c) / scale.factor for _, c in points],
                    "arrayminus": [_below(c) / scale.factor for _, c in points],
                    "color": colors[level],
                    "thickness": 1.2,
                    "width": 3,
                },
                "line": {"width": 1.6, "color": colors[level]},
                "marker": {"size": 7, "color": colors[level], "symbol": i % 8},
                "hovertext": [f"{short(x)}, {short(level)}: {m.text(c.value)}" for x, c in points],
                "hovertemplate": "%{hovertext}<extra></extra>",
            }
        )
    layout = {
        "height": 340,
        "margin": MARGIN | {"t": 56},
        "hovermode": "closest",
        "legend": LEGEND,
        "xaxis": {
            "title": {"text": short(act.a, 40)},
            "tickmode": "array",
            "tickvals": list(range(len(columns))),
            "ticktext": [short(x, 16) for x in columns],
            "range": [-0.35, len(columns) - 0.65],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": axis(scale, fixedrange=True),
    }
    return {"data": data, "layout": layout}


def _above(m: Median) -> float:
    return 0.0 if m.high is None else m.high - m.value


def _below(m: Median) -> float:
    return 0.0 if m.low is None else m.value - m.low


def curve_figure(found: Findings) -> Figure | None:
    """How the metric of correctness rose with the energy spent, a line for each configuration."""
    drawn = [(run.configuration, run.curve) for run in found.evidence.runs if run.curve]
    if not drawn or found.quality is None:
        return None
    style = looks(found)
    ends = np.array([e for _, c in drawn for e in (c.energy_j[0], c.energy_j[-1])])
    scale = amount_scale(found.energy, ends)
    data = []
    for name, curve in drawn:
        keep = thin(len(curve.value), MOST_CURVE_POINTS)
        look = style.by_group[name]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": short(name),
                "showlegend": len(drawn) <= MOST_NAMES,
                "x": rounded(scale.place(np.array(curve.energy_j)[keep])),
                "y": rounded(np.array(curve.value)[keep]),
                "line": {"width": 1.3, "color": look.color},
                "marker": {"size": 5, "color": look.color, "symbol": look.shape},
                "hovertemplate": f"<b>{short(name, 60)}</b><br>%{{y:.4g}} after %{{x:.4g}}"
                "<extra></extra>",
            }
        )
    layout = {
        "height": 360,
        "margin": MARGIN | {"t": 56},
        "hovermode": "closest",
        "legend": LEGEND,
        "xaxis": axis(scale),
        "yaxis": {"title": {"text": short(found.quality.label, 40)}, "fixedrange": True},
    }
    return {"data": data, "layout": layout}


def utilization_figure(found: Findings) -> Figure | None:
    """Mean power of every run against how busy its device was."""
    if found.utilization is None:
        return None
    style = looks(found)
    x, y = found.values(found.utilization.x), found.values(found.utilization.y)
    watts, unit = unit_of(float(np.nanmax(y)), "W")
    busy = measure(found.utilization.x)
    layout = {
        "height": 340,
        "margin": MARGIN | {"t": 56},
        "hovermode": "closest",
        "legend": LEGEND,
        "xaxis": {"title": {"text": f"{busy.label} (%)"}},
        "yaxis": {"title": {"text": f"mean power ({unit})"}, "rangemode": "tozero"},
    }
    runs = run_points(found, style, x, y / watts, size=6)
    return {"data": [*runs, *legend_entries(style)], "layout": layout} if runs else None
