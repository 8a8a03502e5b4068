"""Which Python would run a program, and where its packages are: from files alone."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

_PYTHON = re.compile(r"python(\d+(\.\d+)?)?t?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python installation or virtual environment.

    `packages` are the folders of package metadata; `version` is "3.12.4", or "3.12" where no file
    has the full version.
    """

    packages: list[str]
    version: str | None


def interpreter_of(program: str) -> Interpreter | None:
    """The Python that runs `program`: itself, or the one a script's first line names.

    None for other programs (a shell script may start Python later: that is not detected).
    """
    path = _which(program)
    if path is not None and not _PYTHON.fullmatch(path.name):
        path = _shebang(path)
    if path is None:
        return None
    # The `python` of a virtual environment is a link to another one: its own folder counts.
    prefix = path.parent.parent
    if not (prefix / "pyvenv.cfg").exists() and not _site(prefix):
        prefix = path.resolve().parent.parent
    packages = _site(prefix)
    return Interpreter(packages, _version(prefix, packages)) if packages else None


def _which(program: str) -> Path | None:
    path = shutil.which(program)
    return Path(path) if path else None


def _shebang(path: Path) -> Path | None:
    """The Python that the first line of a script names: `#!/usr/bin/env python3`."""
    try:
        with path.open("rb") as file:
            line = file.readline(512).decode()
    except (OSError, UnicodeDecodeError):
        return None
    if not line.startswith("#!"):
        return None
    words = line.removeprefix("#!").split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return _which(words[0]) if words and _PYTHON.fullmatch(Path(words[0]).name) else None


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
