"""Epochs of many runs from a CSV table: `run_id,epoch,duration_s,energy_j[,planned_epochs]`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...csv_table import LARGEST, Row, RowError, amount, number, open_table, shown
from ..base import History, Work

HEADER = ("run_id", "epoch", "duration_s", "energy_j")
_OPTIONAL = ("planned_epochs", "tdp_w")
_REMEDY = "correct the number, or leave the run out"


@dataclass(slots=True)
class EpochRun:
    """A run of the table, filled row by row.

    Attributes:
        run_id: its name in the table.
        group: its values in the columns to group by; None without such columns.
        works: its epochs in order.
        planned: planned epochs, where the table has them.
        tdp_w: rated power of all its devices, W, where the table has it.
        first: number of its first epoch.
        last: number of its last epoch so far.
    """

    run_id: str
    group: str | None
    first: int
    last: int
    works: list[Work] = field(default_factory=list)
    planned: int | None = None
    tdp_w: float | None = None

    @property
    def history(self) -> History:
        """The run as forecasters see it. Without a plan, its epochs are the plan."""
        return History(self.run_id, tuple(self.works), self.planned or len(self.works))

    @property
    def absent(self) -> int:
        """Epochs between its first and its last that the table lacks."""
        return self.last - self.first + 1 - len(self.works)


def read_epochs(
    path: str | Path,
    by: Sequence[str] = (),
    progress: Callable[[int], object] = lambda count: None,
) -> list[EpochRun]:
    """The runs of a CSV file, in the order of their first rows.

    The epochs of a run must be in order; rows of different runs may alternate. Other columns are
    ignored. Of several values of `planned_epochs` or `tdp_w` in a run, the last one counts.

    Args:
        path: plain text, or gzip if its name ends in `.gz`.
        by: columns to group runs by, each the same in all rows of a run.
        progress: called now and then with the number of bytes read since the last call.

    Raises:
        BadInputError: the table makes no sense; the text names the line.
    """
    runs: dict[str, EpochRun] = {}
    with open_table(path, progress) as table:
        for row in table.rows((*HEADER, *by), _OPTIONAL):
            _add_row(row, by, runs)
    return list(runs.values())


def _add_row(row: Row, by: Sequence[str], runs: dict[str, EpochRun]) -> None:
    run_id = row["run_id"]
    if not run_id:
        raise RowError("run_id is missing")
    epoch = _whole(row["epoch"], "epoch")
    where = f"run {run_id!r}, epoch {epoch}"
    group = ", ".join(row[column] for column in by) if by else None
    run = runs.get(run_id)
    if run is None:
        run = runs[run_id] = EpochRun(run_id, group, epoch, epoch)
    elif epoch <= run.last:
        raise RowError(
            f"{where} follows epoch {run.last}: sort the epochs of a run, and list each once"
        )
    elif group != run.group:
        raise RowError(
            f"{where}: {', '.join(by)} is {group!r}, but {run.group!r} in earlier rows of the run"
        )
    run.last = epoch
    duration_s, energy_j = (
        amount(row[column], f"{where}: {column}", remedy=_REMEDY)
        for column in ("duration_s", "energy_j")
    )
    run.works.append(Work(1.0, duration_s, energy_j))
    if row.get("planned_epochs"):
        run.planned = _whole(row["planned_epochs"], f"{where}: planned_epochs")
        if run.planned < 1:
            raise RowError(f"{where}: planned_epochs is {run.planned}; leave it blank if unknown")
    if row.get("tdp_w"):
        run.tdp_w = amount(row["tdp_w"], f"{where}: tdp_w", remedy=_REMEDY)


def _whole(text: str, what: str) -> int:
    """A whole number; other programs write 3 as 3.0."""
    value = number(text)
    if value is None or not value.is_integer() or abs(value) > LARGEST:
        problem = f"is {shown(text)}, not a whole number" if text else "is missing"
        raise RowError(f"{what} {problem}")
    return int(value)
