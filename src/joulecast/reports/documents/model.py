"""A report document: titles, lines, tables and notes, without a word on how they are drawn.

Backends: `reports/terminal/render.py` (rich), `html.py` (notebooks), `reports/paper` (LaTeX, CSV).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...estimate import Provenance

Style = Literal[
    "", "strong", "dim", "good", "warning", "bad", "accent", "measured", "modelled", "assumed"
]


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of text in one style."""

    text: str
    style: Style = ""


Line = str | Styled | tuple[str | Styled, ...]
"""One line of text, of pieces in their styles."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: its head.
        align: figures are right-aligned.
        fit: what happens where the medium is too narrow: figures are kept whole, a name is cut
            with an ellipsis, prose is folded.
        style: of its cells.
        min_width: of the terminal, in columns; the column is left out on a narrower one.
    """

    title: str = ""
    align: Literal["left", "right"] = "left"
    fit: Literal["keep", "cut", "fold"] = "keep"
    style: Style = ""
    min_width: int = 0


def figures(*titles: str, min_width: int = 0) -> list[Column]:
    """Right-aligned columns that are kept whole."""
    return [Column(title, "right", min_width=min_width) for title in titles]


Exact = str | float | int | None
"""A value of a data file, with all its digits; None where it is unknown."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Rows of cells under columns.

    Attributes:
        columns: as many as cells in each row.
        rows: the cells.
        caption: a note below.
        rules: the rows that a rule stands above.
        wrap: draw columns that do not fit next to the first in further tables.
        name: of its files, in a paper.
        title: in a paper, where a table stands outside of its section.
        data: the columns of its data file, with all digits; the file may have more rows.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Line]]
    caption: str = ""
    rules: frozenset[int] = frozenset()
    wrap: bool = False
    name: str = ""
    title: str = ""
    data: Mapping[str, Sequence[Exact]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labels with what belongs to each, in two columns."""

    rows: Sequence[tuple[str, Line]]


@dataclass(frozen=True, slots=True)
class Notes:
    """A list of sentences, each after a mark."""

    texts: Sequence[str]
    mark: str = "-"
    style: Style = "dim"


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines in a fixed-width font, drawn as they are; left out on a terminal below `min_width`."""

    lines: Sequence[Line]
    min_width: int = 0


Block = str | Styled | tuple[str | Styled, ...] | ReportTable | Pairs | Notes | Plot


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """What a verb has to report."""

    head: Sequence[Block]
    sections: Sequence[Section] = field(default_factory=list)


def notes(title: str, texts: Sequence[str], mark: str = "-", style: Style = "dim") -> list[Section]:
    """A section of notes; nothing where there are none."""
    return [Section(title, [Notes(texts, mark, style)])] if texts else []


def provenance(of: Provenance) -> Styled:
    """Its word in its style."""
    return Styled(str(of), of.value)


def text_of(line: Line) -> str:
    """A line without its styles."""
    if isinstance(line, str):
        return line
    pieces = line if isinstance(line, tuple) else (line,)
    return "".join(p if isinstance(p, str) else p.text for p in pieces)
