"""`joulecast runs`: the list of recorded runs."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import click

from ..errors import LedgerError, UsageError
from ..units import format_duration, format_estimate, parse_duration
from . import options

if TYPE_CHECKING:
    from ..ledger import Ledger, RunRow

SCHEMA = "joulecast/runs/1"
_STATUSES = ("running", "finished", "failed", "stopped", "interrupted")
_LAYOUTS: tuple[dict[str, int], ...] = (  # the most that columns may take, from wide to narrow
    {"name": 40, "tags": 40},
    {"name": 24, "tags": 24},
    {"name": 24, "tags": 0},
    {"name": 24, "tags": 0, "started": len("2026-01-31")},
    {"name": 12, "tags": 0, "started": len("2026-01-31")},
    {"name": 8, "tags": 0, "started": len("2026-01-31")},
    {"name": 24, "tags": 0, "started": 0},
    {"name": 8, "tags": 0, "started": 0},
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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
            f"{text!r} is no time: write 2026-01-31, 2026-01-31T12:00, or 7d or 12h (ago)"
        ) from error
    if end_of_day and _DAY.fullmatch(text):
        instant += timedelta(days=1)
    return instant.timestamp()


def short_ids(ids: Sequence[str], least: int = 8) -> list[str]:
    """The beginning of each id, as long as it takes to tell them apart."""
    longest = max((len(i) for i in ids), default=0)
    length = next(
        (n for n in range(least, longest) if len({i[:n] for i in ids}) == len(set(ids))), longest
    )
    return [i[:length] for i in ids]


@click.command("runs")
@click.option("--name", metavar="GLOB", help="Of the run; * and ? as in a shell.")
@options.tags
@click.option("--since", metavar="WHEN", help="Started at or after 2026-01-31, or 7d ago.")
@click.option("--until", metavar="WHEN", help="Started before; a date includes its day.")
@click.option("--status", type=click.Choice(_STATUSES), help="That it has now.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.ledger
def command(
    name: str | None,
    tags: dict[str, str],
    since: str | None,
    until: str | None,
    status: str | None,
    limit: int | None,
    as_json: bool,
    ledger: str | None,
) -> None:
    """List the recorded runs, newest first."""
    from ..ledger import open_ledger
    from ..recording.model import Status

    now = time.time()
    with open_ledger(ledger, create=ledger is None) as opened:
        runs = opened.runs(
            name=name,
            tags=tags,
            since=None if since is None else parse_instant(since, now),
            until=None if until is None else parse_instant(until, now, end_of_day=True),
            status=None if status is None else Status(status),
            limit=limit,
        )
        runs = [_summed(opened, run) for run in runs]
        where = opened.location
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "runs": [run.to_json() for run in runs]}))
    elif runs:
        _print_table(runs)
    else:
        click.echo(f"no runs in {where} match, or none is recorded yet", err=True)


def _summed(ledger: Ledger, run: RunRow) -> RunRow:
    """The run with its energy so far, where it has no end that could have told it."""
    from ..recording.model import Status
    from ..recording.summary import summarize

    if run.total is not None or run.status not in (Status.RUNNING, Status.INTERRUPTED):
        return run
    try:
        return replace(run, total=summarize(ledger.load(run.run_id)).total)
    except LedgerError:  # damaged samples: `show` says so, the list goes on
        return run


def _print_table(runs: Sequence[RunRow]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Into a file or a pipe, lines are not broken to the width of a terminal that is not there.
    console = Console(width=None if sys.stdout.isatty() else 200)
    ids = short_ids([run.run_id for run in runs])
    rows = [{"id": short} | _cells(run) for short, run in zip(ids, runs, strict=True)]
    texts = [{column: Text(printable(text)) for column, text in row.items()} for row in rows]
    headings = {column: "" if column == "provenance" else column for column in rows[0]}
    longest = {
        column: max(len(heading), *(row[column].cell_len for row in texts))
        for column, heading in headings.items()
    }
    widths, space = fitted(longest, console.width)
    padding = (0, space - 1, 0, 0)  # the box itself parts columns by one space
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
    for column, width in widths.items():
        overflow: Literal["crop", "ellipsis"] = "crop" if column == "started" else "ellipsis"
        table.add_column(headings[column], width=width, no_wrap=True, overflow=overflow)
    for row in texts:
        table.add_row(*(row[column] for column in widths))
    console.print(table)


def fitted(longest: Mapping[str, int], room: int) -> tuple[dict[str, int], int]:
    """The columns to show in `room`, how wide, and the space between them; from their longest text.

    Tags give way first, then the end of long names, the hour of the start, the date at last.
    """
    for most in _LAYOUTS:
        widths = {column: min(size, most.get(column, size)) for column, size in longest.items()}
        widths = {column: width for column, width in widths.items() if width}
        for space in (2, 1):
            if sum(widths.values()) + space * (len(widths) - 1) <= room:
                return widths, space
    return widths, 1


def _cells(run: RunRow) -> dict[str, str]:
    return {
        "name": run.name,
        "started": f"{datetime.fromtimestamp(run.started_at):%Y-%m-%d %H:%M}",
        "duration": format_duration(run.duration_s),
        "energy": "not measured" if run.total is None else format_estimate(run.total),
        "provenance": "" if run.total is None else str(run.total.provenance),
        "status": str(run.status),
        "tags": " ".join(f"{key}={value}" for key, value in run.tags.items()),
    }


def printable(text: str) -> str:
    """Text that cannot steer the terminal: what a run was named by is not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
