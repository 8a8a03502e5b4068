"""The trade-off plot of a study's page: quality against energy, with the front and the labels."""

import math
from typing import Any

from ...analysis.statistics.medians import Median
from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import Findings
from ...study.findings.measures import Measure
from ...units import counted
from ..words.common import percent
from .figures import Figure, chart, scatter
from .study_axes import axis, legend_entries, run_points, short
from .study_scales import AxisScale, ScaleKind, amount_scale, quality_scale
from .study_styles import GroupStyle, StudyStyles, study_styles

# Part of the axis that the name of the best configuration takes.
_NAME_ROOM = 0.12


def tradeoff_scales(findings: Findings) -> tuple[AxisScale, AxisScale] | None:
    """The axes of energy and quality; None where there is no trade-off."""
    if findings.tradeoff is None or findings.quality is None:
        return None
    medians = [c.quality.value for c in findings.tradeoff.configurations]
    return (
        amount_scale(findings.energy_measure, findings.values(findings.energy_measure.column)),
        quality_scale(
            findings.quality, findings.values(findings.quality.column), medians, findings.maximize
        ),
    )


def tradeoff_figure(findings: Findings) -> Figure | None:
    """Quality against energy: every run, the medians with their labels, the front."""
    scales = tradeoff_scales(findings)
    if scales is None or findings.tradeoff is None or findings.quality is None:
        return None
    x, y = scales
    style = study_styles(findings)
    places = (
        x.place(findings.values(findings.energy_measure.column)),
        y.place(findings.values(findings.quality.column)),
    )
    front = findings.tradeoff.front
    data = run_points(findings, style, *places)
    line = {"width": 1.5, "dash": "dot", "shape": "hv"}
    along = [x.at(c.cost.value) for c in front], [y.at(c.quality.value) for c in front]
    data.append(
        scatter(*along, "lines", name="Pareto front", meta="ink", line=line, hoverinfo="skip")
    )
    data += [_medians(findings, style, x, y), *legend_entries(style)]
    yaxis = axis(y)
    first, last = yaxis["range"]
    # The name of the best stands above it, and below the legend.
    yaxis["range"] = [first, last + _NAME_ROOM * (last - first)]
    return chart(data, 480, axis(x), yaxis, annotations=_names(findings, x, y))


def _medians(findings: Findings, style: StudyStyles, x: AxisScale, y: AxisScale) -> dict[str, Any]:
    """A marker with its letter for each configuration."""
    weighed = findings.tradeoff
    assert weighed is not None and findings.quality is not None
    energy, quality = findings.energy_measure, findings.quality
    of = weighed.configurations
    styles = [style.by_group.get(c.name, GroupStyle("#8a8f98", "circle")) for c in of]
    marks = scatter(
        [x.at(c.cost.value) for c in of], [y.at(c.quality.value) for c in of], "markers+text"
    )
    return marks | {
        "name": "configurations",
        "showlegend": False,
        "text": [c.label or "" for c in of],
        "textfont": {"size": 10, "color": [ink_on(s.color) for s in styles]},
        "marker": {
            "size": [19 if c.on_front else 16 for c in of],
            "color": [s.color for s in styles],
            "symbol": [s.shape for s in styles],
            "line": {"width": [2 if c.on_front else 0.5 for c in of]},
            # By default, marks of several sizes are translucent, and their letters hard to read.
            "opacity": 1,
        },
        "meta": "outlined",
        "hovertext": [_about(c, energy, quality) for c in of],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _about(c: Configuration, energy: Measure, quality: Measure) -> str:
    runs = counted(c.n, "run")
    return (
        f"<b>{short(c.name, 60)}</b>"
        f"<br>{energy.text(c.cost.value)}{_bounds(c.cost, energy)}"
        f"<br>{short(quality.label, 40)} {quality.text(c.quality.value)}"
        f"<br>{runs}{f', label {c.label}' if c.label else ''}"
        f"{', on the front' if c.on_front else ''}"
    )


def ink_on(color: str) -> str:
    """Black or white, whichever has more contrast on a color (relative luminance of WCAG 2.2)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if light < 0.2 else "#111111"


def _bounds(m: Median, of: Measure) -> str:
    if m.low is None or m.high is None:
        return ""
    return f" ({of.text(m.low)} to {of.text(m.high)})"


def _names(findings: Findings, x: AxisScale, y: AxisScale) -> list[dict[str, Any]]:
    """The names of the two configurations to choose between: the best, and the one picked."""
    assert findings.tradeoff is not None
    of = {c.name: c for c in findings.tradeoff.configurations}
    pick = findings.tradeoff.pick
    named = {pick.best: ("best", -34)} | (
        {pick.name: (f"least energy within {percent(pick.tolerance)}", 40)}
        if pick.name != pick.best
        else {}
    )
    middle = sorted(x.at(c.cost.value) for c in of.values())[len(of) // 2]
    names = []
    for name, (what, down) in named.items():
        c = of[name]
        across, up = x.at(c.cost.value), y.at(c.quality.value)
        side = "right" if across > middle else "left"
        names.append(
            {
                "x": math.log10(across) if x.kind is ScaleKind.LOG else across,
                "y": math.log10(up) if y.kind is ScaleKind.NEAR_ONE else up,
                "text": f"<b>{short(name, 20)}</b><br>{what}",
                "name": "name",
                "ax": {"right": -30, "left": 30}[side],
                "ay": down,
                "align": side,
                "xanchor": side,
                "standoff": 10,
                "arrowwidth": 1,
                "arrowhead": 0,
                "font": {"size": 11},
            }
        )
    return names
