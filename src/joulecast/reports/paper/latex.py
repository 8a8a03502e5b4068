r"""Tables as LaTeX that needs `booktabs` and `graphicx`: every text escaped, every letter one that
pdflatex can set or an honest stand-in for it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # so that two of them stay two
    "…": r"\ldots{}",
    "·": r"\textperiodcentered{}",
    "\u00d7": r"$\times$",
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "²": r"$^2$",
    "₂": r"$_2$",
    "≈": r"$\approx$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "δ": r"$\delta$",
    "η": r"$\eta$",
    "\u03c1": r"$\rho$",
    "ω": r"$\omega$",
    "\u2013": "--",
    "—": "---",
    "€": "EUR ",
}
_STAND_IN = "?"
# As it is where it fits; else made smaller, to the width of the text.
_FITTING = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
LONGEST = 36
"""Letters of a cell; more run out of any page."""


def escape(text: str, longest: int = 80) -> str:
    """A user's text as LaTeX sets it, on one line; what no font of pdflatex has becomes `?`.

    Latin letters with accents stay: LaTeX reads UTF-8 since 2018. `\\input` and the like come out
    as they are written.
    """
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(clean) > longest:
        clean = f"{clean[: longest - 1]}…"
    return "".join(_one(c) for c in clean)


def _one(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if c.isascii() or "\u00c0" <= c <= "\u017f":  # Latin-1 and Extended-A, of encoding T1
        return c
    plain = unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode()
    return "".join(_ESCAPES.get(p, p) for p in plain) or _STAND_IN


def table(
    caption: str,
    label: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: str,
    *,
    wide: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """A `table` (`table*` where `wide`, over both columns) with booktabs' rules.

    Args:
        caption: of user's or own text; escaped here, as all cells are.
        label: of `\\label`, own text.
        header: of the columns.
        rows: texts of the cells; as many in each as in the header.
        align: a letter for each column, `l` or `r`.
        wide: whether it spans both columns.
        notes: set small below.
    """
    name = "table*" if wide else "table"
    lines = [
        "% Needs \\usepackage{booktabs,graphicx,textcomp} and \\usepackage[T1]{fontenc}.",
        f"\\begin{{{name}}}[tb]",
        "  \\centering\\footnotesize\\setlength{\\tabcolsep}{3.5pt}",
        f"  \\caption{{{escape(caption, 400)}}}",
        f"  \\label{{{label}}}",
        _FITTING,
        f"  \\begin{{tabular}}{{@{{}}{align}@{{}}}}",
        "    \\toprule",
        f"    {_row(header)}",
        "    \\midrule",
        *(f"    {_row(row)}" for row in rows),
        "    \\bottomrule",
        "  \\end{tabular}}",
    ]
    lines += [f"  \\par\\smallskip\\footnotesize {escape(note, 600)}" for note in notes]
    return "\n".join([*lines, f"\\end{{{name}}}", ""])


def _row(cells: Sequence[str]) -> str:
    # {} before a cell that begins with a bracket, which \\ of the row before would take for itself
    return " & ".join("{}" + escape(cell, LONGEST) for cell in cells) + r" \\"
