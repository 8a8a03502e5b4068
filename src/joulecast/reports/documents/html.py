"""Report documents as HTML fragments, for notebooks."""

from collections.abc import Sequence
from html import escape

from ...serialize import encodable
from .model import Block, Column, Document, Line, Notes, Pairs, Plot, ReportTable, Styled

# Notebooks strip style sheets, so that each element carries its own.
_STYLES = {
    "strong": "font-weight:bold",
    "dim": "opacity:.6",
    "good": "color:light-dark(#15803d,#5fd6ae);font-weight:bold",
    "warning": "color:light-dark(#b45309,#f2b46b)",
    "bad": "color:light-dark(#b91c1c,#ff8a80);font-weight:bold",
    "accent": "color:light-dark(#0e7490,#6cbcf0)",
    "measured": "color:light-dark(#15803d,#5fd6ae)",
    "modelled": "color:light-dark(#b45309,#f2b46b)",
    "assumed": "color:light-dark(#a21caf,#e5a5cf)",
}


def to_html(document: Document) -> str:
    """The document as one `<div>`; every text is escaped."""
    parts = [_block(block) for block in document.head]
    for section in document.sections:
        parts.append(f"<h4>{escape(section.title)}</h4>")
        parts.append(blocks_html(section.blocks))
    return encodable(f'<div class="joulecast">{"".join(parts)}</div>')


def blocks_html(blocks: Sequence[Block]) -> str:
    """The blocks of a section, without a title around them."""
    return "".join(_block(block) for block in blocks)


def _block(block: Block) -> str:
    match block:
        case ReportTable():
            return _table(block)
        case Pairs():
            return _rows([], [(Styled(label, "dim"), line) for label, line in block.rows])
        case Notes():
            items = "".join(f"<li>{escape(text)}</li>" for text in block.texts)
            return f"<ul>{items}</ul>"
        case Plot():
            return "<pre>" + "\n".join(map(_line, block.lines)) + "</pre>"
        case _:
            return f"<p>{_line(block)}</p>"


def _table(table: ReportTable) -> str:
    caption = f"<p>{_line(Styled(table.caption, 'dim'))}</p>" if table.caption else ""
    return _rows(table.columns, table.rows) + caption


def _rows(columns: Sequence[Column], rows: Sequence[Sequence[Line]]) -> str:
    aligns = [column.align for column in columns]
    head = "".join(f'<th style="text-align:{c.align}">{escape(c.title)}</th>' for c in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{aligns[i] if aligns else "left"}">{_line(cell)}</td>'
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{head}{body}</table></div>'


def _line(line: Line) -> str:
    pieces = line if isinstance(line, tuple) else (line,)
    return "".join(
        escape(p)
        if isinstance(p, str)
        else f'<span style="{_STYLES.get(p.style, "")}">{escape(p.text)}</span>'
        for p in pieces
    )
