"""Past runs of a ledger as forecasters see them: to learn from, and to be scored on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import LedgerError
from ...recording.model import Status
from ...recording.summary import Summary, summarize
from ..base import History, Work

if TYPE_CHECKING:
    from ...ledger import Ledger

LEAST_EPOCHS = 2  # of a run that can teach how first epochs relate to later ones
LONGEST_READ_S = 7 * 86400.0
"""Of recorded time, in all runs read: a week of one GPU takes some seconds to add up."""


def histories(
    ledger: Ledger,
    *,
    limit: int = 50,
    name: str | None = None,
    first: str | None = None,
    machine: Mapping[str, Any] | None = None,
    longest_read_s: float = LONGEST_READ_S,
    left_out: Callable[[str, str], None] = lambda run_id, reason: None,
) -> list[History]:
    """The finished runs of a ledger that have epochs, newest first.

    Meant for a thread beside a run as well: it reads no more than `limit` runs, and no more of
    them than `longest_read_s` of recorded time. A run that cannot be used is passed over.

    Args:
        ledger: that holds them.
        limit: of the runs that are read.
        name: only runs of this name; `*` and `?` as in a shell.
        first: runs of this very name come before all others.
        machine: an environment as a header holds it; only runs on such a machine (`same_machine`).
        longest_read_s: of recorded time.
        left_out: is told the id of each run that was read and not used, and why.

    Raises:
        LedgerError: the ledger itself cannot be read.
    """
    rows = ledger.runs(name=name, status=Status.FINISHED)
    rows.sort(key=lambda row: row.name != first)  # stable: newest first among the others
    found: list[History] = []
    read_s = 0.0
    for row in rows[: max(0, limit)]:
        read_s += row.duration_s
        if read_s > longest_read_s:
            left_out(row.run_id, "the runs before it were long enough to learn from")
            continue
        try:
            summary = summarize(ledger.load(row.run_id))
        except LedgerError as error:  # one damaged run does not hide the others
            left_out(row.run_id, str(error))
            continue
        header = summary.recording.header
        if machine is not None and not same_machine(header.environment, machine):
            left_out(row.run_id, "it ran on another machine")
            continue
        history, reason = of_summary(summary)
        if history is None:
            left_out(row.run_id, reason)
        else:
            found.append(history)
    return found


def of_summary(summary: Summary) -> tuple[History | None, str]:
    """A run's epochs as forecasters see them; or None, and why it cannot be used.

    Epochs count as the summary gives them: of ranks that log the same ones, the first. One that
    never ended is left out; no epoch is left out from between others.
    """
    epochs = [e for e in summary.epochs if e.span.end_s is not None]
    work = []
    for number, epoch in enumerate(epochs):
        if epoch.energy is None:
            return None, f"the energy of its epoch {number} is not known"
        if epoch.energy.value <= 0:
            return None, f"its epoch {number} is too short for the meter to see its energy"
        work.append(Work(1.0, epoch.duration_s, epoch.energy.value))
    if len(work) < LEAST_EPOCHS:
        return None, "it has no epochs" if not work else "it has one epoch only"
    header = summary.recording.header
    planned = max(header.planned_epochs or 0, len(work))
    return History(header.run_id, tuple(work), planned), ""


def same_machine(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two environments (`Header.environment`) have the same CPU and the same visible GPUs.

    False where nothing is known of either: it cannot be told.
    """
    identity = _identity(one)
    return identity == _identity(other) and identity != (None, ())


def _identity(environment: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    cpu = environment.get("cpu")
    gpus = environment.get("gpus") or ()
    names = [
        str(gpu.get("name"))
        for gpu in gpus
        if isinstance(gpu, Mapping) and gpu.get("visible") is not False
    ]
    return cpu.get("name") if isinstance(cpu, Mapping) else None, tuple(sorted(names))
