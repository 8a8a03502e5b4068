"""Which Python would run a program, and where its packages lie: read from files alone."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

_PYTHON = re.compile(r"python(\d+(\.\d+)?)?t?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python installation or virtual environment."""

    packages: list[str]  # folders that hold package metadata
    version: str | None  # "3.12.4", or "3.12" where nothing finer is written down


def interpreter_of(program: str) -> Interpreter | None:
    """The Python that runs `program`: itself, or the one a script's first line names.

    None for programs that are not Python's, as far as their files tell (a shell script may well
    start Python later).
    """
    found = shutil.which(program)
    if found is None:
        return None
    path = Path(found)
    if not _PYTHON.fullmatch(path.name):
        named = _shebang(path)
        if named is None:
            return None
        path = named
    # A virtual environment's `python` is a link to the one it was made from: its place counts.
    prefix = path.parent.parent
    if not (prefix / "pyvenv.cfg").exists() and not _site(prefix):
        prefix = path.resolve().parent.parent
    packages = _site(prefix)
    return Interpreter(packages, _version(prefix, packages)) if packages else None


def _shebang(path: Path) -> Path | None:
    try:
        with path.open("rb") as file:
            words = file.readline(512).decode().split()
    except (OSError, UnicodeDecodeError):
        return None
    if not words or not words[0].startswith("#!"):
        return None
    words[0] = words[0].removeprefix("#!")
    words = [word for word in words if word]
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words or not _PYTHON.fullmatch(Path(words[0]).name):
        return None
    found = shutil.which(words[0])
    return Path(found) if found else None


def _site(prefix: Path) -> list[str]:
    folders = [
        *prefix.glob("lib/python3*/site-packages"),
        *prefix.glob("lib/python3*/dist-packages"),
    ]
    return sorted(str(folder) for folder in folders if folder.is_dir())


def _version(prefix: Path, packages: list[str]) -> str | None:
    try:
        config = (prefix / "pyvenv.cfg").read_text()
    except (OSError, UnicodeDecodeError):
        config = ""
    written = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", config, re.MULTILINE)
    if written:
        return written[1]
    folder = re.search(r"python(3\.\d+)", packages[0])
    return folder[1] if folder else None
