"""The report of one run: `joulecast show`, `joulecast report`, and a run in a notebook."""

import math
from collections.abc import Sequence

from ...estimate import Estimate
from ...recording.summary import Summary
from ...run.show import RunReport
from ...units import format_duration, format_quantity, one_line
from ..words.common import (
    INTERVAL,
    are_apart,
    bounds_text,
    command_text,
    domains_text,
    epoch_count,
    epoch_estimate,
    lead,
    mean_power,
    metric_text,
    missing,
    mix_text,
    outside_text,
    percent,
    range_text,
    share,
    shared_text,
    status_text,
    uncertainty_text,
    watt_hours,
    when,
)
from ..words.environment import brief
from ..words.gauges import gauge_rows, throttled_text
from ..words.spans import Elided, ends, group_spans
from .model import (
    Block,
    Column,
    Document,
    Line,
    Pairs,
    ReportTable,
    Section,
    Style,
    Styled,
    figures,
    notes,
    provenance,
)
from .power import power_section

MAX_ROWS = 30
"""Rows of a table of spans before the middle is left out."""
MAX_METRICS = 5
# Columns of a terminal that has room for everything.
_WIDE = 100
_STATUS: dict[str, Style] = {
    "running": "accent",
    "finished": "good",
    "failed": "bad",
    "canceled": "warning",
    "stopped": "warning",
    "interrupted": "warning",
}
_ENERGY = [*figures("energy"), Column(INTERVAL), Column(style="accent", min_width=75)]


def report_document(report: RunReport) -> Document:
    """A run with the section on its power."""
    document = summary_document(report.summary)
    after_tables = 1 + max(
        (i for i, s in enumerate(document.sections) if isinstance(s.blocks[0], ReportTable)),
        default=-1,
    )
    sections = list(document.sections)
    if report.summary.domains:
        sections.insert(after_tables, power_section(report.power))
    return Document(document.head, sections)


def summary_document(summary: Summary) -> Document:
    """The figures of a run, and what is missing in them."""
    tables: dict[str, list[Block]] = {
        "Energy by domain": [_domains(summary), "", Pairs(_sources(summary))]
        if summary.domains
        else [],
        "Utilization, temperature and memory": [_gauges(summary)] if summary.gauges else [],
        "Energy by epoch": [_epochs(summary)] if summary.epochs else [],
        "Other spans": [_spans(summary)] if summary.spans else [],
    }
    sections = [Section(title, blocks) for title, blocks in tables.items() if blocks]
    in_epochs = {name for e in summary.epochs for name in e.metrics}
    metrics = [(k, metric_text(v)) for k, v in summary.metrics.items() if k not in in_epochs]
    environment = brief(summary.recording.header.environment)
    for title, rows in (("Metrics, last value", metrics), ("Environment", environment)):
        if rows:
            sections.append(Section(title, [Pairs(rows)]))
    sections += notes("Warnings", summary.warnings, "!", "warning")
    sections += notes("Not in this report", missing(summary))
    return Document(_head(summary), sections)


def _head(summary: Summary) -> list[Block]:
    header = summary.recording.header
    about = [f"run {header.run_id}", f"scope {header.scope}"]
    about += [f"group {header.group}"] if header.group else []
    about += [f"{key}={value}" for key, value in header.tags.items()]
    head: list[Block] = [
        (
            Styled(one_line(header.name) or "(no name)", "strong"),
            "  ",
            Styled(status_text(summary), _STATUS[str(summary.recording.status)]),
            Styled(f"  {when(header.started_at)}, {format_duration(summary.duration_s)}", "dim"),
        ),
        Styled("  ".join(about), "dim"),
    ]
    if header.command:
        head.append(Styled(f"$ {command_text(summary)}", "dim"))
    return [*head, "", *_energy(summary)]


def _energy(summary: Summary) -> list[Block]:
    total = summary.total
    if total is None:
        return [Styled("Energy unknown", "warning")]
    power = mean_power(summary)
    average = f", {format_quantity(power.value, 'W')} on average" if power else ""
    mix = f"{text}; " if (text := mix_text(total)) else ""
    lines: list[Block] = [
        (
            Styled(f"{lead(total)} ", "strong"),
            provenance(total.provenance),
            f"  {INTERVAL} {range_text(total)}",
        ),
        Styled(f"{mix}{watt_hours(total)}{average}", "dim"),
    ]
    if summary.above_idle is not None:
        above = summary.above_idle
        lines.append((Styled(lead(above), "strong"), f"  above idle, {range_text(above)}"))
    if summary.wall is not None:
        wall = summary.wall
        text = f"  at the wall, {range_text(wall)}  "
        lines.append((Styled(lead(wall), "strong"), text, provenance(wall.provenance)))
    if summary.forecast_record is not None and summary.forecast_record.is_shown:
        lines.append(Styled(f"forecasts: {summary.forecast_record}", "dim"))
    if throttled := throttled_text(summary.gauges):
        lines.append((Styled("throttled", "warning"), f"  {throttled}"))
    each = epoch_estimate(summary)
    if each:
        lines.append(Styled(f"{epoch_count(summary)}: {each}", "dim"))
    outside = outside_text(summary)
    if outside:
        lines.append(Styled(f"outside the epochs {outside}", "dim"))
    return lines


def _domains(summary: Summary) -> ReportTable:
    rows: list[list[Line]] = []
    apart = are_apart(d.energy for d in summary.domains)
    for d in summary.domains:
        part = share(d, summary)
        bar = Styled(_bar(part, 10), d.energy.provenance.value)
        power = format_quantity(d.mean_power_w, "W") if d.measured_s > 0 else "unknown"
        figures_of: list[Line] = [lead(d.energy), bounds_text(d.energy), power]
        figures_of[2:2] = [bounds_text(d.energy.as_metered)] if apart else []
        kind = provenance(d.energy.provenance)
        rows.append(
            [d.source.domain, *figures_of, (bar, f" {percent(part):>6}"), kind, d.source.device]
        )
    columns = [
        Column("domain"),
        *figures("energy"),
        Column(INTERVAL),
        *([Column("as metered", min_width=_WIDE)] if apart else []),
        *figures("mean"),
        Column("share"),
        Column(),
        Column("device", fit="cut", style="dim", min_width=_WIDE),
    ]
    return ReportTable(columns, rows)


def _sources(summary: Summary) -> list[tuple[str, Line]]:
    """How the figures were obtained: a row for each source, with its domains."""
    domains: dict[tuple[str, str], list[str]] = {}
    for d in summary.domains:
        s = d.source
        how = f"{s.source}, {uncertainty_text(s)} ({s.uncertainty.origin})"
        domains.setdefault((s.domain.partition(":")[0], how), []).append(s.domain)
    return [(domains_text(names), how) for (_, how), names in domains.items()]


def _gauges(summary: Summary) -> ReportTable:
    rows: list[list[Line]] = []
    for name, values, about in gauge_rows(summary.gauges):
        cells: Sequence[Line] = values or [Styled("unknown", "warning"), "", "", ""]
        rows.append([name, *cells, about])
    columns = [Column(), *figures("mean", "min", "max", "last")]
    return ReportTable([*columns, Column("source", fit="fold", style="dim")], rows)


def _epochs(summary: Summary) -> ReportTable:
    names = list(dict.fromkeys(name for e in summary.epochs for name in e.metrics))
    shown, hidden = names[:MAX_METRICS], names[MAX_METRICS:]
    largest = max((e.energy.value for e in summary.epochs if e.energy), default=0.0)
    apart = are_apart(e.energy for e in summary.epochs)
    rows: list[list[Line]] = []
    for item in ends(summary.epochs, MAX_ROWS):
        if isinstance(item, Elided):
            rows.append(_elided(item, 5 + len(shown)))
            continue
        label: Line = "?" if item.span.index is None else str(item.span.index + 1)
        if item.span.end_s is None:
            label = (f"{label}", Styled(" (unfinished)", "warning"))
        values = [metric_text(item.metrics[n]) if n in item.metrics else "" for n in shown]
        duration = format_duration(item.duration_s)
        rows.append([label, duration, *_energy_cells(item.energy, largest, apart), *values])
    # On a terminal of 80 columns there is room for two metrics.
    metrics = [
        Column(name, "right", "cut", min_width=0 if i < 2 else _WIDE)
        for i, name in enumerate(shown)
    ]
    captions = [shared_text(summary.total)] if apart else []
    captions += [f"not shown: {', '.join(hidden)}"] if hidden else []
    columns = [*figures("epoch", "duration"), *_ENERGY, *metrics]
    return ReportTable(columns, rows, "\n".join(captions))


def _spans(summary: Summary) -> ReportTable:
    groups = group_spans(summary)
    largest = max((g.energy.value for g in groups if g.energy), default=0.0)
    apart = are_apart(g.energy for g in groups)
    rows: list[list[Line]] = []
    for item in ends(groups, MAX_ROWS):
        if isinstance(item, Elided):
            rows.append(_elided(item, 6))
            continue
        outer = Styled("".join(f"{name} / " for name in item.path[:-1]), "dim")
        is_open = Styled(" (unfinished)" if item.unfinished else "", "warning")
        duration = format_duration(item.duration_s)
        cells = _energy_cells(item.energy, largest, apart)
        rows.append([(outer, item.name, is_open), f"{item.count:,}", duration, *cells])
    columns = [Column("span", fit="cut"), *figures("count", "duration"), *_ENERGY]
    return ReportTable(columns, rows, shared_text(summary.total) if apart else "")


def _elided(item: Elided, columns: int) -> list[Line]:
    return ["...", Styled(f"{item.count:,} more", "dim"), *[""] * (columns - 2)]


def _energy_cells(energy: Estimate | None, largest: float, apart: bool) -> list[Line]:
    """The cells energy, interval (as metered where that is `apart`) and bar."""
    if energy is None:
        return [Styled("unknown", "warning"), "", ""]
    bar = _bar(energy.value / largest if largest > 0 else 0.0, 12)
    return [lead(energy), bounds_text(energy.as_metered if apart else energy), bar]


def _bar(fraction: float, width: int) -> str:
    """A bar of heavy lines, to half a column, padded to `width`."""
    halves = round(max(0.0, min(1.0, fraction)) * width * 2) if math.isfinite(fraction) else 0
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(width)
