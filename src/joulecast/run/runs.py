"""The Python interface: `joulecast.runs`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from ..analysis.table.load import matching_runs
from ..errors import LedgerError, UsageError
from ..ledger import Ledger, RunRow, open_ledger
from ..recording.model import Status
from ..recording.summary import summarize
from ..result import Result
from ..units import parse_duration

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, repr=False)
class RunList(Result):
    """Recorded runs, newest first."""

    SCHEMA: ClassVar[str] = "joulecast/runs/1"

    runs: list[RunRow]


def runs(
    *patterns: str,
    tags: Mapping[str, str] | None = None,
    since: str | float | None = None,
    until: str | float | None = None,
    status: str | None = None,
    limit: int | None = None,
    ledger: str | Path | None = None,
) -> RunList:
    """The recorded runs, newest first.

    Args:
        patterns: ids or names of runs; `*`, `?` and `[..]` match as in a shell. All by default.
        tags: that a run must have.
        since: start of the first run: `"2026-01-31"`, `"2026-01-31T14:30"` (local time), `"7d"`
            (ago), or seconds since 1970.
        until: the start of every run lies before it; a date includes its day.
        status: `running`, `finished`, `failed`, `stopped` or `interrupted`.
        limit: maximum number of runs.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.

    Returns:
        A row for each run: energies in J, durations in s.

    Raises:
        RunNotFoundError: no run matches one of the patterns.
        UsageError: an instant or the status is not valid.

    Example:
        >>> [row.name for row in joulecast.runs("resnet*", since="7d").runs]  # doctest: +SKIP
        ['resnet50', 'resnet18']
    """
    now = time.time()
    if status is not None and status not in list(Status):
        raise UsageError(f"status {status!r}: use one of {', '.join(Status)}")
    first = None if since is None else _instant(since, now)
    end = None if until is None else _instant(until, now, end_of_day=True)
    with open_ledger(ledger, create=ledger is None) as opened:
        if patterns:
            rows = matching_runs(opened, patterns, dict(tags or {}))[::-1]
        else:
            rows = opened.runs(tags=tags)
        kept = [
            row
            for row in rows
            if (first is None or row.started_at >= first)
            and (end is None or row.started_at < end)
            and (status is None or row.status == status)
        ]
        return RunList([_with_energy(opened, row) for row in kept[:limit]])


def _with_energy(ledger: Ledger, row: RunRow) -> RunRow:
    """The run with its energy so far, which only the end of a run stores."""
    if row.energy is not None or row.status not in (Status.RUNNING, Status.INTERRUPTED):
        return row
    try:
        return replace(row, energy=summarize(ledger.load(row.run_id)).total)
    except LedgerError:
        # Its samples are damaged, which `show` reports.
        return row


def _instant(value: str | float, now: float, end_of_day: bool = False) -> float:
    return value if isinstance(value, float | int) else parse_instant(value, now, end_of_day)


def parse_instant(text: str, now: float, end_of_day: bool = False) -> float:
    """Seconds since 1970 from `2026-01-31`, `2026-01-31T14:30` (local time), or `7d` (ago).

    Raises `UsageError`.
    """
    try:
        if not _DAY.match(text):
            return now - parse_duration(text)
        instant = datetime.fromisoformat(text)
    except (ValueError, UsageError) as error:
        raise UsageError(
            f"{text!r} is not a time: write 2026-01-31, 2026-01-31T12:00, or 7d or 12h (ago)"
        ) from error
    if end_of_day and _DAY.fullmatch(text):
        instant += timedelta(days=1)
    return instant.timestamp()
