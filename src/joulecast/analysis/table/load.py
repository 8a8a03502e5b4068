"""The table that an analysis reads: of a CSV file, of columns in memory, or of recorded runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...csv_table import number
from ...errors import BadInputError, LedgerError, RunNotFoundError, UsageError
from ...late_bar import LateBar
from ...units import one_line
from .columns import Cell, Table, read_csv

if TYPE_CHECKING:
    from ...ledger import Ledger, RunRow
    from ...recording.summary import Summary

Source = str | Path | Table | Mapping[str, Sequence[Any]] | Sequence[str]
"""A CSV file, a table, columns by name (a pandas data frame too), or run names and patterns."""

Where = Mapping[str, str | float | Iterable[str | float]]
"""By column: the value that a row must have, or several of which it must have one."""

DEFAULT_BY = ("architecture", "model", "method", "configuration", "name")
"""Columns that make groups where none is named."""

# Levels of a column that an error proposes to group by.
_MAX_PROPOSED_LEVELS = 20


def load_table(
    source: Source = (),
    *,
    tags: Mapping[str, str] | None = None,
    where: Where | None = None,
    ledger: str | Path | None = None,
) -> Table:
    """The rows asked for; `notes` of the table reports runs that were left out.

    Args:
        source: one CSV file (`.csv`, `.csv.gz`); a `Table`, or columns by name, as of a pandas
            data frame; or recorded runs: ids, names (all runs of that name), patterns as in a
            shell, `last`.
        tags: tags that recorded runs must have; without a source, all runs that have them.
        where: only rows with these values. A recorded run that did not finish is left out unless
            `where` has a `status`.
        ledger: where the recorded runs are, as `open_ledger` takes it.

    Raises:
        BadInputError: the data is malformed, a column is missing, or no row remains.
        RunNotFoundError: `source` names an unknown run, or no run has the tags.
        UsageError: nothing is asked for, or a file and recorded runs at once.

    Examples:
        >>> table = load_table({"model": ["a", "a", "b"], "energy_j": [1.0, 2.0, 3.0]})
        >>> load_table(table, where={"model": "a"}).numbers("energy_j").tolist()
        [1.0, 2.0]
    """
    conditions = {column: _texts(values) for column, values in (where or {}).items()}
    names = [source] if isinstance(source, str | Path) else source
    if isinstance(names, Sequence):
        texts = [str(name) for name in names]
        table = _named(texts, tags or {}, ledger, "status" in conditions)
    elif tags or ledger is not None:
        raise UsageError("tags and ledger choose recorded runs: leave them out for other data")
    else:
        table = names if isinstance(names, Table) else _of_columns(names)
    return select_rows(table, conditions)


def is_file(source: str) -> bool:
    """Whether a text names a file: it exists, or ends like the name of a table."""
    # Path.is_file raises for a name of 300 characters.
    return source.lower().endswith((".csv", ".csv.gz")) or os.path.isfile(source)  # noqa: PTH113


def by_columns(by: str | Sequence[str], table: Table, min_groups: int = 2) -> list[str]:
    """The columns that `by` names, such as `architecture,batch`; `default_by` where it is empty.

    The name of a column may itself contain commas.
    """
    columns = []
    for text in [by] if isinstance(by, str) else by:
        parts = [text] if text in table.columns else [part.strip() for part in text.split(",")]
        columns += [part for part in parts if part]
    return columns or [default_by(table, min_groups)]


def default_by(table: Table, min_groups: int = 2) -> str:
    """The first of `DEFAULT_BY` that makes `min_groups` groups of the rows, or else one.

    Raises `UsageError`, with the columns that `by` may name, where the table has none of these.
    """
    levels = {c: {*table.labels(c)} - {None} for c in DEFAULT_BY if c in table.columns}
    for enough in (min_groups, 1):
        for column, labels in levels.items():
            if len(labels) >= enough:
                return column
    candidates = [one_line(column) for column in table.columns if _makes_groups(table, column)]
    more = f" and {len(candidates) - 12} more" if len(candidates) > 12 else ""
    hint = f": it may be {', '.join(candidates[:12])}{more}" if candidates else ""
    raise UsageError(f"{table.name}: --by which column?{hint}")


def _makes_groups(table: Table, column: str) -> bool:
    labels = [label for label in table.labels(column) if label is not None]
    levels = len(set(labels))
    return 1 < levels <= _MAX_PROPOSED_LEVELS and levels < len(labels)


def select_rows(table: Table, where: Where) -> Table:
    """The rows that have one of the values in each column; numbers are compared as numbers.

    Raises `BadInputError` for a missing column, and where no row remains.
    """
    for column, wanted in where.items():
        values = _texts(wanted)
        labels = table.labels(column)
        as_numbers = {number(value) for value in values} - {None}
        keep = [
            label in values or (label is not None and number(label) in as_numbers)
            for label in labels
        ]
        if not any(keep):
            present = list(dict.fromkeys(one_line(label or "(missing)") for label in labels))
            more = f" and {len(present) - 10} more" if len(present) > 10 else ""
            raise BadInputError(
                f"{table.name}: no row has {column}={' or '.join(sorted(values))}: its values are "
                f"{', '.join(present[:10])}{more}"
            )
        table = table.rows(np.array(keep))
    return table


def _texts(values: str | float | Iterable[str | float]) -> set[str]:
    several = [values] if isinstance(values, str | float | int) else values
    return {value if isinstance(value, str) else f"{value:.15g}" for value in several}


def _of_columns(source: Any) -> Table:
    """Columns by name: a dictionary of lists or arrays, or a pandas data frame."""
    columns: dict[str, list[Cell]] = {}
    for name in source.keys() if hasattr(source, "keys") else ():
        values = source[name]
        cells = values.tolist() if hasattr(values, "tolist") else values
        columns[str(name)] = [_cell(cell) for cell in cells]
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise BadInputError(
            f"data: {'columns of different lengths' if len(lengths) > 1 else 'no rows'}: pass a "
            "mapping of column names to values, one for each run"
        )
    return Table("data", columns)


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else str(value)


def _named(
    sources: Sequence[str], tags: Mapping[str, str], ledger: str | Path | None, all_statuses: bool
) -> Table:
    """A CSV file, or the recorded runs that these texts and tags mean."""
    files = [source for source in sources if is_file(source)]
    if files and (len(sources) > 1 or tags or ledger is not None):
        raise UsageError(f"{files[0]} is a file: pass one file alone, or recorded runs")
    if files:
        return read_csv(files[0])
    if not sources and not tags:
        raise UsageError("no input: pass a CSV file, or runs (ids, names, patterns, --tag K=V)")
    return _recorded(sources, tags, ledger, all_statuses)


def _recorded(
    sources: Sequence[str], tags: Mapping[str, str], ledger: str | Path | None, all_statuses: bool
) -> Table:
    from ...ledger import open_ledger
    from ...recording.model import Status
    from .runs_table import runs_table

    with open_ledger(ledger, create=ledger is None) as opened:
        rows = matching_runs(opened, sources, tags)
        kept = rows if all_statuses else [r for r in rows if r.status is Status.FINISHED]
        summaries, notes = _summaries(opened, kept)
        name = str(opened.location)
    left_out = Counter(str(row.status) for row in rows if row not in kept)
    if not kept:
        raise BadInputError(f"{name}: none of these runs has finished ({_counts(left_out)})")
    if not summaries:
        raise BadInputError(f"{name}: none of these runs can be read: {notes[0]}")
    if left_out:
        notes.append(
            f"runs left out because they did not finish: {_counts(left_out)} "
            "(--where status=... includes them)"
        )
    return replace(runs_table(summaries, name), notes=tuple(notes))


def _summaries(ledger: Ledger, rows: Sequence[RunRow]) -> tuple[list[Summary], list[str]]:
    """The runs without their samples, and a note on each that cannot be read."""
    from ...recording.summary import summarize

    summaries: list[Summary] = []
    notes = []
    with LateBar("reading runs", len(rows)) as bar:
        for row in rows:
            bar.advance(1)
            try:
                summary = summarize(ledger.load(row.run_id))
            except LedgerError as error:
                # One damaged run does not hide the others.
                notes.append(f"run {row.run_id} left out: {error}")
                continue
            # Samples are dropped once they are summarized, so that thousands of runs fit in memory.
            bare = replace(summary.recording, samples={})
            summaries.append(replace(summary, recording=bare))
    return summaries, notes


def _counts(by_status: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(by_status.items()))


def matching_runs(ledger: Ledger, sources: Sequence[str], tags: Mapping[str, str]) -> list[RunRow]:
    """The recorded runs that texts and tags mean, oldest first, each once.

    Raises `RunNotFoundError` where a text, or the tags, mean none.
    """
    for source in sources:
        if not ledger.runs(source, limit=1):
            # The pattern matches nothing: `find` raises the error that names the nearest runs.
            ledger.find(source)
    runs = ledger.runs(*sources, tags=tags)
    if not runs:
        wanted = " ".join(f"--tag {key}={value}" for key, value in tags.items())
        problem = f"no run has {wanted}" if wanted else "it holds no runs yet"
        raise RunNotFoundError(f"ledger {ledger.location}: {problem}: joulecast runs lists them")
    return sorted(runs, key=lambda row: (row.started_at, row.run_id))
