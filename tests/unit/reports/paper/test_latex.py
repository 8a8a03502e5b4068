"""LaTeX of tables: nothing a user wrote is a command, and a real pdflatex takes it."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.reports.documents.model import Column, ReportTable, figures
from joulecast.reports.paper import latex

HOSTILE = [
    r"\input{/etc/passwd}",
    r"\write18{rm -rf /}",
    "50 % of $x_1$ & ~#{}^",
    "<script>alert(1)</script>",
    'it\'s "so" `called`',
    "energy 🔥 of 東京 Ωmega",
    "[3pt] begins like an option",
    "a\nb\r\n\tc",
    "--- ?` !` << >> ,,",
    "x" * 300,
    "naïve Łódź Ærø ß",
    "",
]
COMMANDS = set(re.findall(r"\\[a-zA-Z]+", " ".join(latex._ESCAPES.values())))


@pytest.mark.parametrize("text", HOSTILE)
def test_only_commands_of_ours_are_left(text):
    escaped = latex.escape(text)
    assert set(re.findall(r"\\[a-zA-Z]+", escaped)) <= COMMANDS
    assert "\n" not in escaped


@given(st.text(max_size=60))
def test_no_special_character_comes_through_bare(text):
    escaped = latex.escape(text)
    for own in sorted(set(latex._ESCAPES.values()), key=len, reverse=True):
        escaped = escaped.replace(own, "")
    assert not set(escaped) & set("\\{}$&#_%^~<>|\"'`\n\r\t")
    assert all(c.isascii() or "\u00c0" <= c <= "\u017f" for c in escaped)


def test_a_row_has_a_cell_for_each_column():
    columns = [Column("a"), *figures("b & c")]
    text = latex.to_latex(
        ReportTable(columns, [["1 & 2", "[x]"], ["", "\\\\"]], name="c", title="c")
    )
    assert "{@{}lr@{}}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)&", row)) == 1 for row in rows)
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_sets_hostile_text(tmp_path):
    if subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("booktabs is not installed")
    columns = [Column(text) for text in HOSTILE[:3]]
    rows = [HOSTILE[i : i + 3] for i in (0, 3, 6, 9)]
    body = latex.to_latex(ReportTable(columns, rows, " ".join(HOSTILE), name="a", title=HOSTILE[0]))
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{textcomp,booktabs,graphicx}"
        f"\\begin{{document}}{body}\\end{{document}}",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "t.log").read_text(errors="replace")
