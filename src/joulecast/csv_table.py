"""CSV tables that people give: the one reader of headers, rows and numbers.

    with open_table(path) as table:
        for row in table.rows(("t_s", "power_w")):
            power_w = amount(row["power_w"], "power_w")

Every problem becomes a `BadInputError` that names the file and the line.
"""

import csv
import gzip
import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .column_units import matching_columns, unit_of
from .errors import BadInputError

# Above any number that a run can have; sums and squares of numbers below it are finite.
LARGEST = 1e18
REMEDY = "correct the number, or leave the row out"
# Seconds since 1970, in the year 9892: a later time is none, or is in milliseconds.
LATEST_S = 2.5e11
_SEPARATORS = {";": "semicolons", "\t": "tabs"}

Row = dict[str, str]
"""The stripped text of each column; blank where the row has none."""


class RowError(BadInputError):
    """A problem in a row. `open_table` puts the file and the line in front of it."""


class CsvTable:
    """The rows of a CSV table under its header.

    Attributes:
        header: the names of the columns, stripped.
        line: the line on which the current row ends; that of the header is 1.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.line = 1
        self._reader = csv.reader(lines)
        self.header = [cell.strip() for cell in next(self._reader, [])]
        for mark, name in _SEPARATORS.items():
            if len(self.header) == 1 and mark in self.header[0]:
                raise RowError(f"columns must be separated by commas, not {name}")
        # The places of names that are there once: a table may have 100,000 columns.
        count = Counter(self.header)
        self._at = {name: i for i, name in enumerate(self.header) if count[name] == 1}

    def has(self, column: str) -> bool:
        """Whether there is such a column, in any case of letters, or in another unit."""
        return column in self._at or bool(matching_columns(self.header, column))

    def rows(
        self, required: Sequence[str], optional: Sequence[str] = (), *, complete: bool = False
    ) -> Iterator[Row]:
        """The rows that are not blank, as texts by the names that are asked for here.

        Args:
            required: columns that must be there; the case of letters does not matter.
            optional: columns that are read where they are there.
            complete: refuse rows that have fewer cells than the header.

        Raises:
            RowError: a column is missing or there twice, a row does not fit the header, or there
                is no row.
        """
        at = self._places(required, optional)
        width, empty = len(self.header), True
        for cells in self._reader:
            self.line = self._reader.line_num
            if not any(cells):
                continue
            empty = False
            if any(cell.strip() for cell in cells[width:]) or (complete and len(cells) < width):
                raise RowError(
                    f"{len(cells)} cells where the header has {width}: complete the row, and write "
                    "1.5 with a point, not a comma"
                )
            yield self._row(cells, at)
        if empty:
            raise RowError("a header without rows")

    def _row(self, cells: Sequence[str], at: Mapping[str, tuple[int, float]]) -> Row:
        row = {}
        for column, (i, factor) in at.items():
            text = cells[i].strip() if i < len(cells) else ""
            value = number(text) if factor != 1 else None
            row[column] = text if value is None else repr(value * factor)
        return row

    def _places(
        self, required: Sequence[str], optional: Sequence[str]
    ) -> dict[str, tuple[int, float]]:
        """Of each column that is asked for and there: its place, and the factor to its unit."""
        missing = [column for column in required if not self.has(column)]
        if missing:
            there = ", ".join(name for name in self.header if name)[:200]
            raise RowError(f"no column {', '.join(missing)} (the columns are: {there})")
        wanted = dict.fromkeys((*required, *(c for c in optional if self.has(c))))
        return {column: self._place(column) for column in wanted}

    def _place(self, column: str) -> tuple[int, float]:
        if column in self._at:
            return self._at[column], 1.0
        same = matching_columns(self.header, column)
        if len(same) > 1:
            raise RowError(f"the column {column} is there {len(same)} times: {', '.join(same)}")
        return self.header.index(same[0]), unit_of(same[0]).factor / unit_of(column).factor


@contextmanager
def open_table(
    path: str | Path, progress: Callable[[int], object] = lambda count: None
) -> Iterator[CsvTable]:
    """Open a CSV file for reading inside a `with` block.

    Args:
        path: plain text, or gzip if its name ends in `.gz`.
        progress: called now and then with the number of bytes read since the last call.

    Raises:
        BadInputError: the file cannot be read, or the block raised `RowError`.
    """
    path = Path(path)
    table: CsvTable | None = None
    try:
        with (
            open_bytes(path, progress) as data,
            io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text,
        ):
            table = CsvTable(text)
            if not any(table.header):
                raise RowError("the first line must name the columns, and it is blank")
            yield table
    except RowError as error:
        raise BadInputError(f"{path}, line {table.line if table else 1}: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: not a CSV text file: {error}") from error


@contextmanager
def open_bytes(
    path: str | Path, progress: Callable[[int], object] = lambda count: None
) -> Iterator[Any]:
    """Open a file, unpacked if its name ends in `.gz`; `progress` and errors as of `open_table`."""
    path = Path(path)
    try:
        with io.BufferedReader(_CountingFile(path, progress)) as raw:
            yield gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path}: cannot be read: {why}") from error


class _CountingFile(io.FileIO):
    def __init__(self, path: Path, progress: Callable[[int], object]) -> None:
        super().__init__(path)
        self._progress = progress

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer)
        self._progress(count or 0)
        return count


def amount(text: str, what: str, low: float = 0.0, remedy: str = REMEDY) -> float:
    """A finite number from `low` to `LARGEST`.

    Args:
        text: a cell.
        what: whose number it is, for the error: `"run 'a', epoch 3: energy_j"`.
        low: the smallest that makes sense.
        remedy: what to do about one that does not.

    Raises:
        RowError: the text is blank, no number, or out of range.
    """
    value = number(text)
    if not text:
        problem = "is missing"
    elif value is None and re.search(r"\d[,_' ]\d", text):
        raise RowError(f"{what} is {shown(text)}: write a point before decimals, and no separators")
    elif value is None:
        problem = f"is {shown(text)}, not a number"
    elif not math.isfinite(value):
        problem = f"is {shown(text)}, not a finite number"
    elif value < low:
        problem = f"is {shown(text)}, below {low:g}"
    elif value > LARGEST:
        problem = f"is {shown(text)}, above {LARGEST:g}"
    else:
        return value
    raise RowError(f"{what} {problem}: {remedy}")


def instant(text: str) -> float:
    """A time in seconds, of a run or since 1970. Raises `RowError`, for milliseconds too."""
    t_s = number(text)
    if t_s is not None and LATEST_S < t_s < math.inf:
        factor = 1e9 if t_s > 1e17 else 1e6 if t_s > 1e14 else 1e3
        raise RowError(
            f"t_s is {shown(text)}, which in seconds is after the year 9892: divide the column by "
            f"{factor:,.0f}, if that makes seconds since 1970"
        )
    return amount(text, "t_s", -LATEST_S)


def number(text: str) -> float | None:
    """The number in a text as programs write it, or None: no underscores."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def shown(text: str) -> str:
    """A cell as an error may quote it."""
    return text if len(text) <= 40 and text.isprintable() else repr(text[:40])
