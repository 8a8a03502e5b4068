"""Finished runs of a ledger as online forecasters see them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import BadInputError, LedgerError
from ...recording.model import Status
from ...recording.summary import Summary, summarize
from ..base import History, Work

if TYPE_CHECKING:
    from ...ledger import Ledger

# Of a run that shows how first epochs relate to later ones.
MIN_EPOCHS = 2
# Recorded time of all runs read together: a week of one GPU takes some seconds to summarize.
MAX_READ_S = 7 * 86400.0


def histories(
    ledger: Ledger,
    *,
    limit: int = 50,
    first: str | None = None,
    machine: Mapping[str, Any] | None = None,
    max_read_s: float = MAX_READ_S,
) -> list[History]:
    """The finished runs of a ledger that have epochs, newest first.

    It may run in a thread during another run, so it reads at most `limit` runs and at most
    `max_read_s` seconds of recorded time.

    Args:
        ledger: of the runs.
        limit: maximum number of runs to read.
        first: runs of exactly this name come before all others.
        machine: an environment as in a header; only runs on such a machine (`same_machine`).
        max_read_s: maximum recorded time to read, s.

    Raises:
        LedgerError: the ledger itself cannot be read.
    """
    # The sort is stable: the others stay newest first.
    rows = sorted(ledger.runs(status=Status.FINISHED), key=lambda row: row.name != first)
    usable: list[History] = []
    read_s = 0.0
    for row in rows[: max(0, limit)]:
        read_s += row.duration_s
        if read_s > max_read_s:
            continue
        # One damaged run, or one without epochs, does not hide the others.
        with suppress(LedgerError, BadInputError):
            summary = summarize(ledger.load(row.run_id))
            environment = summary.recording.header.environment
            if machine is None or same_machine(environment, machine):
                usable.append(history_of(summary))
    return usable


def history_of(summary: Summary) -> History:
    """The epochs of a run as forecasters see them.

    Of ranks that log the same epochs, those of the first count. An epoch without an end is left
    out; no epoch is left out between others.

    Raises:
        BadInputError: the run cannot be used; the text is the reason.
    """
    epochs = [e for e in summary.epochs if e.span.end_s is not None]
    work = []
    for number, epoch in enumerate(epochs, 1):
        if epoch.energy is None:
            raise BadInputError(f"the energy of its epoch {number} is unknown")
        if epoch.energy.value <= 0:
            raise BadInputError(f"its epoch {number} is too short for the meter to resolve")
        work.append(Work(1.0, epoch.duration_s, epoch.energy.value))
    if len(work) < MIN_EPOCHS:
        raise BadInputError("it has one epoch only" if work else "it has no epochs")
    header = summary.recording.header
    planned = max(header.planned_epochs or 0, len(work))
    return History(header.run_id, tuple(work), planned)


def same_machine(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two environments (`Header.environment`) have the same CPU and the same visible GPUs.

    False where both are unknown.
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
