"""A folder for the paper about a study: tables as CSV and LaTeX, plots as SVG and PDF.

The folder remembers which files were written there, and what was in them. Written again, those are
replaced; a file that someone else wrote, or changed since, is not, unless that is asked for.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...errors import JoulecastError, UsageError
from ...study.findings.findings import Findings
from .plots import paper_plots
from .tables import paper_tables

MEMORY = "joulecast-files.json"
"""The file in which a folder remembers the others."""
_ABOUT = "written by joulecast: what it wrote here, by SHA-256, so as to overwrite nothing else"


def paper_files(found: Findings) -> dict[str, bytes]:
    """The files by name. Raises `MissingExtraError` where matplotlib is not installed."""
    files = paper_plots(found)
    for table in paper_tables(found):
        files[f"{table.name}.csv"] = table.csv().encode()
        files[f"{table.name}.tex"] = table.latex().encode()
    return dict(sorted(files.items()))


def write_paper(found: Findings, folder: Path, force: bool = False) -> list[Path]:
    """Write the files, and return where; nothing is written if one of them may not be.

    Raises:
        JoulecastError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.
        UsageError: a file is in the way that is not as joulecast wrote it; `force` overwrites.
    """
    files = paper_files(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = _remembered(folder)
        foreign = [name for name in files if not _ours(folder / name, known)]
        if foreign and not force:
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            raise UsageError(
                f"{folder}: {', '.join(foreign[:3])}{more} is there and not as joulecast wrote it: "
                "name another folder, or overwrite with --force"
            )
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for name in known.keys() - files.keys():  # of an earlier study: no longer true
            if (folder / name).is_file() and _ours(folder / name, known):
                (folder / name).unlink()
        memory = {"about": _ABOUT, "files": {n: _digest(c) for n, c in files.items()}}
        (folder / MEMORY).write_text(json.dumps(memory, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise JoulecastError(
            f"cannot write {error.filename or folder}: {error.strerror}; name another: --paper"
        ) from None
    return [folder / name for name in files]


def _ours(path: Path, known: dict[str, str]) -> bool:
    """Whether nothing is there, or what was written there."""
    if not path.exists() and not path.is_symlink():
        return True
    return (
        path.is_file()
        and not path.is_symlink()
        and known.get(path.name) == _digest(path.read_bytes())
    )


def _remembered(folder: Path) -> dict[str, str]:
    """Digests by name; nothing where no memory is there, or what is there is none of ours."""
    try:
        files = json.loads((folder / MEMORY).read_text(encoding="utf-8"))["files"]
        return {str(n): str(d) for n, d in files.items() if Path(str(n)).name == str(n)}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
