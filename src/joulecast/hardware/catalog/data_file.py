"""Reads the TOML files under `data/`, each once."""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def data_file(name: str) -> dict[str, Any]:
    """The content of `data/NAME.toml`."""
    # Late: a run without a look-up does not need the parser.
    import tomllib

    file = Path(__file__).parent / "data" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
