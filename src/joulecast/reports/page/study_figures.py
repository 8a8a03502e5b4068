"""The charts of a study as plain plotly figures: boxes, interactions, curves, power.

The trade-off has a file of its own. The page's script colors them, `paper/plots.py` draws them by
matplotlib.
"""

from typing import Any

import numpy as np

from ...analysis.statistics.interaction import Interaction
from ...study.findings.findings import Findings
from ...study.findings.grouping import Box, ConfigurationGroup
from ...study.findings.measures import Measure, measure
from ..words.study import level_name
from .downsample import thin
from .figures import MARGIN, Figure, chart, rounded, scatter, unit_of
from .study_axes import MAX_POINTS, axis, legend_entries, run_points, short
from .study_scales import AxisScale, amount_scale, quality_scale
from .study_styles import PALE, GroupStyle, jitter, level_colors, study_styles

MAX_BOXES = 40
"""Configurations that have a box: those that use the least energy."""
MAX_NAMES = 10
"""Curves up to which a legend names each."""
MAX_CURVE_POINTS = 200


# --- boxes ---------------------------------------------------------------------------------------


def shown_groups(findings: Findings) -> list[ConfigurationGroup]:
    """The configurations with runs that are drawn, those that use the least energy first."""
    energy = findings.energy_measure.column
    return [g for g in findings.by_energy() if energy in g.medians][:MAX_BOXES]


def box_scale(findings: Findings, m: Measure) -> AxisScale:
    """The axis of the boxes of a measure."""
    values = findings.values(m.column)
    if findings.quality is not None and m.column == findings.quality.column:
        medians = [
            g.medians[m.column].value for g in findings.configurations if m.column in g.medians
        ]
        return quality_scale(m, values, medians, findings.maximize)
    return amount_scale(m, values)


def box_figure(findings: Findings, m: Measure) -> Figure | None:
    """A box of each configuration with its runs as points, the one with the least energy on top."""
    groups = [g for g in shown_groups(findings) if m.column in g.medians]
    if not groups:
        return None
    style = study_styles(findings)
    all_values = findings.values(m.column)
    scale = box_scale(findings, m)
    limit = max(5, MAX_POINTS // len(groups))
    data = []
    for place, group in enumerate(groups):
        values = all_values[group.rows]
        values = scale.place(values[~np.isnan(values)])
        group_style = style.by_group[group.name]
        if len(values) > 1:
            data.append(_box(place, scale, group.boxes[m.column], group_style, group.name))
        points = values[thin(len(values), limit)] if len(values) > limit else values
        ys = [round(float(v), 3) for v in place + jitter(len(points))]
        marker = {"size": 5, "color": group_style.color, "opacity": PALE}
        data.append(scatter(rounded(points), ys, marker=marker, hoverinfo="skip", meta="runs"))
    yaxis = {
        "tickmode": "array",
        "tickvals": list(range(len(groups))),
        "ticktext": [short(g.name, 22) for g in groups],
        "range": [len(groups) - 0.4, -0.6],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11},
    }
    height = 74 + max(2, len(groups)) * (26 if len(groups) <= 20 else 19)
    margin = MARGIN | {"t": 12, "l": 20}
    return chart(data, height, axis(scale), yaxis, margin=margin, showlegend=False)


def _box(place: int, scale: AxisScale, box: Box, style: GroupStyle, name: str) -> dict[str, Any]:
    """Whiskers, box and median as one broken line: the bundle of the page draws no boxes."""
    figures = (box.low, box.quartile_1, box.median, box.quartile_3, box.high)
    # An axis of distances from 1 reverses the order.
    low, q1, middle, q3, high = (float(f"{v:.5g}") for v in sorted(map(scale.at, figures)))
    above, below = place - 0.33, place + 0.33
    x = [low, q1, None, q1, q3, q3, q1, q1, None, middle, middle, None, q3, high]
    y = [place, place, None, above, above, below, below, above, None, above, below, None]
    line = {"width": 1.3, "color": style.color}
    text = f"<b>{short(name)}</b><br>%{{x:.4g}}<extra></extra>"
    return scatter(x, [*y, place, place], "lines", line=line, meta="box", hovertemplate=text)


# --- interaction, curves, power ------------------------------------------------------------------


def interaction_figure(findings: Findings, act: Interaction) -> Figure:
    """Medians of a measure over the levels of one factor, a line for each level of the other."""
    m = measure(act.value)
    columns = list(findings.factors[act.a])
    lines = findings.factors[act.b]
    cells = {(c.a, c.b): c.median for c in act.cells}
    scale = amount_scale(m, np.array([c.value for c in cells.values()]))
    colors = level_colors(lines)
    data = []
    for i, level in enumerate(lines):
        there = [(x, cells.get((x, level))) for x in columns]
        points = [(x, c) for x, c in there if c is not None]
        bounds = [(c.value if c.low is None else c.low, c.high or c.value) for _, c in points]
        places = [scale.at(c.value) for _, c in points]
        trace = scatter([columns.index(x) for x, _ in points], places, "lines+markers")
        data.append(
            trace
            | {
                "name": short(level_name(act.b, level), 18),
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [b[1] / scale.factor - y for y, b in zip(places, bounds, strict=True)],
                    "arrayminus": [
                        y - b[0] / scale.factor for y, b in zip(places, bounds, strict=True)
                    ],
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
    xaxis = {
        "title": {"text": short(act.a, 40)},
        "tickmode": "array",
        "tickvals": list(range(len(columns))),
        "ticktext": [short(x, 16) for x in columns],
        "range": [-0.35, len(columns) - 0.65],
        "showgrid": False,
        "zeroline": False,
    }
    return chart(data, 340, xaxis, axis(scale, fixedrange=True))


def curve_figure(findings: Findings) -> Figure | None:
    """The metric of correctness against the energy so far, a line for each configuration."""
    drawn = [(run.configuration, run.curve) for run in findings.recordings.runs if run.curve]
    if not drawn or findings.quality is None:
        return None
    style = study_styles(findings)
    ends = np.array([e for _, c in drawn for e in (c.energy_j[0], c.energy_j[-1])])
    scale = amount_scale(findings.energy_measure, ends)
    data = []
    for name, curve in drawn:
        keep = thin(len(curve.value), MAX_CURVE_POINTS)
        group_style = style.by_group[name]
        data.append(
            scatter(
                rounded(scale.place(np.array(curve.energy_j)[keep])),
                rounded(np.array(curve.value)[keep]),
                "lines+markers",
                name=short(name),
                showlegend=len(drawn) <= MAX_NAMES,
                line={"width": 1.3, "color": group_style.color},
                marker={"size": 5, "color": group_style.color, "symbol": group_style.shape},
                hovertemplate=f"<b>{short(name, 60)}</b><br>%{{y:.4g}} after %{{x:.4g}}"
                "<extra></extra>",
            )
        )
    yaxis = {"title": {"text": short(findings.quality.label, 40)}, "fixedrange": True}
    return chart(data, 360, axis(scale), yaxis)


def utilization_figure(findings: Findings) -> Figure | None:
    """Mean power of every run against the utilization of its device."""
    if findings.power_against_utilization is None:
        return None
    style = study_styles(findings)
    x, y = (
        findings.values(findings.power_against_utilization.x),
        findings.values(findings.power_against_utilization.y),
    )
    watts, unit = unit_of(float(np.nanmax(y)), "W")
    busy = measure(findings.power_against_utilization.x)
    xaxis = {"title": {"text": f"{busy.label} (%)"}}
    yaxis = {"title": {"text": f"mean power ({unit})"}, "rangemode": "tozero"}
    runs = run_points(findings, style, x, y / watts, size=6)
    return chart([*runs, *legend_entries(style)], 340, xaxis, yaxis) if runs else None
