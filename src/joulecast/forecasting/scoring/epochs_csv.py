"""Epochs of many runs from a CSV table: `run_id,epoch,duration_s,energy_j[,planned_epochs]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...csv_table import MOST, Row, Rows, number, read_table, shown
from ..base import History, Work

HEADER = ("run_id", "epoch", "duration_s", "energy_j")
_OPTIONAL = ("planned_epochs", "tdp_w")


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
    return read_table(path, lambda name, lines: _Reader(name, lines, by).runs(), read)


@dataclass(slots=True)
class _Run:
    last: int
    first: int
    group: str | None
    works: list[Work] = field(default_factory=list)
    planned: int | None = None
    tdp_w: float | None = None


class _Reader:
    """The table row by row, gathered into runs."""

    def __init__(self, name: str, lines: Iterator[str], by: str | None) -> None:
        self._rows, self._by = Rows(name, lines, HEADER, _OPTIONAL, by), by
        self._refuse, self._amount = self._rows.refuse, self._rows.amount

    def runs(self) -> list[EpochRun]:
        """All runs."""
        runs: dict[str, _Run] = {}
        for row in self._rows:
            self._row(row, runs)
        return [_finished(run_id, run) for run_id, run in runs.items()]

    def _row(self, row: Row, runs: dict[str, _Run]) -> None:
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

    def _whole(self, row: Row, column: str) -> int:
        text = row[column]
        value = number(text)  # other programs write 3 as 3.0
        if value is None or not value.is_integer() or abs(value) > MOST:
            of = "" if column == "epoch" else f"run {row['run_id']!r}, epoch {row['epoch']}: "
            what = "missing" if not text else f"{shown(text)}, not a whole number"
            self._refuse(f"{of}{column} is {what}")
        return int(value)


def _finished(run_id: str, run: _Run) -> EpochRun:
    count = len(run.works)
    history = History(run_id, tuple(run.works), run.planned or count)
    return EpochRun(history, run.tdp_w, run.group, run.last - run.first + 1 - count)
