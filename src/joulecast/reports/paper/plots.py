"""The plots of a paper about a study: matplotlib, vectors, the width of a column or of a page.

The same study gives the same bytes, so that a repository's diff stays quiet: no dates, names of
elements from a fixed salt. Colors as on the page; shapes and places tell what they tell.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.statistics.interaction import Interaction
from ...errors import MissingExtraError
from ...study.findings.findings import Findings
from ...study.findings.measures import Measure, measure
from ..page.study_figures import MOST_BOXES, box_scale, shown_groups
from ..page.study_looks import MARKERS, Look, Looks, box, jitter, level_colors, looks
from ..page.study_scales import AxisScale, ScaleKind, amount_scale
from ..page.study_tradeoff_figure import tradeoff_scales
from ..words.study import level_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_IN, PAGE_IN = 3.4, 7.0
"""Width of a column and of a page of common two-column layouts, inches."""
MOST_POINTS = 1500
"""Runs drawn one by one; of more, evenly chosen ones."""
MOST_CURVES = 8
_LONGEST = 28
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.3,
    "grid.color": "#d5d8dc",
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # letters stay letters: text can be found and set anew
    "svg.fonttype": "none",
    "svg.hashsalt": "joulecast",
    "text.usetex": False,
    "text.parse_math": False,  # a $ in a user's name is a dollar
    "figure.constrained_layout.use": True,
}


def paper_plots(found: Findings) -> dict[str, bytes]:
    """Files by name: the trade-off, boxes, interactions, curves, each as SVG and as PDF.

    Raises `MissingExtraError` where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("plots for a paper", "report") from None
    files: dict[str, bytes] = {}
    with mpl.rc_context():
        mpl.rcdefaults()  # not what this user's own matplotlibrc says
        mpl.rcParams.update(_STYLE)
        for name, draw in _plots(found).items():
            with _figure(draw) as figure:
                for kind, about in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
                    out = io.BytesIO()
                    figure.savefig(out, format=kind, metadata=about | {"Creator": "joulecast"})
                    files[f"{name}.{kind}"] = out.getvalue()
    return files


@contextmanager
def _figure(draw: Callable[[], Figure]) -> Iterator[Figure]:
    """A figure of no window: the Agg canvas, whatever the user's backend is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw()
    FigureCanvasAgg(figure)
    yield figure
    figure.clear()


def _plots(found: Findings) -> dict[str, Callable[[], Figure]]:
    plots: dict[str, Callable[[], Figure]] = {}
    if found.tradeoff is not None:
        plots["tradeoff"] = lambda: _tradeoff(found)
    measures = [found.energy, *([found.quality] if found.quality else [])]
    for kind, m in zip(("energy", "quality"), measures, strict=False):
        if any(m.column in g.medians for g in shown_groups(found)):
            plots[f"boxes-{kind}"] = lambda m=m: _boxes(found, m)  # type: ignore[misc]
    for i, act in enumerate(found.interactions[:6], 1):
        plots[f"interaction-{i}"] = lambda act=act: _interaction(found, act)  # type: ignore[misc]
    if any(run.curve for run in found.evidence.runs):
        plots["curves"] = lambda: _curves(found)
    return plots


def short(text: str, most: int = _LONGEST) -> str:
    """A name as a plot has room for, its middle cut; what DejaVu Sans lacks becomes `?`."""
    clean = "".join(c if c.isprintable() and ord(c) < 0x2500 else "?" for c in text)
    if len(clean) <= most:
        return clean
    half = (most - 1) // 2
    return f"{clean[: most - 1 - half]}…{clean[len(clean) - half :]}"


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _apply(axes: Axes, scale: AxisScale, side: str) -> None:
    """A scale on the x or y axis."""
    axis = getattr(axes, f"{side}axis")
    getattr(axes, f"set_{side}label")(short(scale.title, 48))
    if scale.kind is not ScaleKind.LINEAR:
        from matplotlib.ticker import FixedLocator, NullLocator

        getattr(axes, f"set_{side}scale")("log")
        axis.set_major_locator(FixedLocator([place for place, _ in scale.ticks]))
        axis.set_major_formatter(_texts(dict(scale.ticks)))
        axis.set_minor_locator(NullLocator())
    if scale.first is not None and scale.last is not None:
        getattr(axes, f"set_{side}lim")(scale.first, scale.last)


def _texts(ticks: dict[float, str]) -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda place, _: ticks.get(place, f"{place:g}"))


def _tradeoff(found: Findings) -> Figure:
    scales = tradeoff_scales(found)
    assert scales is not None and found.tradeoff is not None and found.quality is not None
    x, y = scales
    figure, axes = _new(COLUMN_IN, 2.9)
    style = looks(found)
    across = x.place(found.values(found.energy.column))
    up = y.place(found.values(found.quality.column))
    every = max(1, len(across) // MOST_POINTS)
    for g in found.groups:
        look = style.by_group[g.name]
        rows = g.rows[::every]
        axes.scatter(across[rows], up[rows], s=3, color=look.color, alpha=0.3, linewidths=0)
    front = found.tradeoff.front
    axes.step(
        [x.at(c.cost.value) for c in front],
        [y.at(c.quality.value) for c in front],
        where="post",
        color="black",
        linewidth=0.7,
        linestyle=(0, (1, 1.5)),
        zorder=2,
    )
    for c in found.tradeoff.configurations:
        look = style.by_group.get(c.name, Look("#8a8f98", "circle"))
        at = (x.at(c.cost.value), y.at(c.quality.value))
        axes.scatter(
            *at,
            s=34,
            color=look.color,
            marker=MARKERS[look.shape],
            zorder=3,
            edgecolors="black",
            linewidths=0.9 if c.on_front else 0.3,
        )
        if c.label:
            axes.annotate(
                c.label, at, (3.6, 2.4), textcoords="offset points", fontsize=5.5, zorder=4
            )
    _apply(axes, x, "x")
    _apply(axes, y, "y")
    _legend(figure, style)
    return figure


def _legend(figure: Figure, style: Looks) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, markersize=4, label=short(level, 20))
        for level, color in list(style.colors.items())[:8]
    ]
    handles += [
        Line2D(
            [],
            [],
            marker=MARKERS[shape],
            linestyle="",
            color="#555b63",
            markersize=3.5,
            label=short(level, 20),
        )
        for level, shape in list(style.shapes.items())[:8]
    ]
    if handles:
        figure.legend(
            handles=handles, loc="outside upper left", ncols=3, frameon=False, handletextpad=0.1
        )


def _boxes(found: Findings, m: Measure) -> Figure:
    groups = [g for g in shown_groups(found) if m.column in g.medians][:MOST_BOXES]
    scale = box_scale(found, m)
    style = looks(found)
    figure, axes = _new(COLUMN_IN, 0.6 + 0.17 * max(3, len(groups)))
    values = found.values(m.column)
    most = max(5, MOST_POINTS // len(groups))
    for place, g in enumerate(groups):
        known = values[g.rows]
        known = scale.place(known[~np.isnan(known)])
        look = style.by_group[g.name]
        points = known[:: max(1, len(known) // most)]
        axes.scatter(
            points, place + jitter(len(points)), s=2, color=look.color, alpha=0.35, linewidths=0
        )
        if len(known) < 2:
            continue
        five = box(known)
        figures = {"whislo": five.low, "q1": five.quartile_1, "med": five.median}
        figures |= {"q3": five.quartile_3, "whishi": five.high}
        pen = {"color": look.color, "linewidth": 0.8}
        axes.bxp(
            [figures],
            positions=[place],
            widths=0.62,
            orientation="horizontal",
            showfliers=False,
            manage_ticks=False,
            boxprops=pen,
            whiskerprops=pen,
            capprops=pen,
            medianprops={"color": "black", "linewidth": 1.0},
        )
    axes.set_yticks(range(len(groups)), [short(g.name) for g in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(False, axis="y")
    _apply(axes, scale, "x")
    return figure


def _interaction(found: Findings, act: Interaction) -> Figure:
    m = measure(act.value)
    columns, lines = found.factors[act.a], found.factors[act.b]
    cells = {(c.a, c.b): c.median for c in act.cells}
    scale = amount_scale(m, np.array([c.value for c in cells.values()]))
    colors = level_colors(lines)
    figure, axes = _new(COLUMN_IN, 2.5)
    for i, level in enumerate(lines):
        there = [
            (k, cells[(name, level)]) for k, name in enumerate(columns) if (name, level) in cells
        ]
        at = [scale.at(c.value) for _, c in there]
        below = [0 if c.low is None else (c.value - c.low) / scale.factor for _, c in there]
        above = [0 if c.high is None else (c.high - c.value) / scale.factor for _, c in there]
        axes.errorbar(
            [k for k, _ in there],
            at,
            yerr=[below, above],
            color=colors[level],
            marker=list(MARKERS.values())[i % len(MARKERS)],
            markersize=3,
            linewidth=0.9,
            elinewidth=0.6,
            capsize=1.5,
            label=short(level_name(act.b, level), 20),
        )
    axes.set_xticks(range(len(columns)), [short(c, 16) for c in columns])
    if sum(len(short(c, 16)) for c in columns) > 45:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlabel(short(act.a))
    _apply(axes, scale, "y")
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return figure


def _curves(found: Findings) -> Figure:
    drawn = [(run.configuration, run.curve) for run in found.evidence.runs if run.curve]
    ends = np.array([e for _, c in drawn for e in (c.energy_j[0], c.energy_j[-1])])
    scale = amount_scale(found.energy, ends)
    style = looks(found)
    figure, axes = _new(PAGE_IN, 2.6)
    for name, curve in drawn:
        look = style.by_group[name]
        axes.plot(
            scale.place(np.array(curve.energy_j)),
            curve.value,
            color=look.color,
            marker=MARKERS[look.shape],
            markersize=2.5,
            linewidth=0.8,
            label=short(name),
        )
    _apply(axes, scale, "x")
    axes.set_ylabel(short(drawn[0][1].metric))
    if len(drawn) <= MOST_CURVES:
        axes.legend(frameon=False)
    else:
        _legend(figure, style)
    return figure
