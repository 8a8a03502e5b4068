"""The figures of a study for a paper: those of its page, drawn by matplotlib as vectors.

The same study gives the same bytes, so that the diff of a repository is empty: no dates, and ids
of elements from a fixed salt.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import MissingExtraError
from ...study.findings.findings import Findings
from ..page.figures import Figure as PageFigure
from ..page.study_figures import box_figure, curve_figure, interaction_figure
from ..page.study_styles import MARKERS
from ..page.study_tradeoff_figure import tradeoff_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches: the width of a column and of a page of common two-column layouts.
COLUMN_IN, PAGE_IN = 3.4, 7.0
MAX_INTERACTIONS = 6
_MAX_TITLE = 48
# The size of a marker in points, for one of a pixel on the page.
_POINTS = 0.5


def paper_plots(findings: Findings) -> dict[str, bytes]:
    """Files by name: the trade-off, boxes, interactions, curves, each as SVG and as PDF.

    Raises `MissingExtraError` where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("plots for a paper", "report") from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    files: dict[str, bytes] = {}
    with mpl.rc_context():
        # A user's own matplotlibrc has no effect.
        mpl.rcdefaults()
        mpl.rc_file(Path(__file__).with_name("paper.mplstyle"), use_default_template=False)
        for name, page_figure in _figures(findings).items():
            figure = _draw(page_figure, PAGE_IN if name == "curves" else COLUMN_IN)
            FigureCanvasAgg(figure)
            for kind, date in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
                out = io.BytesIO()
                figure.savefig(out, format=kind, metadata=date | {"Creator": "joulecast"})
                files[f"{name}.{kind}"] = out.getvalue()
            figure.clear()
    return files


def _figures(findings: Findings) -> dict[str, PageFigure]:
    """Every figure that has something to show, by name."""
    figures: dict[str, PageFigure | None] = {"tradeoff": tradeoff_figure(findings)}
    for kind, measure in zip(("energy", "quality"), findings.main_measures, strict=False):
        figures[f"boxes-{kind}"] = box_figure(findings, measure)
    for i, interaction in enumerate(findings.interactions[:MAX_INTERACTIONS], 1):
        figures[f"interaction-{i}"] = interaction_figure(findings, interaction)
    figures["curves"] = curve_figure(findings)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _draw(page_figure: PageFigure, width_in: float) -> Figure:
    """A figure of the page by matplotlib, as high as there, in proportion."""
    from matplotlib.figure import Figure

    layout = page_figure["layout"]
    figure = Figure(figsize=(width_in, layout["height"] / 140))
    axes = figure.add_subplot()
    # Axes first: a logarithmic scale changes how error bars are drawn.
    _set_axis(axes, "x", layout["xaxis"])
    _set_axis(axes, "y", layout["yaxis"])
    for i, trace in enumerate(page_figure["data"]):
        if "text" in trace["mode"]:
            _draw_letters(axes, trace, i + 2)
        else:
            _draw_points(axes, trace, i + 2)
    handles, labels = axes.get_legend_handles_labels()
    if handles and layout.get("showlegend", True):
        figure.legend(
            handles, labels, loc="outside upper left", ncols=3, frameon=False, handletextpad=0.3
        )
    return figure


def _set_axis(axes: Axes, side: Literal["x", "y"], axis: Mapping[str, Any]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    title = _plain(axis.get("title", {}).get("text", ""))
    title = title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1]}…"
    getattr(axes, f"set_{side}label")(title)
    logarithmic = axis.get("type") == "log"
    if logarithmic:
        getattr(axes, f"set_{side}scale")("log")
    drawn = getattr(axes, f"{side}axis")
    if "tickvals" in axis:
        texts = dict(zip(axis["tickvals"], map(_plain, axis["ticktext"]), strict=True))
        drawn.set_major_locator(FixedLocator(list(texts)))
        drawn.set_major_formatter(FuncFormatter(lambda x, _: texts.get(x, f"{x:g}")))
        drawn.set_minor_locator(NullLocator())
        if side == "x" and sum(map(len, texts.values())) > 45:
            axes.tick_params("x", labelrotation=30)
    if "range" in axis:
        ends = (10.0**end if logarithmic else end for end in axis["range"])
        getattr(axes, f"set_{side}lim")(*ends)
    if axis.get("showgrid") is False:
        axes.grid(False, axis=side)


def _draw_points(axes: Axes, trace: Mapping[str, Any], layer: int) -> None:
    """A trace of points, joined by lines where its mode has them."""
    marker, line = trace.get("marker", {}), trace.get("line", {})
    # A line is broken at not-a-number.
    xs, ys = ([math.nan if value is None else value for value in trace[k]] for k in ("x", "y"))
    color = _color(line.get("color") or marker.get("color") or "#555b63")
    named = trace.get("showlegend", True) and "name" in trace
    has_markers, has_lines = (part in trace["mode"] for part in ("markers", "lines"))
    axes.plot(
        xs,
        ys,
        color=color,
        alpha=marker.get("opacity"),
        linewidth=_POINTS * line.get("width", 1.6),
        linestyle=("--" if line.get("dash") else "-") if has_lines else "",
        drawstyle="steps-post" if line.get("shape") == "hv" else "default",
        marker=_marker(marker.get("symbol")) if has_markers else None,
        markersize=_POINTS * marker.get("size", 6),
        markeredgewidth=0,
        label=_plain(trace["name"]) if named else None,
        zorder=layer,
    )
    if "error_y" in trace:
        bounds = [trace["error_y"][side] for side in ("arrayminus", "array")]
        axes.errorbar(
            *(xs, ys, bounds), fmt="none", ecolor=color, elinewidth=0.6, capsize=1.5, zorder=layer
        )


def _draw_letters(axes: Axes, trace: Mapping[str, Any], layer: int) -> None:
    """A trace of outlined marks, each with its letter inside."""
    marker = trace["marker"]
    for i, at in enumerate(zip(trace["x"], trace["y"], strict=True)):
        axes.plot(
            *at,
            color=marker["color"][i],
            marker=_marker(marker["symbol"][i]),
            markersize=_POINTS * marker["size"][i],
            markeredgecolor="black",
            markeredgewidth=0.45 * marker["line"]["width"][i],
            zorder=layer,
        )
        axes.annotate(
            trace["text"][i],
            at,
            ha="center",
            va="center",
            color=trace["textfont"]["color"][i],
            fontsize=5.5,
            zorder=layer + 0.5,
        )


def _marker(symbol: str | int | None) -> str:
    """A shape of plotly, by name or number, in matplotlib."""
    if isinstance(symbol, int):
        return list(MARKERS.values())[symbol % len(MARKERS)]
    return MARKERS.get(symbol or "circle", "o")


def _color(text: str) -> Any:
    """A color of the page, `#rrggbb` or `rgba(r,g,b,a)`, in matplotlib."""
    if not text.startswith("rgba"):
        return text
    *rgb, alpha = (float(part) for part in text[5:-1].split(","))
    return (*(part / 255 for part in rgb), alpha)


def _plain(text: str) -> str:
    """A text of the page without escapes; what DejaVu Sans lacks becomes `?`."""
    plain = unescape(text)
    return "".join(c if c.isprintable() and ord(c) < 0x2500 else "?" for c in plain)
