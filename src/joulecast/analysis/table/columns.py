"""Runs as the rows of a table, by column: what every analysis reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...csv_table import RowError, number, open_table, shown
from ...errors import BadInputError

Array = npt.NDArray[np.float64]
Cell = str | float | None

UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Texts (in any case) that stand for a missing number."""

# Texts of a file that stand for anything missing. `none` is not one of them: it may be a label.
_BLANK = UNKNOWN - {"none"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of runs: factors, metrics, energies. All columns have the same length.

    Attributes:
        name: where it came from, for errors and titles.
        columns: by name; texts as in the file, or numbers. None, NaN and blank are missing. Any
            other text is a label, also `none` and `nan`.
        lines: the line of the file that each row is from; None where it is not from a file.
        notes: what limits its figures, such as runs that were left out.
    """

    name: str
    columns: Mapping[str, list[Cell]]
    lines: Sequence[int] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def cells(self, column: str) -> list[Cell]:
        """A column as it is. Raises `BadInputError`, with the nearest names, if it is missing."""
        if column not in self.columns:
            near = get_close_matches(column, self.columns, n=3, cutoff=0.5)
            hint = f"the nearest are {', '.join(near)}" if near else f"it has {self._shown()}"
            raise BadInputError(f"{self.name}: no column {column}: {hint}")
        return self.columns[column]

    def numbers(self, column: str) -> Array:
        """A column as numbers, shape (rows,); NaN where a value is missing.

        Raises `BadInputError`, with the row, for a cell that is not a finite number.
        """
        return np.array(
            [self._number(column, i, c) for i, c in enumerate(self.cells(column))], np.float64
        )

    def labels(self, column: str) -> list[str | None]:
        """A column as texts; None where a value is missing. `8.0` and `8` are different."""
        return [_label(cell) for cell in self.cells(column)]

    def levels(self, column: str) -> list[str | None]:
        """The labels of a factor. In a numeric column, `8.0` and `8` are one level, `8`."""
        labels = self.labels(column)
        if not self.is_numeric(column):
            return labels
        return [None if label is None else _plain(label) for label in labels]

    def is_numeric(self, column: str) -> bool:
        """Whether a column has values, and all of them are numbers."""
        values = [x for x in self.labels(column) if x is not None and x.lower() not in UNKNOWN]
        return bool(values) and all(number(value) is not None for value in values)

    def rows(self, keep: npt.NDArray[np.bool_]) -> Table:
        """The rows where `keep`, shape (rows,), is true."""
        columns = {name: list(compress(cells, keep)) for name, cells in self.columns.items()}
        lines = None if self.lines is None else list(compress(self.lines, keep))
        return Table(self.name, columns, lines, self.notes)

    def _number(self, column: str, row: int, cell: Cell) -> float:
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in UNKNOWN):
            return math.nan
        value = number(cell) if isinstance(cell, str) else float(cell)
        if value is None or math.isinf(value):
            at = f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"
            raise BadInputError(
                f"{self.name}, {at}: {column} is {shown(str(cell))}, not a finite number: "
                "correct it, or leave it empty"
            )
        return value

    def _shown(self) -> str:
        names = ", ".join(self.columns)
        return names if len(names) <= 200 else names[:200].rpartition(", ")[0] + ", ..."


def sort_levels(levels: Iterable[str], numeric: bool) -> list[str]:
    """The levels of a factor in order: of a numeric column by size, of others alphabetically."""
    return sorted(levels, key=by_size if numeric else lambda level: (level.casefold(), level))


def by_size(level: str) -> tuple[float, str]:
    """Sort key of levels of a numeric column; one that is not a number (`none`) comes first."""
    value = None if level.lower() in UNKNOWN else number(level)
    return (-math.inf if value is None else value), level


def read_csv(path: str | Path) -> Table:
    """The table in a CSV file (`.gz` too) whose first line names the columns.

    Cells that are blank, `NA`, `N/A`, `nan` or `null` (in any case) are None. `none` stays: as a
    number it is missing, as a label it is a level.

    Raises:
        BadInputError: the file cannot be read or makes no sense; the text names the line.
    """
    lines: list[int] = []
    with open_table(path) as table:
        if not all(table.header):
            raise RowError("a column has no name")
        columns: dict[str, list[Cell]] = {name: [] for name in table.header}
        for row in table.rows(table.header, complete=True):
            lines.append(table.line)
            for name, text in row.items():
                columns[name].append(None if text.lower() in _BLANK else text)
    return Table(str(path), columns, lines)


def _label(cell: Cell) -> str | None:
    if isinstance(cell, str):
        return cell.strip() or None
    if cell is None or math.isnan(cell):
        return None
    return f"{cell:.15g}"


def _plain(label: str) -> str:
    """A number in its shortest form; a word such as `none` as it is."""
    return label if label.lower() in UNKNOWN else f"{float(label):.15g}"
