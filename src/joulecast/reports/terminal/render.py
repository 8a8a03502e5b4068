"""Report documents in the terminal, by rich."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...units import printable
from ..documents.model import Block, Column, Document, Line, Notes, Pairs, Plot, ReportTable, Styled
from ..documents.model import Section as DocumentSection

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment
    from rich.table import Table as RichTable
    from rich.text import Text

_STYLES = {
    "strong": "bold",
    "good": "bold green",
    "warning": "yellow",
    "bad": "bold red",
    "accent": "cyan",
    "measured": "green",
    "modelled": "yellow",
    "assumed": "magenta",
}
_PIPE_WIDTH = 120
# Columns that a name keeps.
_MIN_CUT = 8


def print_document(document: Document, console: Console | None = None) -> None:
    """Print a document, as wide as the console (that of stdout by default)."""
    from rich.console import Console

    # A pipe or a file has no width, and figures must not be cut in it.
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = console or Console(highlight=False, width=None if has_width else _PIPE_WIDTH)
    _print_blocks(document.head, console)
    for section in document.sections:
        _print_section(section, console)


def to_text(document: Document, width: int = 100) -> str:
    """The same as plain text, `width` columns wide."""
    from rich.console import Console

    file = io.StringIO()
    print_document(document, Console(file=file, width=width, color_system=None, highlight=False))
    return file.getvalue().rstrip("\n")


def _print_section(section: DocumentSection, console: Console) -> None:
    console.print()
    console.print(_text(Styled(section.title, "strong")))
    _print_blocks(section.blocks, console)


def _print_blocks(blocks: Sequence[Block], console: Console) -> None:
    for block in blocks:
        if not (isinstance(block, Plot) and console.width < block.min_width):
            parts = _wrapped(block, console.width) if isinstance(block, ReportTable) else [block]
            for i, part in enumerate(parts):
                if i:
                    console.print()
                console.print(_renderable(part, console), crop=False)


def _renderable(block: Block, console: Console) -> RenderableType:
    from rich.text import Text

    match block:
        case ReportTable():
            return _table(block, console)
        case Pairs():
            return _grid([(Styled(label, "dim"), line) for label, line in block.rows], padding=2)
        case Notes():
            return _grid([(Styled(block.mark, block.style), text) for text in block.texts])
        case Plot():
            return Text("\n").join(map(_text, block.lines))
        case _:
            return _text(block)


def _text(line: Line) -> Text:
    from rich.text import Text

    pieces = line if isinstance(line, tuple) else (line,)
    texts = [(p, "") if isinstance(p, str) else (p.text, p.style) for p in pieces]
    return Text.assemble(*((printable(text), _STYLES.get(style, style)) for text, style in texts))


def _grid(rows: Sequence[tuple[Line, Line]], padding: int = 1) -> RichTable:
    from rich.table import Table as RichTable

    grid = RichTable.grid(padding=(0, padding))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, line in rows:
        grid.add_row(_text(label), _text(line))
    return grid


def _wrapped(table: ReportTable, width: int) -> list[ReportTable]:
    """The table, or if it wraps, tables with as many columns next to the first one as fit."""
    if not table.wrap:
        return [table]
    rows = [[_segments(cell) for cell in row] for row in table.rows]
    sizes = _natural_sizes(table.columns, rows)
    first = min(sizes[0], max(_MIN_CUT, width - max(sizes[1:]) - 1))
    groups: list[list[int]] = []
    used = width
    for i, size in enumerate(sizes[1:], 1):
        if used + size + 1 > width:
            groups.append([0])
            used = first
        groups[-1].append(i)
        used += size + 1
    captions = [""] * (len(groups) - 1) + [table.caption]
    return [_columns(table, *part) for part in zip(groups, captions, strict=True)]


def _columns(table: ReportTable, group: Sequence[int], caption: str) -> ReportTable:
    rows = [[row[i] for i in group] for row in table.rows]
    return replace(table, columns=[table.columns[i] for i in group], rows=rows, caption=caption)


def _natural_sizes(
    columns: Sequence[Column], rows: Sequence[Sequence[Sequence[Segment]]]
) -> list[int]:
    """The width of each column that shows all of its cells."""
    from rich.segment import Segment

    return [
        max([len(c.title), *(Segment.get_line_length(list(row[i])) for row in rows)])
        for i, c in enumerate(columns)
    ]


def _table(table: ReportTable, console: Console) -> RenderableType:
    """The table with a rule below its head and no edge.

    Where it is too wide, the column that may be cut or folded gives way, so that no figure is cut.
    The lines are put together here, because a table of rich takes 0.7 ms for each row.
    """
    from rich.console import Group
    from rich.segment import Segment, Segments

    width = console.width
    shown = [i for i, column in enumerate(table.columns) if column.min_width <= width]
    columns = [table.columns[i] for i in shown]
    rows = [[_segments(row[i]) for i in shown] for row in table.rows]
    longest = _natural_sizes(columns, rows)
    space = 2 if sum(longest) + 2 * (len(columns) - 1) <= width else 1
    sizes = _sizes(columns, longest, width, space)
    between = Segment(" " * space)
    drawn: list[Segment] = []

    def draw(cells: Sequence[Sequence[Segment]]) -> None:
        fitted = [_fitted(*cell, console) for cell in zip(cells, columns, sizes, strict=True)]
        for k in range(max(map(len, fitted), default=0)):
            for at, (lines, column, size) in enumerate(zip(fitted, columns, sizes, strict=True)):
                line = lines[k] if k < len(lines) else []
                blank = Segment(" " * (size - Segment.get_line_length(line)))
                parts = [blank, *line] if column.align == "right" else [*line, blank]
                drawn.extend(parts if at == 0 else [between, *parts])
            drawn.append(Segment.line())

    if any(c.title for c in columns):
        draw([_segments(Styled(c.title, "dim")) for c in columns])
        drawn.append(Segment("─" * (sum(sizes) + space * (len(sizes) - 1)) + "\n"))
    for i, row in enumerate(rows):
        if i in table.rules:
            drawn.append(Segment.line())
        draw(row)
    caption = [_text(Styled(table.caption, "dim"))] if table.caption else []
    return Group(Segments(drawn), *caption)


def _segments(line: Line) -> list[Segment]:
    from rich.segment import Segment
    from rich.style import Style as RichStyle

    pieces = line if isinstance(line, tuple) else (line,)
    texts = [Styled(p) if isinstance(p, str) else p for p in pieces]
    # A row is one line.
    return [
        Segment(
            printable(t.text).replace("\n", " "), RichStyle.parse(_STYLES.get(t.style, t.style))
        )
        for t in texts
    ]


def _fitted(
    cell: Sequence[Segment], column: Column, size: int, console: Console
) -> list[list[Segment]]:
    """The lines of a cell in a column of this size: cut, folded, or as it is where it fits."""
    from rich.segment import Segment
    from rich.style import Style as RichStyle
    from rich.text import Text

    cells = list(cell)
    if column.style:
        base = RichStyle.parse(_STYLES.get(column.style, column.style))
        cells = list(Segment.apply_style(cells, base))
    if Segment.get_line_length(cells) <= size:
        return [cells]
    if column.fit == "fold":
        text = Text.assemble(*((s.text, s.style or "") for s in cells))
        return [list(line.render(console)) for line in text.wrap(console, size, overflow="fold")]
    line = Segment.adjust_line_length(cells, size - 1, pad=False)
    return [[*line, Segment("…", line[-1].style if line else None)]]


def _sizes(columns: Sequence[Column], longest: Sequence[int], width: int, space: int) -> list[int]:
    """How wide each column is drawn: those that may give way share what the others leave."""
    sizes = list(longest)
    excess = sum(longest) + space * (len(columns) - 1) - width
    for i in sorted(range(len(columns)), key=lambda i: -longest[i]):
        if excess > 0 and columns[i].fit != "keep":
            sizes[i] = max(min(_MIN_CUT, longest[i]), longest[i] - excess)
            excess -= longest[i] - sizes[i]
    # On a terminal that is narrower than the figures, the widest are cut: with an ellipsis.
    for _ in range(excess):
        sizes[sizes.index(max(sizes))] -= 1
    return [max(1, size) for size in sizes]
