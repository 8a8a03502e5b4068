"""What a study found, in the terminal: the findings, the configurations, what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...study.findings.findings import Findings
from ...study.findings.measures import Measure
from ...units import format_quantity, one_line
from ..words import study as says
from ..words.common import percent
from ..words.spans import Elided, ends
from .run import notes, pairs, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_ROWS = 30
MOST_FAILURES = 8
_LABELS = {"A": "green", "B": "green", "C": "green", "D": "yellow", "E": "yellow", "F": "red"}


def render_study_text(found: Findings, console: Console) -> None:
    """Print the report of a study in short; the page holds the rest."""
    from rich.text import Text

    done = found.counts.get("finished", 0)
    title = Text.assemble((one_line(found.name) or "(no name)", "bold"), "  ")
    title.append(f"{done:,} of {found.counts.get('planned', 0):,} runs finished", "dim")
    console.print(title)
    console.print()
    first, *more = says.headlines(found) or [""]
    console.print(Text(first, "bold"))
    pairs(console, [("-", line) for line in more])
    if found.groups:
        section(console, "Configurations, medians")
        console.print(_configurations(found, console.width))
    section(console, "How it was measured")
    site = found.footprint.whole.site
    rows = says.plan_rows(found)[len(found.factors) + len(found.held) :]
    pairs(console, [*rows, ("carbon by", f"{site}; {site.source}")])
    failed = [
        f"{one_line(f.configuration)}: {says.status_text(f.status)}"
        + (f": {one_line(f.error, 120)}" if f.error else "")
        for f in found.failures
    ]
    left = len(failed) - MOST_FAILURES
    shown = failed[:MOST_FAILURES] + ([f"{left:,} more"] if left > 0 else [])
    notes(console, "Runs that failed", shown, "!", "red")
    notes(console, "Not in this report", [one_line(m, 300) for m in found.missing], "-", "dim")


def _configurations(found: Findings, width: int) -> Table:
    from rich.text import Text

    weighed = {c.name: c for c in found.tradeoff.configurations} if found.tradeoff else {}
    shown = _shown(found, width)
    table = plain_table()
    table.add_column("", no_wrap=True)
    room = max(14, width - 14 - 12 * len(shown) - (11 if weighed else 0) - 10 * (width >= 100))
    table.add_column("configuration", overflow="ellipsis", no_wrap=True, max_width=room)
    table.add_column("runs", justify="right", no_wrap=True)
    for m in shown:
        table.add_column(Text(one_line(m.label, 14)), justify="right", no_wrap=True)
    if weighed:
        table.add_column("front", no_wrap=True)
    if width >= 100:
        table.add_column("CO2e", justify="right", no_wrap=True)

    def cost(name: str) -> float:
        group = of[name]
        median = group.medians.get(found.energy.column)
        return float("inf") if median is None else median.value

    of = {g.name: g for g in found.groups}
    for item in ends(sorted(of, key=cost), MOST_ROWS):
        if isinstance(item, Elided):
            table.add_row("", Text(f"{item.count:,} more", "dim"))
            continue
        group, c = of[item], weighed.get(item)
        label = c.label if c and c.label else ""
        row = [Text(label, f"bold {_LABELS.get(label, 'red')}"), Text(one_line(item))]
        count = Text(str(len(group.rows)))
        if group.failed:
            count.append(f" +{group.failed}", "red")
        row.append(count)
        for m in shown:
            median = group.medians.get(m.column)
            unknown = median is None
            row.append(Text(m.text(None if median is None else median.value), "dim" * unknown))
        if weighed:
            share = "" if c is None or c.front_share is None else f" {percent(c.front_share)}"
            row.append(Text(f"yes{share}", "green") if c and c.on_front else Text(""))
        if width >= 100:
            carbon = found.footprint.groups.get(item)
            grams = carbon.operational if carbon else None
            row.append(Text("" if grams is None else format_quantity(grams.value, "g")))
        table.add_row(*row)
    return table


def _shown(found: Findings, width: int) -> list[Measure]:
    """Energy and quality, and as many more as there is room for."""
    return list(found.measures[: 2 + max(0, (width - 80) // 16)])
