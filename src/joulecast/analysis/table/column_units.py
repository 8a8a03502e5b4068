"""The unit of a column, as in its name: `energy_j`, `training (kWh)`, `energy [MJ]`."""

import re
from dataclasses import dataclass

import numpy as np

from ...csv_table import number
from ...errors import BadInputError, UsageError
from ...units import format_quantity, parse_carbon, parse_duration, parse_energy, parse_power
from .columns import UNKNOWN, Array, Table

MAX_VALUE = 1e100
"""Of any figure: squares and ratios of smaller ones, and their sums, are finite."""

_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_SUFFIX = re.compile(r"_([a-z]+)$", re.IGNORECASE)
# In lower case, and therefore without mJ and MJ, which would be the same.
_SUFFIXES = {
    "j": ("J", 1.0),
    "kj": ("J", 1e3),
    "wh": ("J", 3600.0),
    "kwh": ("J", 3.6e6),
    "s": ("s", 1.0),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "g": ("g", 1.0),
    "kg": ("g", 1e3),
    "w": ("W", 1.0),
    "kw": ("W", 1e3),
    "pct": ("%", 1.0),
}
_PARSERS = ((parse_energy, "J"), (parse_duration, "s"), (parse_power, "W"), (parse_carbon, "g"))


@dataclass(frozen=True, slots=True)
class Unit:
    """The SI unit of a column and the factor that converts its figures; name None: unknown."""

    name: str | None
    factor: float = 1.0

    @property
    def noun(self) -> str:
        """The quantity that has this unit."""
        nouns = {"J": "energy", "s": "duration", "W": "power", "g": "carbon"}
        return nouns.get(self.name or "", "cost")

    def text(self, value: float) -> str:
        """A figure in this SI unit as people read it: `12.3 kJ`."""
        if self.name is None:
            return f"{value:.4g}"
        if self.name == "%":
            return f"{value:.4g} %"
        return format_quantity(value, self.name)


def unit_of(column: str) -> Unit:
    """The unit at the end of a column's name, such as `(MJ)`, `[kWh]`, `(h)` or `_j`."""
    bracketed = _BRACKETS.search(column)
    if bracketed:
        text = bracketed[1]
        if text == "%":
            return Unit("%")
        for parse, unit in _PARSERS:
            try:
                return Unit(unit, parse(f"1 {text}"))
            except UsageError:
                continue
        return Unit(None)
    suffix = _SUFFIX.search(column.lower())
    name, factor = _SUFFIXES.get(suffix[1] if suffix else "", (None, 1.0))
    return Unit(name, factor)


def plain_name(column: str) -> str:
    """A column's name without its unit: `energy` of `energy_j`."""
    if unit_of(column).name is None:
        return column
    ending = _BRACKETS if _BRACKETS.search(column) else _SUFFIX
    return ending.sub("", column).strip() or column


def bounds_of(column: str) -> tuple[str, str]:
    """The columns of a column's 90 % interval: `energy_low_j` and `energy_high_j` of `energy_j`."""
    ending = "_j" if column.endswith("_j") else ""
    stem = column.removesuffix(ending)
    return f"{stem}_low{ending}", f"{stem}_high{ending}"


def quantities(table: Table, column: str) -> tuple[Array, Unit]:
    """A column in SI units, shape (rows,), and the unit; NaN where a value is missing.

    Cells may have units of energy (`50 kJ`). If one has, all are energies, and numbers without a
    unit are in that of the column's name, else joules.

    Raises `BadInputError`, with the row, for a cell that is not a quantity.
    """
    unit = unit_of(column)
    cells = table.cells(column)
    worded = [
        isinstance(c, str) and c.strip().lower() not in UNKNOWN and number(c) is None for c in cells
    ]
    if not any(worded):
        return sane(table, column, table.numbers(column) * unit.factor), unit
    factor = unit.factor if unit.name == "J" else 1.0
    bare = Table(
        table.name,
        {column: [None if w else c for c, w in zip(cells, worded, strict=True)]},
        table.lines,
    )
    values = bare.numbers(column) * factor
    for i in np.flatnonzero(worded):
        try:
            values[i] = parse_energy(str(cells[i]))
        except UsageError as error:
            raise BadInputError(f"{where(table, int(i))}: {column}: {error}") from error
    return sane(table, column, values), Unit("J", factor)


def sane(table: Table, column: str, values: Array) -> Array:
    """The figures of a column unchanged, shape (rows,), none above `MAX_VALUE`.

    Raises `BadInputError`, with the row, for one that is.
    """
    large = np.flatnonzero(np.abs(values) > MAX_VALUE)
    if len(large):
        row = int(large[0])
        raise BadInputError(
            f"{where(table, row)}: {column} is {table.cells(column)[row]}, more than "
            f"{MAX_VALUE:g}: correct it, or leave it empty"
        )
    return values


def where(table: Table, row: int) -> str:
    """A row for an error message: its line, or its number and its run."""
    if table.lines is not None:
        return f"{table.name}, line {table.lines[row]}"
    run = table.columns.get("run_id", [None] * len(table))[row]
    return f"{table.name}, row {row + 1}" + ("" if run is None else f" (run {run})")
