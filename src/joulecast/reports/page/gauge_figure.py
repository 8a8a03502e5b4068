"""The chart of the gauges, below that of power: a panel each of utilization, temperature, memory.

A plain plotly figure, like those of `figures`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...recording.gauge_summary import MIN_WINDOW_S, Track, tracks
from ...recording.model import Array, Recording
from .downsample import MAX_POINTS
from .figures import Figure, escape, time_unit, unit_of
from .palette import domain_colors

_PANELS = (("%", "utilization"), ("°C", "temperature"), ("B", "memory"))
_PANEL_PX = 130
_HOST = "host memory"
_SILENT = 5  # a line is broken where nothing was read for so many of its periods


def gauge_figure(recording: Recording, duration_s: float) -> Figure | None:
    """The gauges over the time of the run; None where there is nothing to draw."""
    drawn = [(track, *series(track, duration_s)) for track in tracks(recording)]
    drawn = [(track, t, y) for track, t, y in drawn if len(t) > 1]
    panels = [(u, title) for u, title in _PANELS if any(x.source.unit == u for x, _, _ in drawn)]
    if not panels or duration_s <= 0:
        return None
    scale, unit = time_unit(duration_s)
    owners = list(dict.fromkeys(_owner(track) for track, _, _ in drawn))
    families = ["dram" if owner == _HOST else owner for owner in owners]
    colors = dict(zip(owners, domain_colors(families).values(), strict=True))
    height = 80 + _PANEL_PX * len(panels)
    share, gap = 1 / len(panels), 24 / (height - 80)
    last = "y" if len(panels) == 1 else f"y{len(panels)}"
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"t": 36, "b": 44, "l": 60, "r": 16},
        "hovermode": "x unified" if len(drawn) <= 12 else "closest",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {
            "title": {"text": f"time since the start ({unit})"},
            "range": [0, duration_s / scale],
            "anchor": last,
        },
    }
    data: list[dict[str, Any]] = []
    named: set[str] = set()
    for i, (of, title) in enumerate(panels):
        number = "" if i == 0 else str(i + 1)
        here = [(track, t, y) for track, t, y in drawn if track.source.unit == of]
        most = max(float(np.nanmax(y)) for _, _, y in here)
        per, shown = unit_of(most, of) if of == "B" else (1.0, of)
        layout[f"yaxis{number}"] = {
            "title": {"text": f"{title} ({shown})"},
            "zeroline": False,
            "rangemode": "tozero" if of != "°C" else "normal",
            "domain": [1 - (i + 1) * share + (gap if i + 1 < len(panels) else 0), 1 - i * share],
            "fixedrange": True,
            "nticks": 5,
        }
        for track, t, y in here:
            owner = _owner(track)
            whole = track.source.domain.endswith("/device_memory_bytes")
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": escape(owner),
                    "legendgroup": owner,
                    "showlegend": owner not in named,
                    "x": [float(f"{v:.7g}") for v in (t / scale).tolist()],
                    "y": [None if np.isnan(v) else float(f"{v:.5g}") for v in (y / per).tolist()],
                    "yaxis": f"y{number}",
                    "line": {
                        "width": 1.5,
                        "color": colors[owner],
                        "dash": "dot" if whole else "solid",
                    }
                    | ({"shape": "vh"} if track.counts else {}),
                    "hovertemplate": f"{title} %{{y:.4~g}} {shown}<extra>{escape(owner)}"
                    f"{', all on it' if whole else ''}</extra>",
                }
            )
            named.add(owner)
    return {"data": data, "layout": layout}


def _owner(track: Track) -> str:
    """What it is a figure of: `gpu:0`, `cpu`, or the run's or machine's own memory."""
    device, _, _ = track.source.domain.rpartition("/")
    return device or _HOST


def series(track: Track, duration_s: float, most: int = MAX_POINTS // 4) -> tuple[Array, Array]:
    """Times and values to draw; means of equal stretches where there are more than `most`.

    Not-a-number breaks the line where the gauge was silent.
    """
    t, y = track.series(duration_s)
    if len(t) > most:
        edges = np.linspace(float(t[0]), float(t[-1]), most + 1)
        into = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, most - 1)
        counts = np.bincount(into, minlength=most)
        sums = np.bincount(into, weights=y, minlength=most)
        means = np.divide(sums, counts, out=np.full(most, np.nan), where=counts > 0)
        return (edges[1:] if track.counts else (edges[1:] + edges[:-1]) / 2), means
    silent = _SILENT * max(track.source.update_period_s, MIN_WINDOW_S)
    breaks = np.flatnonzero(np.diff(t) > silent)
    if track.counts or not len(breaks):
        return t, y
    return np.insert(t, breaks + 1, t[breaks]), np.insert(y, breaks + 1, np.nan)
