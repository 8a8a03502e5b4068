r"""Tables as LaTeX that needs `booktabs` and `graphicx`: every text escaped, every letter one that
pdflatex can set, or `?`.
"""

import tomllib
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ...units import one_line
from ..documents.model import ReportTable, text_of

_ESCAPES: dict[str, str] = tomllib.loads(
    Path(__file__).with_name("latex.toml").read_text(encoding="utf-8")
)
_STAND_IN = "?"
# Scaled down to the width of the text where it is wider.
_FITTING = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
MAX_TEXT = 36
"""Letters of a cell, so that a table fits a page."""
MAX_ROWS = 45
"""Rows of a table, likewise; the CSV file has them all."""


def escape(text: str, longest: int = 80) -> str:
    """A user's text for LaTeX, on one line, without commands.

    Latin letters with accents stay, since LaTeX reads UTF-8; letters that pdflatex has no font for
    become `?`.
    """
    return "".join(_one(c) for c in one_line(text, longest))


def _one(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    # Latin-1 and Extended-A, of encoding T1.
    if c.isascii() or "\u00c0" <= c <= "\u017f":
        return c
    plain = unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode()
    return "".join(_ESCAPES.get(p, p) for p in plain) or _STAND_IN


def to_latex(table: ReportTable) -> str:
    """A `table` (`table*`, over both columns, of more than four columns) with booktabs' rules.

    Of a long table, the first rows, and a note that names the CSV file with all of them. Every
    text is escaped.
    """
    columns = [i for i, c in enumerate(table.columns) if c.title or any(r[i] for r in table.rows)]
    name = "table*" if len(columns) > 4 else "table"
    align = "".join(table.columns[i].align[0] for i in columns)
    rows = [[text_of(row[i]) for i in columns] for row in table.rows[:MAX_ROWS]]
    lines = [
        "% Needs \\usepackage{booktabs,graphicx,textcomp} and \\usepackage[T1]{fontenc}.",
        f"\\begin{{{name}}}[tb]",
        "  \\centering\\footnotesize\\setlength{\\tabcolsep}{3.5pt}",
        f"  \\caption{{{escape(table.title, 400)}}}",
        f"  \\label{{tab:{table.name}}}",
        _FITTING,
        f"  \\begin{{tabular}}{{@{{}}{align}@{{}}}}",
        "    \\toprule",
        f"    {_row([table.columns[i].title for i in columns])}",
        "    \\midrule",
        *(f"    {_row(row)}" for row in rows),
        "    \\bottomrule",
        "  \\end{tabular}}",
    ]
    notes = [table.caption] if table.caption else []
    if len(table.rows) > MAX_ROWS:
        notes.append(f"{len(table.rows) - MAX_ROWS} more rows are in {table.name}.csv.")
    lines += [f"  \\par\\smallskip\\footnotesize {escape(note, 600)}" for note in notes]
    return "\n".join([*lines, f"\\end{{{name}}}", ""])


def _row(cells: Sequence[str]) -> str:
    # {} before a cell that begins with a bracket, which \\ of the row before would read as its own.
    return " & ".join("{}" + escape(cell, MAX_TEXT) for cell in cells) + r" \\"
