"""What `joulecast interaction` shows in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...analysis.statistics.interaction import FactorEffect, Interaction
from ...units import format_number, one_line
from .fitting_table import fitting_table
from .run import notes, section

if TYPE_CHECKING:
    from rich.console import Console

METHODS = {
    "anova": "two-way analysis of variance",
    "art": "aligned rank transform (Wobbrock et al. 2011)",
}


def render_interaction(found: Interaction, console: Console) -> None:
    """Print the finding, the effects, the medians of all cells, and what to know of them."""
    from rich.text import Text

    weighed = found.rows - sum(found.left_out.values())
    console.print(Text.assemble((one_line(found.title, 200), "bold"), f"  {weighed:,} runs"))
    console.print()
    console.print(Text(found.finding, "bold"))
    method = f"{METHODS[found.method]}, sums of squares of type {found.sums}: {found.why}"
    console.print(Text(method, "dim"))
    section(console, "Effects")
    titles = ("effect", "df", "F", "p", "partial eta²")
    rows = [_effect(e) for e in found.effects]
    console.print(fitting_table(console.width, titles, rows))
    for e in found.effects:
        if e.reason is not None:
            console.print(Text(f"{one_line(e.name)}: {e.reason}", "yellow"))
    section(console, f"Medians of {one_line(found.value)}")
    _medians(found, console)
    left = [f"{n:,} row{'s' * (n != 1)}: {one_line(r)}" for r, n in found.left_out.items()]
    notes(console, "Left out", left, "-", "yellow")
    notes(console, "Notes", found.notes, "-", "dim")


def _effect(e: FactorEffect) -> tuple[str, str, str, str, str]:
    df = f"{e.df}, {e.df_error}"
    if e.f is None or e.p is None or e.partial_eta_squared is None:
        return one_line(e.name), df, "-", "-", "-"
    p = "< 0.001" if e.p < 0.001 else f"{e.p:.3f}"
    return one_line(e.name), df, format_number(e.f), p, f"{e.partial_eta_squared:.2f}"


def _medians(found: Interaction, console: Console) -> None:
    """Levels of a down, those of b across: as many tables as it takes."""
    from rich.text import Text

    at = {(c.a, c.b): c for c in found.cells}
    least = found.least
    across = max(1, (console.width - 24) // 18)
    for start in range(0, len(found.levels_b), across):
        columns = found.levels_b[start : start + across]
        rows: list[list[str | Text]] = []
        for a in found.levels_a:
            row: list[str | Text] = [one_line(a)]
            for b in columns:
                cell = at.get((a, b))
                if cell is None:
                    row.append(Text("not run", "dim"))
                    continue
                figure = found.unit.text(cell.median.value)
                row.append(f"{figure}*" if least[b] == a else f"{figure} ")
            rows.append(row)
        titles = [one_line(found.a, 24), *(one_line(b, 16) for b in columns)]
        console.print(fitting_table(console.width, titles, rows))
    console.print(Text("* the lowest of its column", "dim"))
