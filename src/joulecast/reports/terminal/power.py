"""What `joulecast power` shows in the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...analysis.power.behavior import Load, PowerBehavior, Stability
from ...analysis.table.columns import Array
from ...units import format_duration, format_quantity, one_line
from ..words.common import INTERVAL
from .fitting_table import fitting_table
from .run import notes, provenance_style, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SHORT_S = 600.0  # of a run below which a drift per hour is no hour's


def render_power(found: PowerBehavior, console: Console) -> None:
    """Print the trace, the stabilizing point, the stability after it, and power against load."""
    from rich.text import Text

    title = Text.assemble((one_line(found.name) or "(no name)", "bold"), f"  run {found.run_id}  ")
    title.append(format_duration(found.duration_s), "dim")
    if found.provenance is not None:
        title.append(f"  {found.provenance}", provenance_style(found.provenance))
    console.print(title)
    console.print()
    if found.trace is not None:
        width = max(20, min(100, console.width - 12))
        console.print(_line(found.trace.total_w, width))
        t = found.stabilizing.t_s
        if t:
            at = min(width - 1, int(t / (len(found.trace.t_s) * found.trace.step_s) * width))
            console.print(Text(" " * at + "▲ stable from here on", "green"))
    console.print(_point(found))
    section(console, "From there on" if found.stabilizing.t_s else "Over the run")
    rows = [
        _row("power", found.power, found.duration_s),
        _row("energy of an epoch", found.epoch_energy, found.duration_s),
        _row("duration of an epoch", found.epoch_duration, found.duration_s),
    ]
    per = "per hour" if found.duration_s >= _SHORT_S else "over the run"
    titles = ["", "n", "mean", "varies by", f"drift {per}"]
    if console.width >= 75:
        titles.append(INTERVAL)
    console.print(fitting_table(console.width, titles, [row[: len(titles)] for row in rows]))
    console.print(Text("varies by: standard deviation over mean", "dim"))
    section(console, "Power against utilization")
    for load in found.loads:
        console.print(_load(load))
        if load.caution is not None:
            console.print(Text(f"  {load.caution}", "yellow"))
    if found.why_no_loads is not None:
        console.print(Text(f"unknown: {found.why_no_loads}", "dim"))
    remarks = [
        f"{name}: {why}"
        for name, s in (
            ("power", found.power),
            ("energy of an epoch", found.epoch_energy),
            ("duration of an epoch", found.epoch_duration),
        )
        if (why := s.reason or s.why_no_drift) is not None
    ]
    notes(console, "Notes", [*found.notes, *remarks], "-", "dim")


def _line(watts: Array, width: int) -> Text:
    """The trace as a line of blocks from 0 W up, dots where nothing was measured."""
    from rich.text import Text

    most = float(np.nanmax(watts)) if not np.isnan(watts).all() else 0.0
    parts = np.array_split(watts, min(width, len(watts)))
    line = Text()
    for part in parts:
        known = part[~np.isnan(part)]
        if not len(known):
            line.append("·", "dim")
            continue
        height = float(known.mean()) / most if most > 0 else 0.0
        line.append(_BLOCKS[max(1, math.ceil(height * (len(_BLOCKS) - 1)))], "cyan")
    return line.append(f"  {format_quantity(most, 'W')}", "dim")


def _point(found: PowerBehavior) -> Text:
    from rich.text import Text

    point = found.stabilizing
    how = {"cusum": "change of mean power", "fluss": "change of the shape of power, FLUSS"}
    if point.t_s is None:
        return Text(f"When power becomes stable is unknown: {point.reason}", "yellow")
    if point.before_w is None or point.after_w is None:
        return Text(f"Power is stable from the start (no {how[point.method]})")
    before, after = (format_quantity(w, "W") for w in (point.before_w, point.after_w))
    moved = f"{before} before, {after} after"
    text = Text.assemble(("Power is stable from ", ""), (format_duration(point.t_s), "bold"))
    return text.append(f" on: {moved} ({how[point.method]})")


def _row(name: str, s: Stability, duration_s: float) -> tuple[str, str, str, str, str, str]:
    mean = "-" if s.mean is None else format_quantity(s.mean, s.unit)
    cv = "-" if s.cv is None else f"{s.cv * 100:.1f} %"
    if s.drift_pct_per_hour is None or s.drift_pct is None:
        return name, f"{s.n:,}", mean, cv, "-", "-"
    value, low, high = s.drift_pct_per_hour
    if duration_s < _SHORT_S:
        scale = s.drift_pct / value if value else 0.0
        value, low, high = s.drift_pct, low * scale, high * scale
    value, low, high = (round(x, 1) + 0.0 for x in (value, low, high))  # and no -0.0
    return name, f"{s.n:,}", mean, cv, f"{value:+.1f} %", f"{low:+.1f} to {high:+.1f} %"


def _load(load: Load) -> Text:
    from rich.text import Text

    text = Text.assemble((one_line(load.gauge), "bold"), "  ")
    if load.rho is None or load.slope_w is None or load.at_zero_w is None:
        return text.append(f"unknown: {load.reason}", "dim")
    idle = format_quantity(round(load.at_zero_w, 2) + 0.0, "W")  # and no -0
    told = f"Spearman {load.rho:+.2f}, {load.slope_w:+.3g} W per %, {idle} at 0 %"
    return text.append(f"{told}  ({', '.join(load.domains)}, {load.n:,} steps)")
