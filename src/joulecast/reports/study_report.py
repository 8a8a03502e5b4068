"""Reports of a study written to files: a page, or a folder for a paper."""

from __future__ import annotations

from pathlib import Path

from ..study.findings.findings import Findings
from .write import default_name, write_text


def study_report(findings: Findings, output: str | Path | None = None) -> Path:
    """Write findings as a self-contained HTML page.

    Args:
        findings: of a study or a table, from `joulecast.findings`.
        output: file to write, overwritten if it exists. By default `NAME-study.html` in the current
            folder, which must not exist yet.

    Returns:
        The path of the page.

    Raises:
        UsageError: the file cannot be written.
        MissingExtraError: plotly or jinja2 is not installed: pip install "joulecast[report]".
    """
    from .page.study_page import render_study

    path = Path(output or default_name(Path(findings.name).stem, "study"))
    write_text(path, render_study(findings), overwrite=output is not None)
    return path


def study_paper(findings: Findings, folder: str | Path, *, force: bool = False) -> list[Path]:
    """Write findings as tables (CSV, LaTeX) and figures (SVG, PDF) for a paper.

    Args:
        findings: of a study or a table, from `joulecast.findings`.
        folder: is created if it does not exist.
        force: overwrite files in it that joulecast did not write.

    Returns:
        The paths of the files.

    Raises:
        UsageError: a file was not written by joulecast, or was changed since.
        MissingExtraError: matplotlib is not installed: pip install "joulecast[report]".
    """
    from .paper.folder import write_paper

    return write_paper(findings, Path(folder), force)
