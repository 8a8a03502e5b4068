"""Epochs of many runs from a CSV table: `run_id,epoch,duration_s,energy_j[,planned_epochs]`."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TextIO

from ..errors import BadInputError
from .base import History, Work

HEADER = ("run_id", "epoch", "duration_s", "energy_j")
_OPTIONAL = ("planned_epochs", "tdp_w")
_MOST = 1e18  # J, s or W: more than any run could; keeps sums and squares finite
_CURE = "mend the figure, or leave the run out"
_TICK = 2000  # lines between two calls of `read`


@dataclass(frozen=True, slots=True)
class EpochRun:
    """A run of the table. `group` is what it has in the column asked for."""

    history: History
    tdp_w: float | None = None
    group: str | None = None
    absent: int = 0  # epochs whose numbers are passed over between the first and the last


def read_epochs(
    path: str | Path, by: str | None = None, read: Callable[[int], None] = lambda characters: None
) -> list[EpochRun]:
    """The runs of a CSV file, in the order of their first rows.

    The epochs of a run stand in order; rows of different runs may alternate. Columns that are
    not known are passed over. Of `planned_epochs` and `tdp_w` (rated power of all devices of the
    run, W) the last one given in a run counts; without the first, the epochs of the run do.

    Args:
        path: plain text, or gzip if its name ends in `.gz`.
        by: a column to group runs by, the same in all rows of a run.
        read: is told every now and then how many characters were read since.

    Raises:
        BadInputError: the table makes no sense; the text names the line.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text:
                return _Reader(str(path), by).read(_lines(text, read))
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


@dataclass(slots=True)
class _Run:
    last: int
    first: int
    group: str | None
    works: list[Work] = field(default_factory=list)
    planned: int | None = None
    tdp_w: float | None = None


class _Reader:
    """The table line by line; what is wrong is told with its line."""

    def __init__(self, name: str, by: str | None) -> None:
        self._name, self._by = name, by
        self._line = 1

    def read(self, lines: Iterator[str]) -> list[EpochRun]:
        """All runs."""
        reader = csv.reader(lines)
        first = next(reader, None)
        if first is None:
            raise BadInputError(f"{self._name}: the file is empty")
        at = self._columns(first)
        runs: dict[str, _Run] = {}
        for cells in reader:
            if not any(cells):
                continue  # a blank line
            self._line = reader.line_num
            if any(cell.strip() for cell in cells[len(first) :]):
                self._refuse(f"{len(cells)} cells where the header has {len(first)}")
            self._row({c: cells[i].strip() if i < len(cells) else "" for c, i in at.items()}, runs)
        if not runs:
            raise BadInputError(f"{self._name}: it has a header and no rows")
        return [_finished(run_id, run) for run_id, run in runs.items()]

    def _columns(self, first: list[str]) -> dict[str, int]:
        header = [cell.strip().lower() for cell in first]
        missing = [column for column in HEADER if column not in header]
        for mark, called in ((";", "semicolons"), ("\t", "tabs")):
            if missing and any(mark in cell for cell in first):
                self._refuse(f"columns must be separated by commas, not {called}")
        found = ", ".join(cell for cell in header if cell)[:200] or "none"
        if missing:
            self._refuse(
                f"no column {', '.join(missing)} (found: {found}); "
                f"the header must hold {','.join(HEADER)}"
            )
        wanted = [*HEADER, *(c for c in _OPTIONAL if c in header)]
        if self._by is not None:
            if self._by.lower() not in header:
                self._refuse(f"no column {self._by} to group by (found: {found})")
            wanted.append(self._by.lower())
        for column in wanted:
            if header.count(column) > 1:
                self._refuse(f"the column {column} is there {header.count(column)} times")
        return {column: header.index(column) for column in wanted}

    def _row(self, row: dict[str, str], runs: dict[str, _Run]) -> None:
        run_id = row["run_id"]
        if not run_id:
            self._refuse("run_id is missing")
        epoch = self._whole(row, "epoch")
        of = f"run {run_id!r}, epoch {epoch}"
        group = None if self._by is None else row[self._by.lower()]
        run = runs.get(run_id)
        if run is None:
            run = runs[run_id] = _Run(epoch, epoch, group)
        elif epoch <= run.last:
            same = "comes twice" if epoch == run.last else f"follows epoch {run.last}"
            self._refuse(f"{of} {same}: the epochs of a run must be in order, each once")
        elif group != run.group:
            self._refuse(f"{of}: {self._by} is {group!r}, and was {run.group!r} before in the run")
        run.last = epoch
        duration_s, energy_j = (self._amount(row, c, of) for c in ("duration_s", "energy_j"))
        run.works.append(Work(1.0, duration_s, energy_j))
        if row.get("planned_epochs"):
            run.planned = self._whole(row, "planned_epochs")
            if run.planned < 1:
                self._refuse(f"{of}: planned_epochs is {run.planned}; leave it blank if unknown")
        if row.get("tdp_w"):
            run.tdp_w = self._amount(row, "tdp_w", of)

    def _amount(self, row: dict[str, str], column: str, of: str) -> float:
        text = row[column]
        if not text:
            self._refuse(f"{of}: {column} is missing: {_CURE}")
        value = _number(text)
        if value is None:
            self._refuse(f"{of}: {column} is {_shown(text)}, not a number: {_CURE}")
        if not math.isfinite(value):
            self._refuse(f"{of}: {column} is {_shown(text)}, not a finite number: {_CURE}")
        if value < 0:
            self._refuse(f"{of}: {column} is negative ({_shown(text)}): {_CURE}")
        if value > _MOST:
            self._refuse(f"{of}: {column} is {_shown(text)}, more than {_MOST:g}: {_CURE}")
        return value

    def _whole(self, row: dict[str, str], column: str) -> int:
        text = row[column]
        value = _number(text)  # other programs write 3 as 3.0
        if value is None or not value.is_integer() or abs(value) > _MOST:
            of = "" if column == "epoch" else f"run {row['run_id']!r}, epoch {row['epoch']}: "
            what = "missing" if not text else f"{_shown(text)}, not a whole number"
            self._refuse(f"{of}{column} is {what}")
        return int(value)

    def _refuse(self, problem: str) -> NoReturn:
        raise BadInputError(f"{self._name}, line {self._line}: {problem}")


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _shown(text: str) -> str:
    return text if len(text) <= 40 and text.isprintable() else repr(text[:40])


def _finished(run_id: str, run: _Run) -> EpochRun:
    count = len(run.works)
    history = History(run_id, tuple(run.works), run.planned or count)
    return EpochRun(history, run.tdp_w, run.group, run.last - run.first + 1 - count)
