"""Carbon intensity of electricity by country and year. Facts live in `data/grids.toml`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

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
def _document() -> dict[str, Any]:
    import tomllib  # late: a run that looks nothing up does not pay for them
    from importlib.resources import files

    text = files(__package__).joinpath("data", "grids.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def grids() -> tuple[Grid, ...]:
    """Every grid of the catalog in its latest year: the world, then countries by code."""
    common = {"source": _document()["source"]}
    return tuple(
        Grid(**(common | row | {"aliases": tuple(row.get("aliases", ()))}))
        for row in _document()["grid"]
    )


@cache
def years_of(code3: str) -> tuple[Grid, ...]:
    """All years that the catalog holds of a grid, oldest first."""
    latest = next(grid for grid in grids() if grid.code3 == code3)
    earlier = _document()["earlier"]
    before = [
        replace(latest, year=year, carbon_g_per_kwh=figure, source=_document()["source"])
        for year, figure in enumerate(earlier.get(code3, ()), start=earlier["from"])
    ]
    return (*before, latest)


@cache
def _candidates() -> dict[str, Grid]:
    """Every name and code a grid goes by, its name first."""
    rows = grids()
    names = {grid.name: grid for grid in rows}
    for grid in rows:
        names |= {alias: grid for alias in (grid.code2, grid.code3, *grid.aliases) if alias}
    return names


def find_grid(name: str, year: int | None = None) -> Grid:
    """The grid of a country given as "Germany", "DE" or "DEU"; "world" for the average.

    Of `year`, or of the nearest year that the catalog holds (the earlier of two as near): the
    result's own `year` says which. The latest one without a `year`.

    Raises `UnknownHardwareError`, with the nearest names, where no country fits.
    """
    latest = match(name, _candidates(), "electricity grid")
    if year is None:
        return latest
    return min(years_of(latest.code3), key=lambda grid: (abs(grid.year - year), grid.year))
