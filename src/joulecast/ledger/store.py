"""The ledger: the database of recordings, in an SQLite file or in PostgreSQL."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, insert, select

from ..errors import BadInputError, LedgerError, RunNotFoundError
from ..recording.model import Footer, Header, Recording, RecordingSink, Samples, Status
from ..recording.summary import summarize
from . import rows, schema
from .codec import CodecError, decode
from .database_errors import explained
from .engine import connect, reading
from .liveness import ProcessIdentity, is_interrupted
from .location import Location, locate
from .merge import merged
from .run_list import RunList, RunRow
from .sink import LedgerSink
from .stored_json import loads

# Without the header, which is large. Newest first.
_NEWEST = select(*(c for c in schema.runs.c if c.name != "header")).order_by(
    schema.runs.c.started_at.desc(), schema.runs.c.run_id
)
_WILDCARD = re.compile(r"[*?\[]")
# Runs, in a notebook.
_SHOWN = 20
_PARTS = (schema.chunks, schema.spans, schema.metrics, schema.gaps)


def open_ledger(
    where: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    create: bool = True,
    clock: Callable[[], float] = time.time,
) -> Ledger:
    """The ledger at a file or PostgreSQL URL; created, or migrated to this version, where needed.

    Args:
        where: a file or `postgresql://` URL. By default the environment variable
            `JOULECAST_LEDGER`, or else a file in the user's data folder.
        env: environment with `JOULECAST_LEDGER`, `XDG_DATA_HOME` and `HOME`; this process's by
            default.
        create: whether to create the file if there is none.
        clock: seconds since 1970, the time of the recorders' heartbeats.

    Returns:
        The ledger, to be closed or used with `with`.

    Raises:
        LedgerError: it cannot be opened; the text has the reason and what to do.
        MissingExtraError: PostgreSQL without its driver.
        UsageError: a URL of another kind.

    Examples:
        >>> with joulecast.open_ledger("ledger.sqlite") as ledger:
        ...     recording = ledger.load("last")
    """
    location = locate(where, os.environ if env is None else env)
    return Ledger(connect(location, create), location, clock)


class Ledger:
    """The database of recordings, as `open_ledger` opens it; a context manager that closes it.

    Every method raises `LedgerError` when the database fails.

    Attributes:
        location: the file or URL; its text never has the password.
    """

    def __init__(self, engine: Engine, location: Location, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self.location = location

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, except those of its sinks."""
        self._engine.dispose()

    def __repr__(self) -> str:
        try:
            latest = self.runs(limit=1)
        except LedgerError as error:
            return f"<Ledger {error}>"
        about = f"latest run {latest[0].name!r}" if latest else "no runs"
        return f"<Ledger at {self.location}, {about}>"

    def _repr_html_(self) -> str | None:
        return self.runs(limit=_SHOWN)._repr_html_()

    def sink(self) -> RecordingSink:
        """A writer for one new run."""
        return LedgerSink(self._engine, self.location, self._clock)

    def runs(
        self,
        *refs: str,
        tags: Mapping[str, str] | None = None,
        since: float | None = None,
        until: float | None = None,
        status: Status | None = None,
        group: str | None = None,
        limit: int | None = None,
        energy_so_far: bool = False,
    ) -> RunList:
        """The runs, newest first.

        Args:
            refs: names, patterns of names (`*`, `?`, `[..]` as in a shell), ids, or beginnings of
                ids; all runs without any.
            tags: that the run must have, with these values.
            since: earliest start, seconds since 1970.
            until: the start must be earlier, seconds since 1970.
            status: that the run has now.
            group: of a distributed job.
            limit: maximum number of runs.
            energy_so_far: whether to add up the samples of runs that have not ended, which takes
                time; their `energy` is None otherwise.

        Raises:
            RunNotFoundError: a name or id matches no run.

        Examples:
            >>> with joulecast.open_ledger() as ledger:
            ...     [run.name for run in ledger.runs("digits", limit=2)]
            ['digits']
        """
        with explained(self.location), reading(self._engine) as connection:
            ids = {self._find(connection, r)["run_id"] for r in refs if not _WILDCARD.search(r)}
            rows = connection.execute(_list_query(since, until, group)).mappings()
            fitting = (
                run
                for run in map(self._run_row, rows)
                if (not refs or run.run_id in ids or _has_name(run, refs))
                and (status is None or run.status is status)
                and (tags or {}).items() <= run.tags.items()
            )
            runs = list(islice(fitting, limit))
        return RunList([self._summed(run) for run in runs] if energy_so_far else runs)

    def _summed(self, run: RunRow) -> RunRow:
        if run.energy is not None or run.status not in (Status.RUNNING, Status.INTERRUPTED):
            return run
        try:
            return replace(run, energy=summarize(self.load(run.run_id)).total)
        except LedgerError:
            # Damaged samples: `joulecast show` reports them, and the list has the other runs.
            return run

    def find(self, ref: str) -> RunRow:
        """One run, without its samples.

        Args:
            ref: an id, the beginning of one, a name (its latest run), or `last`.

        Raises:
            RunNotFoundError: no run matches, or several do; the text names the nearest.

        Examples:
            >>> with joulecast.open_ledger() as ledger:
            ...     ledger.find("digits").energy.unit
            'J'
        """
        with explained(self.location), reading(self._engine) as connection:
            return self._run_row(self._find(connection, ref))

    def load(self, ref: str) -> Recording:
        """The whole recording of one run.

        A run whose recorder is gone has status `INTERRUPTED`, no footer, and all that was stored.

        Args:
            ref: as in `find`.

        Raises:
            RunNotFoundError: no run matches, or several do.

        Examples:
            >>> with joulecast.open_ledger() as ledger:
            ...     len(joulecast.summarize(ledger.load("digits")).epochs)
            2
        """
        with explained(self.location), reading(self._engine) as connection:
            return self._load(connection, self._find(connection, ref)["run_id"])

    def add(self, recording: Recording, *, replace: bool = False, join: bool = False) -> None:
        """Store a whole recording. One without an end is treated as interrupted.

        Args:
            recording: what to store.
            replace: whether a run with this id is replaced.
            join: whether a run with this id that was interrupted gets what it lacks, as when a
                rescued recording is imported.

        Raises:
            LedgerError: a run with this id is in the ledger, and is kept as it is.
        """
        run_id = recording.header.run_id
        with explained(self.location), self._engine.begin() as connection:
            row = connection.execute(_of(schema.runs, run_id)).mappings().first()
            if row is not None and not replace:
                if not join or self._status(row) is not Status.INTERRUPTED:
                    raise LedgerError(
                        f"ledger {self.location}: run {run_id} ({row['name']}) is in it already: "
                        "nothing was changed (joulecast import --replace replaces it)"
                    )
                recording = merged(self._load(connection, run_id), recording)
            _delete(connection, run_id)
            _insert(connection, recording)

    def delete(self, ref: str) -> RunRow:
        """Delete a run with all that belongs to it, and return what it was.

        `ref` is as in `find`. Raises `RunNotFoundError`.
        """
        with explained(self.location), self._engine.begin() as connection:
            run = self._run_row(self._find(connection, ref))
            _delete(connection, run.run_id)
        return run

    def _find(self, connection: Connection, ref: str) -> RowMapping:
        table = schema.runs
        if ref == "last":
            exact = [_NEWEST]
        else:
            exact = [_NEWEST.where(table.c.run_id == ref), _NEWEST.where(table.c.name == ref)]
        for query in exact:
            row = connection.execute(query.limit(1)).mappings().first()
            if row is not None:
                return row
        if ref in ("", "last"):
            raise self._not_found(connection, ref)
        begins = _NEWEST.where(table.c.run_id.startswith(ref, autoescape=True))
        rows = connection.execute(begins).mappings().all()
        if not rows:
            raise self._not_found(connection, ref)
        if len(rows) > 1:
            shown = ", ".join(f"{row['run_id']} ({row['name']})" for row in rows[:5])
            more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            raise RunNotFoundError(
                f"{ref!r} matches {len(rows)} runs: {shown}{more}: write more of the id"
            )
        return rows[0]

    def _not_found(self, connection: Connection, ref: str) -> RunNotFoundError:
        table = schema.runs
        query = select(table.c.name, table.c.run_id).order_by(table.c.started_at.desc())
        latest = connection.execute(query.limit(1000)).all()
        if not latest:
            return RunNotFoundError(
                f"ledger {self.location} has no runs yet: record one with joulecast run -- COMMAND"
            )
        names = list(dict.fromkeys([*(r.name for r in latest), *(r.run_id for r in latest)]))
        near = get_close_matches(ref, names, n=3, cutoff=0.5)
        hint = f"the nearest are {', '.join(near)}" if near else f"the latest is {latest[0].name}"
        return RunNotFoundError(f"no run {ref!r} in ledger {self.location}: {hint}")

    def _load(self, connection: Connection, run_id: str) -> Recording:
        row = connection.execute(_of(schema.runs, run_id)).mappings().one()
        spans = connection.execute(_of(schema.spans, run_id, "start_s", "id")).mappings()
        metrics = connection.execute(_of(schema.metrics, run_id, "seq")).mappings()
        gaps = connection.execute(_of(schema.gaps, run_id, "start_s", "domain")).mappings()
        try:
            header = loads(row["header"], Header)
            footer = row["footer"] and loads(row["footer"], Footer)
        except (BadInputError, TypeError, ValueError) as error:
            raise self._damaged(run_id, f"its description cannot be read: {error}") from error
        return Recording(
            header=header,
            spans=[rows.span_of(span) for span in spans],
            metrics=[rows.metric_of(metric) for metric in metrics],
            gaps=[rows.gap_of(gap) for gap in gaps],
            samples=self._samples(connection, run_id),
            footer=footer,
            status=self._status(row),
        )

    def _samples(self, connection: Connection, run_id: str) -> dict[str, Samples]:
        parts: dict[str, list[Samples]] = {}
        for row in connection.execute(_of(schema.chunks, run_id, "domain", "seq")).mappings():
            try:
                part = decode(bytes(row["data"]))
            except CodecError as error:
                raise self._damaged(
                    run_id, f"chunk {row['seq']} of {row['domain']}: {error}"
                ) from error
            if len(part) != row["count"]:
                raise self._damaged(run_id, f"chunk {row['seq']} of {row['domain']} lacks samples")
            parts.setdefault(row["domain"], []).append(part)
        return {domain: Samples.concat(chunks) for domain, chunks in parts.items()}

    def _damaged(self, run_id: str, problem: str) -> LedgerError:
        return LedgerError(f"ledger {self.location}: run {run_id} is damaged: {problem}")

    def _status(self, row: RowMapping) -> Status:
        if row["status"] != Status.RUNNING:
            return Status(row["status"])
        recorder = row["recorder"] and loads(row["recorder"], ProcessIdentity)
        lost = is_interrupted(recorder, row["heartbeat"], self._clock())
        return Status.INTERRUPTED if lost else Status.RUNNING

    def _run_row(self, row: RowMapping) -> RunRow:
        try:
            footer = row["footer"] and loads(row["footer"], Footer)
            duration = row["duration_s"]
            return RunRow(
                run_id=row["run_id"],
                name=row["name"],
                started_at=row["started_at"],
                duration_s=row["heartbeat"] - row["started_at"] if duration is None else duration,
                status=self._status(row),
                exit_code=footer.exit_code if footer else None,
                energy=footer.total if footer else None,
                tags=loads(row["tags"], dict[str, str]),
                group=row["job"],
            )
        except (BadInputError, TypeError, ValueError) as error:
            raise self._damaged(row["run_id"], f"its row cannot be read: {error}") from error


def _list_query(since: float | None, until: float | None, group: str | None) -> Select[Any]:
    table, query = schema.runs, _NEWEST
    if since is not None:
        query = query.where(table.c.started_at >= since)
    if until is not None:
        query = query.where(table.c.started_at < until)
    return query if group is None else query.where(table.c.job == group)


def _has_name(run: RunRow, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(run.name, pattern) for pattern in patterns)


def _of(table: Any, run_id: str, *order: str) -> Select[Any]:
    """All rows of one run, in order."""
    return (
        select(table).where(table.c.run_id == run_id).order_by(*(table.c[name] for name in order))
    )


def _insert(connection: Connection, recording: Recording) -> None:
    header, run_id = recording.header, recording.header.run_id
    row = rows.run_row(header, None, header.started_at + recording.duration_s)
    if recording.footer is not None:
        row |= rows.end_row(recording.footer)
    connection.execute(insert(schema.runs), row)
    for domain, samples in recording.samples.items():
        chunks = list(rows.chunk_rows(run_id, domain, samples, 0))
        connection.execute(insert(schema.chunks), chunks)
    rows.write_spans(connection, run_id, recording.spans)
    rows.write_metrics(connection, run_id, recording.metrics, 0)
    rows.write_gaps(connection, run_id, recording.gaps)


def _delete(connection: Connection, run_id: str) -> None:
    for table in (*_PARTS, schema.runs):
        connection.execute(delete(table).where(table.c.run_id == run_id))
