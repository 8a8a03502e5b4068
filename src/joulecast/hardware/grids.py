"""Carbon intensity of electricity by country. Facts live in `data/grids.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .names import match

WORLD = "WLD"  # the `code3` of the world's average


@dataclass(frozen=True, slots=True)
class Grid:
    """A country's electricity: the mean of a year, over the life cycle of the plants."""

    name: str
    code2: str  # ISO 3166-1 alpha-2; "" for the world
    code3: str  # ISO 3166-1 alpha-3; "WLD" for the world
    carbon_g_per_kwh: float  # grams of CO2 equivalent per kWh generated
    year: int
    source: str
    aliases: tuple[str, ...] = ()


@cache
def grids() -> tuple[Grid, ...]:
    """Every grid of the catalog: the world, then countries by code. Read once."""
    import tomllib  # late: a run that looks nothing up does not pay for them
    from importlib.resources import files

    text = files(__package__).joinpath("data", "grids.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    common = {"source": document["source"]}
    return tuple(
        Grid(**(common | row | {"aliases": tuple(row.get("aliases", ()))}))
        for row in document["grid"]
    )


@cache
def _candidates() -> dict[str, Grid]:
    """Every name and code a grid goes by, its name first."""
    rows = grids()
    names = {grid.name: grid for grid in rows}
    for grid in rows:
        names |= {alias: grid for alias in (grid.code2, grid.code3, *grid.aliases) if alias}
    return names


def find_grid(name: str) -> Grid:
    """The grid of a country given as "Germany", "DE" or "DEU"; "world" for the average.

    Raises `UnknownHardwareError`, with the nearest names, where no country fits.
    """
    return match(name, _candidates(), "electricity grid")
