"""The Python interface: `joulecast.runs`."""

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ..errors import UsageError
from ..ledger import RunList, open_ledger
from ..ledger.rescue import adopt
from ..recording.model import Status
from ..units import parse_duration

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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
        RunNotFoundError: a name or id matches no run.
        UsageError: an instant or the status is not valid.

    Examples:
        >>> [run.name for run in joulecast.runs("digits", since="7d", limit=1)]
        ['digits']
    """
    now = time.time()
    if status is not None and status not in list(Status):
        raise UsageError(f"status {status!r}: use one of {', '.join(Status)}")
    first = None if since is None else parse_instant(since, now)
    end = None if until is None else parse_instant(until, now, end_of_day=True)
    with open_ledger(ledger, create=ledger is None) as opened:
        listed = partial(
            opened.runs,
            *patterns,
            tags=tags,
            since=first,
            until=end,
            status=None if status is None else Status(status),
            limit=limit,
            energy_so_far=True,
        )
        runs = listed()
        interrupted = [run for run in runs if run.status is Status.INTERRUPTED]
        # What the ledger could not store while it was full, or away.
        adopted = [run for run in interrupted if adopt(opened, run.run_id)]
        return listed() if adopted else runs


def parse_instant(text: str | float, now: float, end_of_day: bool = False) -> float:
    """Seconds since 1970 from `2026-01-31`, `2026-01-31T14:30` (local time), or `7d` (ago).

    A number is already that. Raises `UsageError`.
    """
    if not isinstance(text, str):
        return text
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
