"""A folder for the paper about a study: tables as CSV and LaTeX, plots as SVG and PDF.

A file in the folder lists the files that were written there, with their digests. These are
replaced when they are written again; a file that someone else wrote or changed is not, unless that
is asked for.
"""

import csv
import hashlib
import io
import json
from pathlib import Path

from ...csv_table import number
from ...errors import JoulecastError, UsageError
from ...output_file import write_whole
from ...serialize import encodable
from ...study.findings.findings import Findings
from ..documents.model import Exact, ReportTable
from ..documents.study_tables import paper_tables
from .latex import to_latex
from .plots import paper_plots

INDEX = "joulecast-files.json"
"""The file that lists the others."""
_ABOUT = "files that joulecast wrote here, with their SHA-256: it overwrites no others"


def paper_files(findings: Findings) -> dict[str, bytes]:
    """The files by name. Raises `MissingExtraError` where matplotlib is not installed."""
    files = paper_plots(findings)
    for table in paper_tables(findings):
        files[f"{table.name}.csv"] = encodable(to_csv(table)).encode()
        files[f"{table.name}.tex"] = to_latex(table).encode()
    return dict(sorted(files.items()))


def to_csv(table: ReportTable) -> str:
    """The data of a table, numbers with all their digits, empty cells where unknown."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_digits, table.data))
    writer.writerows([_digits(x) for x in row] for row in zip(*table.data.values(), strict=True))
    return out.getvalue()


def _digits(value: Exact) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else str(value)
    # A spreadsheet runs a text that begins so; an apostrophe makes it a text again.
    runs = value.startswith(tuple("=+-@\t\r\n")) and number(value) is None
    # The writer leaves "\r" without quotes, where it would end the row.
    value = value.replace("\r", " ")
    return f"'{value}" if runs else value


def write_paper(findings: Findings, folder: str | Path, *, force: bool = False) -> list[Path]:
    """Write findings as tables (CSV, LaTeX) and figures (SVG, PDF) for a paper.

    Args:
        findings: of a study or a table, from `joulecast.findings`.
        folder: is created if it does not exist.
        force: overwrite files in it that joulecast did not write.

    Returns:
        The paths of the files. None is written if one of them may not be.

    Raises:
        JoulecastError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.
        UsageError: a file was not written by joulecast, or was changed; `force` overwrites it.

    Examples:
        >>> files = joulecast.write_paper(joulecast.findings("digits"), "paper")
        >>> [path.name for path in files if path.suffix == ".tex"]
        ['configurations.tex', 'front.tex', 'pairs.tex', 'tests.tex']
    """
    folder, files = Path(folder), paper_files(findings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        listed = _listed(folder)
        foreign = [name for name in files if not _ours(folder / name, listed)]
        if foreign and not force:
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            raise UsageError(
                f"{folder}: {', '.join(foreign[:3])}{more} was not written by joulecast, or was "
                "changed since: name another folder, or overwrite with --force"
            )
        for name, content in files.items():
            write_whole(folder / name, [content])
        # Files of an earlier report of the study are outdated.
        for name in listed.keys() - files.keys():
            if (folder / name).is_file() and _ours(folder / name, listed):
                (folder / name).unlink()
        index = {"about": _ABOUT, "files": {n: _digest(c) for n, c in files.items()}}
        write_whole(folder / INDEX, [json.dumps(index, indent=1) + "\n"])
    except OSError as error:
        raise JoulecastError(
            f"cannot write {error.filename or folder}: {error.strerror}; name another: --paper"
        ) from None
    return [folder / name for name in files]


def _ours(path: Path, known: dict[str, str]) -> bool:
    """Whether there is no file, or the one that was written."""
    if not path.exists() and not path.is_symlink():
        return True
    return (
        path.is_file()
        and not path.is_symlink()
        and known.get(path.name) == _digest(path.read_bytes())
    )


def _listed(folder: Path) -> dict[str, str]:
    """Digests by name; empty where there is no such list, or it is damaged."""
    try:
        files = json.loads((folder / INDEX).read_text(encoding="utf-8"))["files"]
        return {str(n): str(d) for n, d in files.items() if Path(str(n)).name == str(n)}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
