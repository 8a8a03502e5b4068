"""The table that an analysis reads: of a CSV file, or of recorded runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import numpy as np

from ..analysis.table.columns import Table, read_csv
from ..csv_table import number
from ..errors import BadInputError, LedgerError, RunNotFoundError, UsageError
from ..units import one_line
from . import options
from .late_bar import LateBar

if TYPE_CHECKING:
    from ..ledger import Ledger, RunRow

F = TypeVar("F", bound=Callable[..., Any])

where_option = click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only such rows; may be given many times, the same column for one value or another.",
)
_OPTIONS = (
    click.argument("sources", nargs=-1, metavar="[DATA.csv|RUN...]"),
    options.tags,
    where_option,
    options.ledger,
)


def table_options(command: F) -> F:
    """What `load_table` takes: DATA.csv or RUN..., `--tag`, `--where`, `--ledger`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_table(
    sources: Sequence[str],
    tags: Sequence[str] = (),
    where: Sequence[str] = (),
    ledger: str | None = None,
) -> tuple[Table, list[str]]:
    """The rows asked for, and what to know of them.

    Args:
        sources: one CSV file; or runs of the ledger: ids, names (all runs of that name), patterns
            as in a shell, `last`.
        tags: `k=v`, that runs must have; alone, all runs that have them.
        where: `column=value`.
        ledger: where the runs are, as `open_ledger` takes it.

    Raises:
        BadInputError: the file makes no sense, there is no such column, or no row is left.
        RunNotFoundError: no run is meant by one of `sources`, or none has the tags.
        UsageError: nothing is asked for, or two things at once.
    """
    wanted = conditions(where)
    files = [source for source in sources if is_file(source)]
    if files and (len(sources) > 1 or tags or ledger is not None):
        raise UsageError(f"{files[0]} is a file: give one file alone, or recorded runs")
    if files:
        return chosen(read_csv(files[0]), wanted), []
    if not sources and not tags:
        raise UsageError("of what? Name a CSV file, or runs: ids, names, patterns, --tag k=v")
    table, notes = _recorded(sources, options.parse_tags(tuple(tags)), ledger, "status" in wanted)
    return chosen(table, wanted), notes


def by_columns(texts: Sequence[str], table: Table, otherwise: Sequence[str] = ()) -> list[str]:
    """`--by architecture,batch` as columns; a name that is a column itself may hold commas.

    Where nothing was said, the first of `otherwise` that the table has. Raises `UsageError` where
    it has none of these.
    """
    found = []
    for text in texts:
        parts = [text] if text in table.columns else [part.strip() for part in text.split(",")]
        found += [part for part in parts if part]
    if found or not otherwise:
        return found
    usual = next((column for column in otherwise if column in table.columns), None)
    if usual is None:
        raise UsageError("by what? Name the columns of a configuration: --by architecture,batch")
    return [usual]


def is_file(source: str) -> bool:
    """Whether this is meant as a file: it is one, or is named like a table."""
    return source.lower().endswith((".csv", ".csv.gz")) or Path(source).is_file()


def conditions(texts: Sequence[str]) -> dict[str, set[str]]:
    """`("column=value", ...)` as the values of each column. Raises `UsageError`."""
    found: dict[str, set[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError(f"--where {text}: write it as column=value")
        found.setdefault(column.strip(), set()).add(value.strip())
    return found


def chosen(table: Table, wanted: Mapping[str, set[str]]) -> Table:
    """The rows that have one of the values in each column; numbers are equal as numbers.

    Raises `BadInputError` for a column that is missing, and where no row is left.
    """
    for column, values in wanted.items():
        labels = table.labels(column)
        as_numbers = {number(value) for value in values} - {None}
        keep = [
            label in values or (label is not None and number(label) in as_numbers)
            for label in labels
        ]
        if not any(keep):
            there = list(dict.fromkeys(one_line(label or "(missing)") for label in labels))
            more = f" and {len(there) - 10} more" if len(there) > 10 else ""
            raise BadInputError(
                f"{table.name}: {column} is nowhere {' or '.join(sorted(values))}: it is "
                f"{', '.join(there[:10])}{more}"
            )
        table = table.rows(np.array(keep))
    return table


def _recorded(
    sources: Sequence[str], tags: Mapping[str, str], ledger: str | None, all_statuses: bool
) -> tuple[Table, list[str]]:
    from ..analysis.table.runs_table import runs_table
    from ..ledger import open_ledger
    from ..recording.model import Status
    from ..recording.summary import Summary, summarize

    with open_ledger(ledger, create=ledger is None) as opened:
        rows = _found(opened, sources, tags)
        kept = rows if all_statuses else [r for r in rows if r.status is Status.FINISHED]
        summaries: list[Summary] = []
        notes = []
        with LateBar("reading runs", len(kept)) as bar:
            for row in kept:
                bar.advance(1)
                try:
                    summary = summarize(opened.load(row.run_id))
                except LedgerError as error:  # one damaged run does not hide the others
                    notes.append(f"run {row.run_id} left out: {error}")
                    continue
                # The samples have said what they had to say: thousands of runs fit in memory.
                bare = replace(summary.recording, samples={})
                summaries.append(replace(summary, recording=bare))
        name = str(opened.location)
    left = Counter(str(row.status) for row in rows if row not in kept)
    if not kept:
        raise BadInputError(f"{name}: none of these runs has finished ({_counts(left)})")
    if not summaries:
        raise BadInputError(f"{name}: none of these runs can be read: {notes[0]}")
    if left:
        notes.append(
            f"runs left out because they did not finish: {_counts(left)} "
            "(--where status=... takes them)"
        )
    return runs_table(summaries, name), notes


def _counts(left: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(left.items()))


def _found(ledger: Ledger, sources: Sequence[str], tags: Mapping[str, str]) -> list[RunRow]:
    """The runs meant, oldest first, each once."""
    found: dict[str, RunRow] = {}
    for source in sources or ("*",):
        rows = ledger.runs(name=source, tags=tags)
        if not rows and not (re.search(r"[*?\[]", source) and ledger.runs(name=source)):
            row = None if source == "*" else ledger.find(source)  # an id, or the error that helps
            rows = [row] if row is not None and tags.items() <= row.tags.items() else []
        found |= {row.run_id: row for row in rows}
    if not found:
        said = " ".join(f"--tag {key}={value}" for key, value in tags.items())
        what = f"no run has {said}" if said else "it holds no runs yet"
        raise RunNotFoundError(f"ledger {ledger.location}: {what}: joulecast runs lists them")
    return sorted(found.values(), key=lambda row: (row.started_at, row.run_id))
