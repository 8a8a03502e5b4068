"""Parts of the reports that are still drawn with rich directly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def plain_table() -> Table:
    """A table with one rule below its head and no edge."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim", padding=(0, 1))


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
