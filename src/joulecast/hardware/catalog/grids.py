"""Carbon intensity of electricity by country and year. Facts are in `data/grids.toml`."""

from dataclasses import dataclass, replace
from functools import cache

from .data_file import data_file
from .names import match

# The `code3` of the world's average.
WORLD = "WLD"


@dataclass(frozen=True, slots=True)
class Grid:
    """A country's electricity: the mean of a year, over the life cycle of the plants.

    `code2` and `code3` are its ISO 3166-1 codes, "" and "WLD" for the world; `carbon_g_per_kwh` is
    in grams of CO2 equivalent per kWh generated.
    """

    name: str
    code2: str
    code3: str
    carbon_g_per_kwh: float
    year: int
    source: str
    aliases: tuple[str, ...] = ()


@cache
def grids() -> tuple[Grid, ...]:
    """Every grid of the catalog in its latest year: the world, then countries by code."""
    data = data_file("grids")
    common = {"source": data["source"]}
    return tuple(
        Grid(**(common | row | {"aliases": tuple(row.get("aliases", ()))})) for row in data["grid"]
    )


@cache
def years_of(code3: str) -> tuple[Grid, ...]:
    """All years of a grid in the catalog, oldest first."""
    data = data_file("grids")
    latest = next(grid for grid in grids() if grid.code3 == code3)
    earlier = [
        replace(latest, year=year, carbon_g_per_kwh=figure, source=data["source"])
        for year, figure in enumerate(data["earlier"].get(code3, ()), start=data["earlier"]["from"])
    ]
    return (*earlier, latest)


@cache
def _candidates() -> dict[str, Grid]:
    """Every name and code of each grid, its name first."""
    rows = grids()
    names = {grid.name: grid for grid in rows}
    for grid in rows:
        names |= {alias: grid for alias in (grid.code2, grid.code3, *grid.aliases) if alias}
    return names


def find_grid(name: str, year: int | None = None) -> Grid:
    """The grid of a country given as "Germany", "DE" or "DEU"; "world" for the average.

    Figures are those of `year`, or of the nearest year in the catalog (the earlier of two): see the
    result's `year`. Without a `year`, the latest.

    Raises `UnknownHardwareError`, with the nearest names, where no country fits.
    """
    latest = match(name, _candidates(), "electricity grid")
    if year is None:
        return latest
    return min(years_of(latest.code3), key=lambda grid: (abs(grid.year - year), grid.year))
