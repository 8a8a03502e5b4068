"""CSV tables that people give: opened, their header checked, what is wrong told with its line."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

from .errors import BadInputError

CURE = "mend the figure, or leave the run out"
MOST = 1e18  # of any figure: more than any run could; keeps sums and squares finite
_TICK = 2000  # lines between two calls of `read`

T = TypeVar("T")
Row = dict[str, str]


def read_table(
    path: str | Path,
    take: Callable[[str, Iterator[str]], T],
    read: Callable[[int], None] = lambda characters: None,
) -> T:
    """What `take` makes of a file's name and its lines.

    Args:
        path: plain text, or gzip if its name ends in `.gz`.
        take: reads the lines, as they come.
        read: is told every now and then how many characters were read since.

    Raises:
        BadInputError: the file cannot be read, or is no CSV text.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text:
                return take(str(path), _lines(text, read))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, EOFError, csv.Error) as error:
        raise BadInputError(f"{path}: not a CSV text file: {error}") from error


def _lines(file: TextIO, read: Callable[[int], None]) -> Iterator[str]:
    characters = 0
    for number, line in enumerate(file, 1):
        characters += len(line)
        yield line
        if not number % _TICK:
            read(characters)
            characters = 0
    read(characters)


class Rows:
    """The rows of a table, each as the stripped texts of the columns that matter.

    Args:
        name: of the file, for errors.
        lines: of the file.
        required: columns that must be there.
        optional: columns that are taken if they are there; others are passed over.
        by: a column to group by, which must be there too.

    Raises:
        BadInputError: here and while iterating, the table makes no sense; the text names the line.
    """

    def __init__(
        self,
        name: str,
        lines: Iterator[str],
        required: Sequence[str],
        optional: Sequence[str],
        by: str | None = None,
    ) -> None:
        self._name, self._required = name, required
        self.line = 1
        self._reader = csv.reader(lines)
        first = next(self._reader, None)
        if first is None:
            raise BadInputError(f"{name}: the file is empty")
        self._width = len(first)
        self.columns = self._columns(first, optional, by)

    def __iter__(self) -> Iterator[Row]:
        found = False
        for cells in self._reader:
            if not any(cells):
                continue  # a blank line
            self.line, found = self._reader.line_num, True
            if any(cell.strip() for cell in cells[self._width :]):
                self.refuse(f"{len(cells)} cells where the header has {self._width}")
            at = self.columns.items()
            yield {c: cells[i].strip() if i < len(cells) else "" for c, i in at}
        if not found:
            raise BadInputError(f"{self._name}: it has a header and no rows")

    def _columns(self, first: list[str], optional: Sequence[str], by: str | None) -> dict[str, int]:
        header = [cell.strip().lower() for cell in first]
        missing = [column for column in self._required if column not in header]
        for mark, called in ((";", "semicolons"), ("\t", "tabs")):
            if missing and any(mark in cell for cell in first):
                self.refuse(f"columns must be separated by commas, not {called}")
        found = ", ".join(cell for cell in header if cell)[:200] or "none"
        if missing:
            self.refuse(
                f"no column {', '.join(missing)} (found: {found}); "
                f"the header must hold {','.join(self._required)}"
            )
        wanted = [*self._required, *(c for c in optional if c in header)]
        if by is not None:
            if by.lower() not in header:
                self.refuse(f"no column {by} to group by (found: {found})")
            wanted.append(by.lower())
        for column in dict.fromkeys(wanted):
            if header.count(column) > 1:
                self.refuse(f"the column {column} is there {header.count(column)} times")
        return {column: header.index(column) for column in wanted}

    def amount(self, row: Row, column: str, of: str) -> float:
        """A finite figure, not negative; `of` says in an error whose it is."""
        return amount(row[column], column, of, self.refuse)

    def refuse(self, problem: str) -> NoReturn:
        """Raise `BadInputError` with the file and the line."""
        raise BadInputError(f"{self._name}, line {self.line}: {problem}")


def amount(text: str, column: str, of: str, refuse: Callable[[str], NoReturn]) -> float:
    """A finite figure, not negative; else `refuse` is told what is wrong, and must raise."""
    if not text:
        refuse(f"{of}: {column} is missing: {CURE}")
    value = number(text)
    if value is None:
        refuse(f"{of}: {column} is {shown(text)}, not a number: {CURE}")
    if not math.isfinite(value):
        refuse(f"{of}: {column} is {shown(text)}, not a finite number: {CURE}")
    if value < 0:
        refuse(f"{of}: {column} is negative ({shown(text)}): {CURE}")
    if value > MOST:
        refuse(f"{of}: {column} is {shown(text)}, more than {MOST:g}: {CURE}")
    return value


def number(text: str) -> float | None:
    """A number as programs write it, or None."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def shown(text: str) -> str:
    """A cell as an error may show it."""
    return text if len(text) <= 40 and text.isprintable() else repr(text[:40])
