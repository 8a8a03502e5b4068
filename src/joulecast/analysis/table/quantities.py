"""A column of a table in SI units, its figures checked: the one check of every verb."""

import re

import numpy as np

from ...column_units import Unit, matching_columns, unit_of
from ...csv_table import number
from ...errors import BadInputError, UsageError
from ...units import parse_energy
from .columns import UNKNOWN, Array, Table

MAX_VALUE = 1e100
"""Of any figure: squares and ratios of smaller ones, and their sums, are finite."""

# Of a difference, an energy may be negative.
_DIFFERENCE = re.compile(r"sav|diff|delta|change|above|reduc|gain|net\b|net_")
# Units whose suffix may be part of another word (`acceleration_g`), and the words that make them
# sure.
_SURE = {"s": re.compile("duration|time"), "g": re.compile("carbon|co2|emission")}


def bounds_of(column: str) -> tuple[str, str]:
    """The columns of a column's 90 % interval: `energy_low_j` and `energy_high_j` of `energy_j`."""
    ending = "_j" if column.endswith("_j") else ""
    stem = column.removesuffix(ending)
    return f"{stem}_low{ending}", f"{stem}_high{ending}"


def own_bounds_of(column: str) -> tuple[str, str]:
    """Likewise without the error that the readings of a meter share: `energy_own_low_j`, ..."""
    low, high = bounds_of(column)
    return low.replace("_low", "_own_low"), high.replace("_high", "_own_high")


def quantities(table: Table, column: str) -> tuple[Array, Unit]:
    """A column in SI units, shape (rows,), and the unit; NaN where a value is missing.

    Cells may have units of energy (`50 kJ`). If one has, all are energies, and numbers without a
    unit are in that of the column's name, else joules.

    Another name in another unit will do: `energy_j` for `energy (MJ)`. Raises `BadInputError`, with
    the row, for a cell that is not a quantity, and for an energy, power or duration below zero
    (unless the name is that of a difference, such as `energy_saved_j`).
    """
    column = find_column(table, column)
    unit = unit_of(column)
    cells = table.cells(column)
    worded = [
        isinstance(c, str) and c.strip().lower() not in UNKNOWN and number(c) is None for c in cells
    ]
    if not any(worded):
        return _checked(table, column, table.numbers(column) * unit.factor, unit), unit
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
    unit = Unit("J", factor)
    return _checked(table, column, values, unit), unit


def find_column(table: Table, wanted: str) -> str:
    """The column that a name means: itself, or the same quantity in another unit.

    Raises `BadInputError` where that could be several.
    """
    columns = matching_columns(table.columns, wanted)
    if len(columns) > 1:
        raise BadInputError(f"{table.name}: {wanted} may be {' or '.join(columns[:3])}: name one")
    return columns[0] if columns else wanted


def _checked(table: Table, column: str, values: Array, unit: Unit) -> Array:
    name, sure = column.lower(), _SURE.get(unit.name or "")
    amounts = unit.name in ("J", "W") or (sure is not None and sure.search(name))
    positive = amounts and not _DIFFERENCE.search(name)
    return in_range(table, column, values, 0.0 if positive else -MAX_VALUE)


def in_range(table: Table, column: str, values: Array, low: float = -MAX_VALUE) -> Array:
    """The figures of a column unchanged, shape (rows,), from `low` to `MAX_VALUE`, or NaN.

    Raises `BadInputError`, with the row, for another.
    """
    least = "not above 0" if low > 0 else f"below {low:g}"
    for beyond, limit in ((values < low, least), (values > MAX_VALUE, "above 1e+100")):
        rows = np.flatnonzero(beyond)
        if len(rows):
            cell = table.cells(find_column(table, column))[int(rows[0])]
            raise BadInputError(
                f"{where(table, int(rows[0]))}: {column} is {cell}, {limit}: "
                "correct it, or leave it empty where it is unknown"
            )
    return values


def where(table: Table, row: int) -> str:
    """A row for an error message: its line, or its number and its run."""
    if table.lines is not None:
        return f"{table.name}, line {table.lines[row]}"
    run = table.columns.get("run_id", [None] * len(table))[row]
    return f"{table.name}, row {row + 1}" + ("" if run is None else f" (run {run})")
