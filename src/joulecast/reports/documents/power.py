"""The section "Power" of a run's report."""

import math
from collections.abc import Sequence

from ...analysis.power.behavior import PowerBehavior, Stability
from ...analysis.power.utilization import PowerByUtilization
from ...units import counted, format_duration, format_quantity, one_line
from ..words.common import INTERVAL
from .model import Block, Column, Line, Notes, Pairs, Plot, ReportTable, Section, Styled, figures

_BLOCKS = " ▁▂▃▄▅▆▇█"
# In a shorter run the drift over the run is shown, because a drift per hour extrapolates it.
_SHORT_S = 600.0
_CHANGES = {"cusum": "change of mean power", "fluss": "change of the shape of power, FLUSS"}


def power_section(behavior: PowerBehavior) -> Section:
    """The power profile, the stabilizing point, stability from there on, power by utilization."""
    figures_of = {
        "power": behavior.power,
        "energy of an epoch": behavior.epoch_energy,
        "duration of an epoch": behavior.epoch_duration,
    }
    if not behavior.profile_w:
        return Section("Power", [_stable_from(behavior)])
    blocks: list[Block] = [
        _profile(behavior),
        _stable_from(behavior),
        _stability(figures_of, behavior),
    ]
    if behavior.why_no_utilization is not None:
        blocks.append(Styled(f"Power against utilization: {behavior.why_no_utilization}", "dim"))
    else:
        blocks.append(Pairs([row for u in behavior.utilization for row in _utilization(u)]))
    reasons = [
        f"{name}: {why}"
        for name, stability in figures_of.items()
        if (why := stability.reason or stability.why_no_drift) is not None
    ]
    if behavior.notes or reasons:
        blocks.append(Notes([*behavior.notes, *reasons]))
    return Section("Power", blocks)


def _profile(behavior: PowerBehavior) -> Plot:
    """Power over the run as a row of blocks from 0 W up; dots where it was not measured."""
    profile = behavior.profile_w
    peak_w = max((w for w in profile if w is not None), default=0.0)
    row = (
        Styled("".join(_block(w, peak_w) for w in profile), "accent"),
        Styled(f"  {format_quantity(peak_w, 'W')}", "dim"),
    )
    lines: list[Line] = [row]
    stable_s = behavior.stabilizing.t_s
    if stable_s:
        at = min(len(profile) - 1, int(stable_s / behavior.duration_s * len(profile)))
        lines.append((" " * at, Styled("▲ stable from here on", "good")))
    return Plot(lines, min_width=len(profile) + 24)


def _block(power_w: float | None, peak_w: float) -> str:
    if power_w is None:
        return "·"
    height = power_w / peak_w if peak_w > 0 else 0.0
    return _BLOCKS[max(1, math.ceil(height * (len(_BLOCKS) - 1)))]


def _stable_from(behavior: PowerBehavior) -> Line:
    point = behavior.stabilizing
    if point.t_s is None:
        return Styled(f"When power becomes stable is unknown: {point.reason}", "warning")
    if point.before_w is None or point.after_w is None:
        return f"Power is stable from the start (no {_CHANGES[point.method]})."
    before, after = (format_quantity(w, "W") for w in (point.before_w, point.after_w))
    return (
        "Power is stable from ",
        Styled(format_duration(point.t_s), "strong"),
        f" on: {before} before, {after} after ({_CHANGES[point.method]}).",
    )


def _stability(rows: dict[str, Stability], behavior: PowerBehavior) -> ReportTable:
    per_hour = behavior.duration_s >= _SHORT_S
    columns = [
        Column(fit="cut"),
        *figures("n", "mean", "varies by", f"drift {'per hour' if per_hour else 'over the run'}"),
        *figures(INTERVAL, min_width=75),
    ]
    since = "from there on" if behavior.stabilizing.t_s else "over the run"
    caption = f"Stability {since}; varies by: standard deviation / mean."
    return ReportTable(columns, [_row(name, s, per_hour) for name, s in rows.items()], caption)


def _row(name: str, s: Stability, per_hour: bool) -> Sequence[str]:
    mean = "-" if s.mean is None else format_quantity(s.mean, s.unit)
    cv = "-" if s.cv is None else f"{s.cv * 100:.1f} %"
    drift = s.drift_pct_per_hour
    if drift is None or s.drift_pct is None:
        return name, f"{s.n:,}", mean, cv, "-", "-"
    scale = 1.0
    if not per_hour:
        scale = s.drift_pct / drift.value if drift.value else 0.0
    # Adding 0.0 turns -0.0 into 0.0.
    value, low, high = (round(x * scale, 1) + 0.0 for x in (drift.value, drift.low, drift.high))
    return name, f"{s.n:,}", mean, cv, f"{value:+.1f} %", f"{low:+.1f} to {high:+.1f} %"


def _utilization(u: PowerByUtilization) -> list[tuple[str, Line]]:
    gauge = one_line(u.gauge)
    if u.spearman is None or u.slope_w_per_pct is None or u.power_at_zero_w is None:
        return [(gauge, Styled(f"unknown: {u.reason}", "dim"))]
    idle = format_quantity(round(u.power_at_zero_w, 2) + 0.0, "W")
    text = (
        f"Spearman {u.spearman:+.2f}, {u.slope_w_per_pct:+.3g} W per %, {idle} at 0 %  "
        f"({', '.join(u.domains)}, {counted(u.n, 'step')})"
    )
    rows: list[tuple[str, Line]] = [(gauge, text)]
    return rows if u.caution is None else [*rows, ("", Styled(u.caution, "warning"))]
