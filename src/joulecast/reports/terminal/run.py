"""The report of a run in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...recording.summary import Summary
from ...units import Estimate, Provenance, format_duration, format_quantity, one_line
from ..words.common import (
    INTERVAL,
    command_text,
    domains_text,
    epoch_estimate,
    lead,
    mean_power,
    metric_text,
    missing,
    mix_text,
    percent,
    range_text,
    share,
    status_text,
    uncertainty_text,
    watt_hours,
    when,
)
from ..words.environment import brief
from ..words.gauges import gauge_rows
from ..words.spans import Elided, ends, group_spans

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MOST_ROWS = 30
"""Rows of a table of spans before the middle is left out."""

_STATUS_STYLE = {
    "running": "cyan",
    "finished": "green",
    "failed": "red",
    "stopped": "yellow",
    "interrupted": "yellow",
}
_PROVENANCE_STYLE = {
    Provenance.MEASURED: "green",
    Provenance.MODELLED: "yellow",
    Provenance.ASSUMED: "magenta",
}


def render_text(summary: Summary, console: Console) -> None:
    """Print the whole report of a run, as wide as the console is, 60 columns or more."""
    wide = console.width >= 100
    _headline(summary, console)
    if summary.domains:
        section(console, "Energy by domain")
        console.print(_domains(summary, wide))
        console.print()
        pairs(console, _sources(summary))
    if summary.gauges:
        section(console, "Utilization, temperature and memory")
        console.print(_gauges(summary, wide))
    if summary.epochs:
        section(console, "Energy by epoch")
        console.print(_epochs(summary, wide))
    if summary.spans:
        section(console, "Other spans")
        console.print(_spans(summary, wide))
    shown = {name for e in summary.epochs for name in e.metrics}
    metrics = [(k, metric_text(v)) for k, v in summary.metrics.items() if k not in shown]
    if metrics:
        section(console, "Metrics, last value")
        pairs(console, metrics)
    rows = brief(summary.recording.header.environment)
    if rows:
        section(console, "Environment")
        pairs(console, rows)
    notes(console, "Warnings", summary.warnings, "!", "yellow")
    notes(console, "Not in this report", missing(summary), "-", "dim")


# --- headline ------------------------------------------------------------------------------------


def _headline(summary: Summary, console: Console) -> None:
    from rich.text import Text

    header = summary.recording.header
    style = _STATUS_STYLE[str(summary.recording.status)]
    title = Text.assemble(
        (one_line(header.name) or "(no name)", "bold"), "  ", (status_text(summary), style), "  "
    )
    title.append(f"{when(header.started_at)}, {format_duration(summary.duration_s)}", "dim")
    console.print(title)
    about = [f"run {header.run_id}", f"scope {header.scope}"]
    about += [f"group {header.group}"] if header.group else []
    about += [f"{key}={value}" for key, value in header.tags.items()]
    console.print(Text("  ".join(about), "dim"))
    if header.command:
        console.print(Text(f"$ {command_text(summary)}", "dim"))
    console.print()
    total = summary.total
    if total is None:
        console.print(Text("Energy unknown", "bold yellow"))
        return
    line = Text.assemble(
        (lead(total), "bold"),
        f"  {INTERVAL} {range_text(total)}  ",
        (str(total.provenance), provenance_style(total.provenance)),
    )
    line.append(f"  {watt_hours(total)}", "dim")
    power = mean_power(summary)
    if power:
        line.append(f", {format_quantity(power.value, 'W')} on average", "dim")
    console.print(line)
    if total.mix:
        console.print(Text(mix_text(total), "dim"))
    if summary.above_idle is not None:
        above = summary.above_idle
        console.print(Text.assemble((lead(above), "bold"), f"  above idle, {range_text(above)}"))
    if summary.wall is not None:
        wall = summary.wall
        kind = str(wall.provenance)
        line = Text.assemble((lead(wall), "bold"), f"  at the wall, {range_text(wall)}  ")
        console.print(line.append(kind, provenance_style(wall.provenance)))
    each = epoch_estimate(summary.epochs)
    if each:
        planned = header.planned_epochs
        count = f"{len(summary.epochs)} of {planned}" if planned else str(len(summary.epochs))
        console.print(Text(f"{count} epochs, {each} each", "dim"))


def provenance_style(provenance: Provenance) -> str:
    """The color that a provenance has everywhere."""
    return _PROVENANCE_STYLE[provenance]


# --- tables --------------------------------------------------------------------------------------


def plain_table() -> Table:
    """A table with one rule below its head and no edge."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim", padding=(0, 1))


def _domains(summary: Summary, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("domain", no_wrap=True)
    table.add_column("energy", justify="right", no_wrap=True)
    table.add_column(INTERVAL, no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("share", no_wrap=True)
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("device", overflow="ellipsis", no_wrap=True, style="dim")
    for d in summary.domains:
        style = provenance_style(d.energy.provenance)
        part = share(d, summary)
        bar = Text(_bar(part, 10), style).append(f"{percent(part):>6}", "default")
        row: list[str | Text] = [
            Text(d.source.domain),
            lead(d.energy),
            range_text(d.energy),
            format_quantity(d.mean_power_w, "W") if d.measured_s > 0 else "unknown",
            bar,
            Text(str(d.energy.provenance), style),
        ]
        table.add_row(*row, *([Text(d.source.device)] if wide else []))
    return table


def _sources(summary: Summary) -> list[tuple[str, str]]:
    """How the figures were obtained: a row for each source, with the domains it gave."""
    found: dict[tuple[str, str], list[str]] = {}
    for d in summary.domains:
        s = d.source
        how = f"{s.source}, {uncertainty_text(s)} ({s.uncertainty.origin})"
        found.setdefault((s.domain.partition(":")[0], how), []).append(s.domain)
    return [(domains_text(domains), how) for (_, how), domains in found.items()]


def _gauges(summary: Summary, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("", no_wrap=True)
    for title in ("mean", "least", "most", "last"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("what was read", overflow="fold" if wide else "ellipsis", style="dim")
    for name, figures, about in gauge_rows(summary.gauges):
        cells: Sequence[str | Text] = figures or [Text("unknown", "yellow"), "", "", ""]
        table.add_row(Text(name), *cells, Text(about))
    return table


def _epochs(summary: Summary, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    names = list(dict.fromkeys(name for e in summary.epochs for name in e.metrics))
    shown = names[: 5 if wide else 2]
    for title in ("epoch", "duration", "energy"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(INTERVAL, no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in shown:
        table.add_column(Text(name), justify="right", max_width=14, overflow="ellipsis")
    most = max((e.energy.value for e in summary.epochs if e.energy), default=0.0)
    for item in ends(summary.epochs, MOST_ROWS):
        if isinstance(item, Elided):
            table.add_row("...", Text(f"{item.count:,} more", "dim"))
            continue
        label = Text("?" if item.span.index is None else str(item.span.index))
        if item.span.end_s is None:
            label.append(" (open)", "yellow")
        values = [metric_text(item.metrics[n]) if n in item.metrics else "" for n in shown]
        table.add_row(
            label,
            format_duration(item.duration_s),
            *_figures(item.energy, most, 20 if wide else 10),
            *values,
        )
    if len(names) > len(shown):
        table.caption = Text(f"not shown: {', '.join(names[len(shown) :])}")
        table.caption_justify = "left"
    return table


def _spans(summary: Summary, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("span", overflow="ellipsis", no_wrap=True, max_width=40 if wide else 18)
    for title in ("count", "duration", "energy"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(INTERVAL, no_wrap=True)
    table.add_column("", no_wrap=True)
    groups = group_spans(summary)
    most = max((g.energy.value for g in groups if g.energy), default=0.0)
    for item in ends(groups, MOST_ROWS):
        if isinstance(item, Elided):
            table.add_row("...", "", Text(f"{item.count:,} more", "dim"))
            continue
        label = Text("".join(f"{name} / " for name in item.path[:-1]), "dim")
        label.append(item.name, "default")
        if item.unfinished:
            label.append(" (open)", "yellow")
        table.add_row(
            label,
            f"{item.count:,}",
            format_duration(item.duration_s),
            *_figures(item.energy, most, 20 if wide else 8),
        )
    return table


def _figures(energy: Estimate | None, most: float, width: int) -> list[str | Text]:
    """The cells energy, interval and bar."""
    from rich.text import Text

    if energy is None:
        return [Text("unknown", "yellow"), "", ""]
    bar = _bar(energy.value / most if most > 0 else 0.0, width)
    return [lead(energy), range_text(energy), Text(bar, "cyan")]


def _bar(fraction: float, width: int) -> str:
    """A bar of heavy lines, to half a column, padded to `width`."""
    halves = round(max(0.0, min(1.0, fraction)) * width * 2) if math.isfinite(fraction) else 0
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(width)


# --- the rest ------------------------------------------------------------------------------------


def section(console: Console, title: str) -> None:
    """The title of the next part."""
    from rich.text import Text

    console.print()
    console.print(Text(title, "bold"))


def pairs(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Labels and texts in two columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text(label), Text(text))
    console.print(grid)


def notes(console: Console, title: str, texts: Sequence[str], mark: str, style: str) -> None:
    """A titled list, or nothing where it is empty."""
    from rich.table import Table
    from rich.text import Text

    if not texts:
        return
    section(console, title)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style=style)
    grid.add_column(overflow="fold")
    for note in texts:
        grid.add_row(mark, Text(note))
    console.print(grid)
