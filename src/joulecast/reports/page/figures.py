"""The charts of the HTML report as plain plotly figures (`data` and `layout`).

The page's script adds its colors, so that one figure serves the light and the dark page. Every text
of users is escaped here, because plotly interprets some HTML tags.
"""

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...estimate import Estimate, Provenance
from ...recording.model import Array, Metric
from ...recording.summary import SpanEnergy, Summary
from ...serialize import encodable
from ...units import format_duration, format_quantity
from ..words.common import are_apart
from .downsample import thin
from .lanes import Lane, lanes
from .palette import PATTERN, domain_colors, translucent
from .series import PowerSeries

Figure = dict[str, Any]

MAX_BARS = 60
"""Maximum number of epochs drawn as bars; more are drawn as a line."""
MAX_BANDS = 100
"""Maximum number of epochs shaded behind the power; more are not shaded."""
MAX_METRICS = 12
MAX_METRIC_POINTS = 2000
_BAND = "rgba(127,127,127,0.10)"
_GAP = "rgba(204,51,51,0.20)"
# They alternate, so that neighbors differ.
_SPANS = ("rgba(127,127,127,0.24)", "rgba(127,127,127,0.38)")
_LANE_PX = 22
MARGIN = {"t": 36, "b": 44, "l": 60, "r": 16}
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}


def escape(text: str) -> str:
    """User text for plotly, which otherwise interprets tags, and TeX between dollars."""
    return html.escape(encodable(text), quote=False).replace("$", "&#36;")


def time_unit(duration_s: float) -> tuple[float, str]:
    """Seconds in the unit that suits an axis of this length, and its symbol."""
    if duration_s < 300:
        return 1.0, "s"
    return (60.0, "min") if duration_s < 3 * 3600 else (3600.0, "h")


def rounded(values: Array, digits: int = 5) -> list[float | None]:
    """JSON numbers to a few significant digits; not-a-number becomes null."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values.tolist()]


def unit_of(largest: float, unit: str) -> tuple[float, str]:
    """The SI multiple that suits an axis up to `largest`: (1000, "kJ") for some thousand joules."""
    for scale, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")):
        if largest >= scale:
            return scale, prefix + unit
    return 1e-3, f"m{unit}"


def scatter(x: Any, y: Any, mode: str = "markers", **more: Any) -> dict[str, Any]:
    """A trace of marks, lines or both."""
    return {"type": "scatter", "mode": mode, "x": x, "y": y} | more


def chart(data: Sequence[Any], height: int, xaxis: Any, yaxis: Any, **more: Any) -> Figure:
    """A figure with a legend above it; `more` is of the layout."""
    layout = {"height": height, "margin": MARGIN, "hovermode": "closest", "legend": LEGEND}
    return {"data": list(data), "layout": layout | {"xaxis": xaxis, "yaxis": yaxis} | more}


def time_axis(unit: str, end: float, anchor: str) -> dict[str, Any]:
    """The axis of time since the start of the run, up to `end` in `unit`."""
    title = {"text": f"time since the start ({unit})"}
    return {"title": title, "range": [0, end], "anchor": anchor}


def _axis(title: str, unit: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": f"{title} ({unit})"}, "rangemode": "tozero"} | more


# --- power over time -----------------------------------------------------------------------------


def power_figure(summary: Summary, series: PowerSeries) -> Figure:
    """Mean power of each domain over time, stacked, with the spans in lanes below.

    Gaps are marked; every second epoch is shaded.
    """
    scale, unit = time_unit(summary.duration_s)
    edges = series.edges_s / scale
    colors = domain_colors(list(series.power_w))
    data: list[dict[str, Any]] = []
    x = rounded(edges, 7)
    stacked = np.nansum(list(series.power_w.values()), axis=0)
    watts, watt = unit_of(float(stacked.max()), "W")
    # Outlines of dense steps would hide their area.
    line = 1 if len(stacked) <= 500 else 0
    for domain, power in series.power_w.items():
        y = rounded(power / watts)
        # A step line needs the last edge, too.
        trace = scatter(x, [*y, y[-1]], "lines", name=escape(domain), stackgroup="power")
        data.append(
            trace
            | {
                "line": {"shape": "hv", "width": line, "color": colors[domain]},
                "fillcolor": translucent(colors[domain], 0.6),
                "hovertemplate": f"%{{y:.3r}} {watt}<extra>{escape(domain)}</extra>",
            }
        )
    span_lanes = lanes(summary)
    data += [_lane_trace(lane, scale, unit) for lane in span_lanes]
    below = _LANE_PX * len(span_lanes)
    height = 340 + below + (24 if span_lanes else 0)
    split = (below + 24) / (height - 80) if span_lanes else 0.0
    figure = chart(
        data,
        height,
        time_axis(unit, edges[-1], "y2" if span_lanes else "y"),
        _axis("power", watt, domain=[split, 1], fixedrange=True),
        hovermode="x unified" if len(series.power_w) <= 12 else "closest",
        shapes=[*_bands(summary.epochs, scale), *_gap_shapes(summary, scale)],
        annotations=_gap_labels(summary, scale),
    )
    if span_lanes:
        figure["layout"] |= {"barmode": "overlay", "uniformtext": {"mode": "hide", "minsize": 9}}
        figure["layout"]["yaxis2"] = {
            "domain": [0, max(0.0, split - 0.03)],
            "range": [len(span_lanes) - 0.5, -0.5],
            "tickmode": "array",
            "tickvals": list(range(len(span_lanes))),
            "ticktext": [escape(_short(lane.label, 9)) for lane in span_lanes],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        }
    return figure


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _lane_trace(lane: Lane, scale: float, unit: str) -> dict[str, Any]:
    about = [
        f"{escape(label)}<br>{format_duration(s.duration_s)}"
        + (f", {s.energy}" if s.energy else ", energy unknown")
        for label, s in zip(lane.labels, lane.spans, strict=True)
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "name": escape(lane.label),
        "showlegend": False,
        "xaxis": "x",
        "yaxis": "y2",
        "y": [lane.row] * len(lane.spans),
        "base": [round(s.span.start_s / scale, 6) for s in lane.spans],
        "x": [round(s.duration_s / scale, 6) for s in lane.spans],
        "width": 0.78,
        "text": [escape(_short(label, 24)) for label in lane.labels],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "hovertext": about,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": [_SPANS[i % 2] for i in range(len(lane.spans))]},
    }


def _bands(epochs: Sequence[SpanEnergy], scale: float) -> list[dict[str, Any]]:
    if len(epochs) > MAX_BANDS:
        return []
    return [
        _band(e.span.start_s / scale, (e.span.start_s + e.duration_s) / scale, _BAND)
        for e in epochs[::2]
    ]


def _band(start: float, end: float, color: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y domain",
        "x0": start,
        "x1": end,
        "y0": 0,
        "y1": 1,
        "fillcolor": color,
        "line": {"width": 0},
        "layer": "below",
    }


def _gap_shapes(summary: Summary, scale: float) -> list[dict[str, Any]]:
    shapes = []
    for start, end, _ in _gap_segments(summary):
        shape = _band(start / scale, end / scale, _GAP)
        line = {"width": 1.5, "color": "#c33", "dash": "dot"}
        shapes.append(shape | {"layer": "above", "line": line})
    return shapes


def _gap_labels(summary: Summary, scale: float) -> list[dict[str, Any]]:
    segments = _gap_segments(summary)
    # More labels would overlap; the warnings list all gaps.
    if len(segments) > 12:
        return []
    return [
        {
            "x": (start + end) / 2 / scale,
            "y": 1,
            "xref": "x",
            "yref": "y domain",
            "yanchor": "top",
            "text": escape(f"{domains} not measured"),
            "textangle": -90 if end - start < 0.2 * summary.duration_s else 0,
            "showarrow": False,
            "font": {"size": 11},
        }
        for start, end, domains in segments
    ]


def _gap_segments(summary: Summary) -> list[tuple[float, float, str]]:
    """Start, end and domains of the gaps; domains lost together share one segment."""
    segments: dict[tuple[float, float], list[str]] = {}
    for gap in summary.recording.energy_gaps:
        end = summary.duration_s if gap.end_s is None else min(gap.end_s, summary.duration_s)
        if end > gap.start_s:
            segments.setdefault((round(gap.start_s, 1), round(end, 1)), []).append(gap.domain)
    return [(start, end, ", ".join(domains)) for (start, end), domains in segments.items()]


# --- energy by domain, by epoch ------------------------------------------------------------------


def domain_figure(summary: Summary) -> Figure:
    """Energy of each domain with its interval; the fill shows the provenance."""
    domains = [d.source.domain for d in summary.domains]
    colors = domain_colors(domains)
    scale, unit = unit_of(max((d.energy.high for d in summary.domains), default=0.0), "J")
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": escape(d.source.domain),
            "x": [d.energy.value / scale],
            "y": [escape(d.source.domain)],
            "error_x": _error_bars([d.energy], scale),
            "marker": _fill(colors[d.source.domain], d.energy.provenance),
            "hovertext": [
                escape(f"{d.source.domain}: {d.energy}")
                + "<br>"
                + escape(f"{d.energy.provenance}, {d.source.source}")
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        for d in summary.domains
    ]
    # Plotly draws categories from the bottom up.
    yaxis = {"type": "category", "categoryarray": [escape(d) for d in domains[::-1]]}
    return chart(
        data,
        90 + (34 if len(data) <= 6 else 24) * len(data),
        _axis("energy, with 90 % interval", unit),
        yaxis | {"fixedrange": True, "showgrid": False},
        margin=MARGIN | {"t": 8, "l": 70},
        barmode="overlay",
        bargap=0.35,
        showlegend=False,
    )


def _fill(color: str, provenance: Provenance) -> dict[str, Any]:
    return {"color": color, "pattern": {"shape": PATTERN[provenance], "fillmode": "overlay"}}


def _error_bars(energies: Sequence[Estimate], scale: float) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [(e.high - e.value) / scale for e in energies],
        "arrayminus": [(e.value - e.low) / scale for e in energies],
        "thickness": 1.5,
        "width": 5,
    }


def _about_epoch(number: int, epoch: SpanEnergy) -> str:
    state = "" if epoch.span.end_s else ", unfinished"
    return f"epoch {number}{state}: {epoch.energy}<br>{format_duration(epoch.duration_s)}"


def epoch_figure(summary: Summary) -> Figure:
    """Energy of each epoch with its interval: bars stacked by domain, or a line for many."""
    measured = [(i, e) for i, e in enumerate(summary.epochs) if e.energy is not None]
    x = [1 + (i if e.span.index is None else e.span.index) for i, e in measured]
    energies = [e.energy for _, e in measured if e.energy is not None]
    apart = are_apart(energies)
    # Bars are compared with each other: what all of them share is in a note.
    bounds = [e.as_metered for e in energies] if apart else energies
    scale, unit = unit_of(max((e.high for e in bounds), default=0.0), "J")
    about = [_about_epoch(n, e) for n, (_, e) in zip(x, measured, strict=True)]
    xaxis = {"title": {"text": "epoch"}, "tickformat": "d", "showgrid": False}
    xaxis |= {"dtick": 1} if len(x) <= 20 else {}
    bars_below: dict[str, Any] = {"barmode": "stack", "bargap": 0.25}
    axes = (320, xaxis, _axis("energy", unit, fixedrange=True))
    total = scatter(x, [e.value / scale for e in energies], "lines", hovertext=about)
    interval = "90 % interval as metered" if apart else "90 % interval"
    total |= {"name": f"total, {interval}", "hovertemplate": "%{hovertext}<extra></extra>"}
    if len(x) > MAX_BARS:
        line = total | {"line": {"width": 1.5}, "meta": "line"}
        return chart([*_ribbon(x, bounds, scale), line], *axes, **bars_below)
    domains = [d.source.domain for d in summary.domains]
    colors = domain_colors(domains)
    provenance = {d.source.domain: d.energy.provenance for d in summary.domains}
    bars = [
        {
            "type": "bar",
            "name": escape(domain),
            "x": x,
            "y": [
                e.domains[domain].value / scale if domain in e.domains else None
                for _, e in measured
            ],
            "marker": _fill(colors[domain], provenance[domain]),
            "hoverinfo": "skip",
        }
        for domain in domains
    ]
    marks = {"mode": "markers", "error_y": _error_bars(bounds, scale), "meta": "marks"}
    return chart([*bars, total | marks | {"marker": {"size": 5}}], *axes, **bars_below)


def _ribbon(x: list[int], energies: Sequence[Estimate], scale: float) -> list[dict[str, Any]]:
    edge = {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    low = scatter(x, [e.low / scale for e in energies], "lines", name="low") | edge
    high = scatter(x, [e.high / scale for e in energies], "lines", name="high") | edge
    return [low, high | {"fill": "tonexty", "fillcolor": "rgba(0,114,178,0.22)"}]


# --- metrics against energy ----------------------------------------------------------------------


def metric_figure(name: str, points: Sequence[Metric], energy_j: Array) -> Figure:
    """One metric against the energy up to each of its values (J, same order)."""
    keep = thin(len(points), MAX_METRIC_POINTS)
    chosen = [points[i] for i in keep]
    scale, unit = unit_of(float(energy_j.max(initial=0.0)), "J")
    trace = scatter(
        rounded(energy_j[keep] / scale, 6),
        [m.value if math.isfinite(m.value) else None for m in chosen],
        "lines+markers" if len(keep) <= 100 else "lines",
        name=escape(name),
        line={"width": 1.5},
        marker={"size": 5},
        meta="line",
        hovertext=[
            f"{escape(name)} {m.value:.4g}<br>after {format_quantity(float(e), 'J')}"
            for m, e in zip(chosen, energy_j[keep], strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    title = {"title": {"text": escape(_short(name, 40))}, "fixedrange": True}
    xaxis = _axis("energy since the start", unit)
    return chart([trace], 260, xaxis, title, margin=MARGIN | {"t": 8, "l": 56}, showlegend=False)
