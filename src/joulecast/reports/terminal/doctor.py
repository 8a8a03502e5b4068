"""What `joulecast doctor` shows in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...run.checkup import Checkup, DomainNow
from ...units import format_duration
from ..words.common import INTERVAL, percent, range_text, uncertainty_text
from ..words.environment import environment_rows
from ..words.gauges import gauge_text, label
from .run import lead, notes, pairs, plain_table, provenance_style, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SCOPES = {
    "machine": "all of this machine; `joulecast run` counts, if not told otherwise, only the GPUs "
    "its command sees and its command's share of processor and memory",
    "process": "this process only, as `joulecast run` counts its command: next to nothing, for it "
    "only waits; --scope machine shows the whole",
}


def render_doctor(checkup: Checkup, console: Console) -> None:
    """Print what can be measured, what cannot and what to do, and the uncertainty to expect."""
    from rich.text import Text

    wide = console.width >= 100
    _verdict(checkup, console)
    if checkup.domains:
        section(console, f"Power now, over {format_duration(checkup.watched_s)}")
        console.print(_now(checkup, wide))
        console.print(Text(f"Scope {checkup.scope}: {_SCOPES[checkup.scope]}.", "dim"))
        section(console, "Where the figures come from, and how sure they are")
        _sources(checkup, console)
    if checkup.gauges:
        section(console, "Read beside energy, once a second")
        console.print(_gauges(checkup, wide))
    if checkup.unavailable:
        section(console, "Not measured here")
        _unavailable(checkup, console)
    notes(console, "Warnings", checkup.warnings, "!", "yellow")
    rows = environment_rows(checkup.environment)
    if rows:
        section(console, "Environment")
        pairs(console, rows)


def _verdict(checkup: Checkup, console: Console) -> None:
    from rich.text import Text

    working = [d for d in checkup.domains if d.power is not None]
    if not working:
        console.print(Text("No energy can be measured here.", "bold red"))
        return
    kinds: dict[str, list[str]] = {}
    for d in working:
        kinds.setdefault(str(d.source.provenance), []).append(d.source.domain)
    text = "; ".join(f"{', '.join(domains)} {kind}" for kind, domains in kinds.items())
    console.print(Text(f"Energy can be told here: {text}.", "bold"))
    if checkup.relative:
        low, high = checkup.relative
        line = (
            f"Expect totals within -{percent(low)} to +{percent(high)} ({INTERVAL}, at this load)."
        )
        console.print(Text(line))


def _gauges(checkup: Checkup, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("", no_wrap=True)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("what is read", overflow="fold" if wide else "ellipsis", style="dim")
    for gauge in checkup.gauges:
        value = gauge_text(gauge.value, gauge.source.unit)
        about = "; ".join(filter(None, (gauge.source.source, gauge.reason)))
        style = "yellow" if gauge.value is None else ""
        table.add_row(Text(" ".join(label(gauge.source.domain))), Text(value, style), Text(about))
    return table


def _now(checkup: Checkup, wide: bool) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("domain", no_wrap=True)
    table.add_column("power", justify="right", no_wrap=True)
    table.add_column(INTERVAL, no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("device", overflow="fold", style="dim")
    for d in checkup.domains:
        kind = Text(str(d.source.provenance), provenance_style(d.source.provenance))
        table.add_row(Text(d.source.domain), *_power(d), kind, Text(d.source.device))
    total = checkup.total
    if total is not None and len(checkup.domains) > 1:
        table.add_section()
        kind = Text(str(total.provenance), provenance_style(total.provenance))
        table.add_row("total", lead(total), range_text(total), kind, "")
    return table


def _power(d: DomainNow) -> tuple[str, str]:
    if d.power is None:
        return "unknown", d.reason
    return lead(d.power), range_text(d.power)


def _sources(checkup: Checkup, console: Console) -> None:
    rows = []
    for d in checkup.domains:
        s = d.source
        resolved = (
            f"; resolves windows from {format_duration(d.shortest_s)} on" if d.shortest_s else ""
        )
        origin = f" ({s.uncertainty.origin})" if s.uncertainty.origin else ""
        rows.append((s.domain, f"{s.source}: {uncertainty_text(s)}{origin}{resolved}"))
    pairs(console, rows)


def _unavailable(checkup: Checkup, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for u in checkup.unavailable:
        grid.add_row(Text(u.domain), Text(f"{u.source}: {u.reason}"))
        if u.remedy:
            grid.add_row("", Text.assemble(("what to do: ", "cyan"), u.remedy))
    console.print(grid)
