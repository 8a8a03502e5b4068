"""Reads the TOML files under `data/`, each once.

Parsing one takes 40 times as long as reading the same as JSON, and is a good part of the start of a
recording. Wheels therefore hold the JSON (`hatch_build.py`); where a file may have changed it is
kept in `__pycache__`, as Python keeps its byte code.
"""

import json
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


@cache
def data_file(name: str) -> dict[str, Any]:
    """The content of `data/NAME.toml`."""
    return read_cached(Path(__file__).parent / "data" / f"{name}.toml")


def read_cached(file: Path) -> dict[str, Any]:
    """The content of a TOML file: its JSON in a wheel, or the cache of this version of the file."""
    with suppress(FileNotFoundError):
        compiled: dict[str, Any] = json.loads(file.with_suffix(".json").read_bytes())
        return compiled
    status = file.stat()
    cached = file.parent / "__pycache__" / f"{file.stem}-{status.st_mtime_ns}-{status.st_size}.json"
    # It may be missing, or damaged.
    with suppress(OSError, ValueError):
        content: dict[str, Any] = json.loads(cached.read_bytes())
        return content
    # Late: most runs need no parser.
    import tomllib

    content = tomllib.loads(file.read_text(encoding="utf-8"))
    if not sys.dont_write_bytecode:
        # The program may be installed where the user cannot write.
        with suppress(OSError):
            cached.parent.mkdir(exist_ok=True)
            new = cached.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(content))
            new.replace(cached)
    return content
