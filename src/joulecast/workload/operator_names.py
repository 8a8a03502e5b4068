"""Names of operators in groups that are treated alike, from `operators.toml`."""

import tomllib
from functools import cache
from pathlib import Path


@cache
def operators(group: str) -> frozenset[str]:
    """The names of a group."""
    return frozenset(_groups()[group].split())


@cache
def _groups() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("operators.toml").read_text(encoding="utf-8"))
