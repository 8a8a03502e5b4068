"""The ledger: the database of recordings, in an SQLite file or in PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, insert, select

from ..errors import BadInputError, LedgerError, RunNotFoundError
from ..recording.model import Footer, Header, Recording, RecordingSink, Samples, Status
from ..units import Estimate
from . import rows, schema
from .codec import CodecError, decode
from .engine import connect, reading
from .joining import joined
from .liveness import ProcessIdentity, is_interrupted
from .location import Location, locate
from .sink import LedgerSink
from .stored_json import loads
from .trouble import explained

_CHEAP = [c for c in schema.runs.c if c.name != "header"]
_PARTS = (schema.chunks, schema.spans, schema.metrics, schema.gaps)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list of runs.

    Attributes:
        run_id: unique.
        name: of the run.
        started_at: seconds since 1970, UTC.
        duration_s: of a run that has not ended, until its recorder last reported.
        status: now.
        exit_code: of its command.
        energy: of all domains, J; None where it was not stored with the run.
        tags: to find it by.
        group: of a distributed job.
    """

    run_id: str
    name: str
    started_at: float
    duration_s: float
    status: Status
    exit_code: int | None
    energy: Estimate | None
    tags: dict[str, str]
    group: str | None


def open_ledger(
    where: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    create: bool = True,
    clock: Callable[[], float] = time.time,
) -> Ledger:
    """The ledger at a file or PostgreSQL URL, made or brought up to date where needed.

    Args:
        where: a file or `postgresql://` URL; else `JOULECAST_LEDGER`, else the user's data folder.
        env: where `JOULECAST_LEDGER`, `XDG_DATA_HOME` and `HOME` are looked up.
        create: whether to make the file where there is none.
        clock: seconds since 1970, the time of the recorders' heartbeats.

    Raises:
        LedgerError: it cannot be opened; the text says why and what to do.
        MissingExtraError: PostgreSQL without its driver.
        UsageError: a URL of another kind.
    """
    location = locate(where, os.environ if env is None else env)
    return Ledger(connect(location, create), location, clock)


class Ledger:
    """Recordings by id and name. Every method raises `LedgerError` when the database fails."""

    def __init__(self, engine: Engine, location: Location, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self.location = location

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the ledger holds. Its sinks hold a connection of their own."""
        self._engine.dispose()

    def sink(self) -> RecordingSink:
        """A new run's way into the ledger."""
        return LedgerSink(self._engine, self.location, self._clock)

    def runs(
        self,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        since: float | None = None,
        until: float | None = None,
        status: Status | None = None,
        group: str | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        """The runs, newest first.

        Args:
            name: of the run; `*`, `?` and `[..]` stand for what they do in a shell.
            tags: that the run must have, with these values.
            since: and `until`: bounds of its start, seconds since 1970; the second is exclusive.
            status: that it has now.
            group: of a distributed job.
            limit: no more than so many.
        """
        table = schema.runs
        query = select(*_CHEAP).order_by(table.c.started_at.desc(), table.c.run_id)
        if since is not None:
            query = query.where(table.c.started_at >= since)
        if until is not None:
            query = query.where(table.c.started_at < until)
        if group is not None:
            query = query.where(table.c.job == group)
        wanted = set((tags or {}).items())
        found: list[RunRow] = []
        with explained(self.location), reading(self._engine) as connection:
            for row in connection.execute(query).mappings():
                if limit is not None and len(found) >= limit:
                    break
                run = self._run_row(row)
                if (
                    (name is None or fnmatchcase(run.name, name))
                    and wanted <= run.tags.items()
                    and (status is None or run.status is status)
                ):
                    found.append(run)
        return found

    def find(self, ref: str) -> RunRow:
        """The run meant by an id, the beginning of one, a name (its latest run), or `last`.

        Raises `RunNotFoundError`, naming the nearest, or those that fit.
        """
        with explained(self.location), reading(self._engine) as connection:
            return self._run_row(self._find(connection, ref))

    def load(self, ref: str) -> Recording:
        """The whole recording of the run that `find` finds.

        One whose recorder is gone has status `INTERRUPTED`, no footer, and all that was stored of
        it. Raises `RunNotFoundError`.
        """
        with explained(self.location), reading(self._engine) as connection:
            return self._load(connection, self._find(connection, ref)["run_id"])

    def add(self, recording: Recording, replace: bool = False, join: bool = False) -> None:
        """Store a whole recording. One that has no end is taken to be interrupted.

        A run that is in the ledger already gives way with `replace`. With `join` one that was
        interrupted takes in what it lacks: a rescued recording comes home.

        Raises `LedgerError` if the run is in the ledger already, and stays.
        """
        run_id = recording.header.run_id
        with explained(self.location), self._engine.begin() as connection:
            known = connection.execute(_of(schema.runs, run_id)).mappings().first()
            if known is not None and not replace:
                if not join or self._status(known) is not Status.INTERRUPTED:
                    raise LedgerError(
                        f"ledger {self.location}: run {run_id} ({known['name']}) is in it already: "
                        "nothing was changed (joulecast import --replace puts this one there)"
                    )
                recording = joined(self._load(connection, run_id), recording)
            _delete(connection, run_id)
            _insert(connection, recording)

    def delete(self, ref: str) -> RunRow:
        """Forget a run and all that belongs to it; what it was. Raises `RunNotFoundError`."""
        with explained(self.location), self._engine.begin() as connection:
            run = self._run_row(self._find(connection, ref))
            _delete(connection, run.run_id)
        return run

    def _find(self, connection: Connection, ref: str) -> RowMapping:
        table = schema.runs
        newest = (table.c.started_at.desc(), table.c.run_id)
        query = select(*_CHEAP).order_by(*newest)
        last = ref == "last"
        steps = [query] if last else [query.where(table.c.run_id == ref)]
        steps += [] if last else [query.where(table.c.name == ref)]
        for step in steps:
            row = connection.execute(step.limit(1)).mappings().first()
            if row is not None:
                return row
        begins = query.where(table.c.run_id.startswith(ref, autoescape=True)) if ref else None
        fits = [] if last or begins is None else connection.execute(begins).mappings().all()
        if len(fits) == 1:
            return fits[0]
        if fits:
            shown = ", ".join(f"{row['run_id']} ({row['name']})" for row in fits[:5])
            more = f" and {len(fits) - 5} more" if len(fits) > 5 else ""
            raise RunNotFoundError(
                f"{ref!r} fits {len(fits)} runs: {shown}{more}: give more of the id"
            )
        raise self._not_found(connection, ref)

    def _not_found(self, connection: Connection, ref: str) -> RunNotFoundError:
        table = schema.runs
        query = select(table.c.name, table.c.run_id).order_by(table.c.started_at.desc())
        known = connection.execute(query.limit(1000)).all()
        if not known:
            return RunNotFoundError(
                f"ledger {self.location} holds no runs yet: record one with "
                "joulecast run -- COMMAND"
            )
        names = list(dict.fromkeys([*(row.name for row in known), *(row.run_id for row in known)]))
        near = get_close_matches(ref, names, n=3, cutoff=0.5)
        hint = f"the nearest are {', '.join(near)}" if near else f"the latest is {known[0].name}"
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

    def _damaged(self, run_id: str, what: str) -> LedgerError:
        return LedgerError(f"ledger {self.location}: run {run_id} is damaged: {what}")

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
