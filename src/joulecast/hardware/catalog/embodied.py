"""What making a device emitted. Facts live in `data/embodied.toml`, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from ...errors import UnknownHardwareError
from .gpus import find_gpu


@dataclass(frozen=True, slots=True)
class Made:
    """A device's greenhouse gases, cradle to gate, as its source states them."""

    name: str
    kg: float  # of CO2 equivalent
    per: str  # what was divided how
    source: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long hardware serves, and the part of that in which it works."""

    years: float
    utilization: float  # 0 to 1
    source: str


@cache
def _document() -> dict[str, Any]:
    import tomllib  # late: a run that looks nothing up does not pay for them
    from importlib.resources import files

    text = files(__package__).joinpath("data", "embodied.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def made() -> tuple[Made, ...]:
    """Every device that a source is known of. Read once."""
    return tuple(Made(**row) for row in _document()["device"])


@cache
def usual_lifetime() -> Lifetime:
    """The lifetime taken where none is given."""
    return Lifetime(**_document()["lifetime"])


def find_made(name: str) -> Made | None:
    """Of the GPU that `name` means; None where it is unknown, or no source is."""
    try:
        gpu = find_gpu(name)
    except UnknownHardwareError:
        return None
    return next((row for row in made() if row.name == gpu.name), None)
