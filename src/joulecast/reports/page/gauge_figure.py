"""The chart of the gauges: one panel each for utilization, clock, temperature and memory.

A plain plotly figure, like those of `figures`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...recording.gauge_summary import MIN_WINDOW_S, Track, tracks
from ...recording.model import Array, Recording
from .downsample import MAX_POINTS
from .figures import Figure, chart, escape, rounded, scatter, time_axis, time_unit, unit_of
from .palette import domain_colors

_PANELS = (("%", "utilization"), ("Hz", "clock"), ("°C", "temperature"), ("B", "memory"))
_DRAWN = re.compile(r"(.*/)?(utilization_pct|sm_clock_hz|temperature_c|(device_)?memory_bytes)")
_PANEL_PX = 130
_HOST = "host memory"
# A line is interrupted where nothing was read for so many update periods.
_SILENT_PERIODS = 5


@dataclass(frozen=True, slots=True)
class _Line:
    """One gauge as it is drawn."""

    track: Track
    t_s: Array
    values: Array

    @property
    def owner(self) -> str:
        """What it belongs to: `gpu:0`, `cpu`, or the host's memory."""
        device, _, _ = self.track.source.domain.rpartition("/")
        return device or _HOST


def gauge_figure(recording: Recording, duration_s: float) -> Figure | None:
    """The gauges over the time of the run; None where there is nothing to draw."""
    drawn = [t for t in tracks(recording) if _DRAWN.fullmatch(t.source.domain)]
    lines = [_Line(track, *series(track, duration_s)) for track in drawn]
    lines = [line for line in lines if len(line.t_s) > 1]
    units = {line.track.source.unit for line in lines}
    panels = [(unit, title) for unit, title in _PANELS if unit in units]
    if not panels or duration_s <= 0:
        return None
    scale, unit = time_unit(duration_s)
    height = 80 + _PANEL_PX * len(panels)
    xaxis = time_axis(unit, duration_s / scale, f"y{_number(len(panels) - 1)}")
    hovermode = "x unified" if len(lines) <= 12 else "closest"
    layout: dict[str, Any] = {}
    data: list[dict[str, Any]] = []
    colors = _colors(lines)
    for i, (unit, title) in enumerate(panels):
        of_panel = [line for line in lines if line.track.source.unit == unit]
        peak = max(float(np.nanmax(line.values)) for line in of_panel)
        factor, shown_unit = unit_of(peak, unit) if unit in ("B", "Hz") else (1.0, unit)
        layout[f"yaxis{_number(i)}"] = {
            "title": {"text": f"{title} ({shown_unit})"},
            "zeroline": False,
            "rangemode": "normal" if unit == "°C" else "tozero",
            "domain": _panel_domain(i, len(panels), 24 / (height - 80)),
            "fixedrange": True,
            "nticks": 5,
        }
        for line in of_panel:
            trace = _trace(line, scale, factor, f"{title} %{{y:.4~g}} {shown_unit}")
            data.append(
                trace | {"yaxis": f"y{_number(i)}", "line": _style(line, colors[line.owner])}
            )
    _name_once(data)
    return chart(data, height, xaxis, hovermode=hovermode, **layout)


def _number(panel: int) -> str:
    """The number of a panel's axis as plotly names it."""
    return "" if panel == 0 else str(panel + 1)


def _panel_domain(panel: int, count: int, gap: float) -> list[float]:
    """The part of the height that a panel takes, from the top."""
    bottom = 1 - (panel + 1) / count
    return [bottom + (gap if panel + 1 < count else 0), 1 - panel / count]


def _colors(lines: Sequence[_Line]) -> dict[str, str]:
    owners = list(dict.fromkeys(line.owner for line in lines))
    families = ["dram" if owner == _HOST else owner for owner in owners]
    return dict(zip(owners, domain_colors(families).values(), strict=True))


def _is_whole_device(line: _Line) -> bool:
    return line.track.source.domain.endswith("/device_memory_bytes")


def _style(line: _Line, color: str) -> dict[str, Any]:
    dash = "dot" if _is_whole_device(line) else "solid"
    steps = {"shape": "vh"} if line.track.counts else {}
    return {"width": 1.5, "color": color, "dash": dash} | steps


def _trace(line: _Line, scale: float, factor: float, text: str) -> dict[str, Any]:
    all_of_it = ", all processes" if _is_whole_device(line) else ""
    return scatter(
        rounded(line.t_s / scale, 7),
        rounded(line.values / factor),
        "lines",
        name=escape(line.owner),
        legendgroup=line.owner,
        hovertemplate=f"{text}<extra>{escape(line.owner)}{all_of_it}</extra>",
    )


def _name_once(data: Sequence[dict[str, Any]]) -> None:
    """Let each owner have one entry in the legend."""
    named: set[str] = set()
    for trace in data:
        trace["showlegend"] = trace["legendgroup"] not in named
        named.add(trace["legendgroup"])


def series(track: Track, duration_s: float, limit: int = MAX_POINTS // 4) -> tuple[Array, Array]:
    """Times and values to draw; means of equal segments where there are more than `limit`.

    Not-a-number interrupts the line where the gauge was silent.
    """
    t, y = track.series(duration_s)
    if len(t) > limit:
        edges = np.linspace(float(t[0]), float(t[-1]), limit + 1)
        into = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, limit - 1)
        counts = np.bincount(into, minlength=limit)
        sums = np.bincount(into, weights=y, minlength=limit)
        means = np.divide(sums, counts, out=np.full(limit, np.nan), where=counts > 0)
        return (edges[1:] if track.counts else (edges[1:] + edges[:-1]) / 2), means
    silent_s = _SILENT_PERIODS * max(track.source.update_period_s, MIN_WINDOW_S)
    breaks = np.flatnonzero(np.diff(t) > silent_s)
    if track.counts or not len(breaks):
        return t, y
    return np.insert(t, breaks + 1, t[breaks]), np.insert(y, breaks + 1, np.nan)
