"""The ledger: the database of recordings, in an SQLite file or in PostgreSQL."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TypeVar

from .. import serialize
from ..csv_table import LATEST_S
from ..errors import (
    BadInputError,
    DamagedRunError,
    LedgerError,
    LedgerWarning,
    RunNotFoundError,
)
from ..recording.made_forecasts import ForecastRecord, forecast_record
from ..recording.model import Footer, Gap, Header, Recording, RecordingSink, Samples, Span, Status
from ..recording.summary import summarize
from . import queries, rows
from .codec import CodecError, decode
from .database import Connection, Database, Row
from .liveness import ProcessIdentity, is_interrupted
from .location import locate
from .merge import merged
from .opening import open_database
from .run_list import RunList, RunRow
from .sink import LedgerSink
from .stored_json import loads

_WILDCARD = re.compile(r"[*?\[]")
# Runs, in a notebook.
_SHOWN = 20
# Of these, the first that is not damaged is the latest run.
_LATEST = 20

R = TypeVar("R")
T = TypeVar("T")


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
    return Ledger(open_database(location, create), clock)


class Ledger:
    """The database of recordings, as `open_ledger` opens it; a context manager.

    Every method raises `LedgerError` when the database fails.

    Attributes:
        location: the file or URL; its text never has the password.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self.location = database.location

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Does nothing: each method opens a connection and closes it, and a sink has its own."""

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
        return LedgerSink(self._database, self._clock)

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
        with self._database.reading() as connection:
            single = [ref for ref in refs if not _WILDCARD.search(ref)]
            ids = {row["run_id"] for ref in single for row in self._find(connection, ref)[:1]}
            rows = queries.newest_runs(connection, *queries.run_conditions(since, until, group))
            fitting = (
                run
                for run in readable(self._run_row, rows)
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
        with self._database.reading() as connection:
            return _latest(self._run_row, self._find(connection, ref))

    def forecast_record(self) -> ForecastRecord | None:
        """How often the energy of the latest finished runs was within the forecast made of it.

        None where no finished run has a forecast.

        Examples:
            >>> with joulecast.open_ledger() as ledger:
            ...     record = ledger.forecast_record()
        """
        with self._database.reading() as connection:
            made = {"status": str(Status.FINISHED), "pattern": '%"planned":%'}
            where = "WHERE status = :status AND footer LIKE :pattern"
            footers = _footers(queries.newest_runs(connection, where, made))
            return forecast_record((f.forecasts, f.total.value) for f in footers if f.total)

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
        with self._database.reading() as connection:
            runs = self._find(connection, ref)
            return _latest(lambda row: self._load(connection, row["run_id"]), runs)

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
        with self._database.writing() as connection:
            row = next(connection.rows(rows.RUN, {"run_id": run_id}), None)
            if row is not None and not replace:
                if not join or self._status(row) is not Status.INTERRUPTED:
                    raise LedgerError(
                        f"ledger {self.location}: run {run_id} ({row['name']}) is in it already: "
                        "nothing was changed (joulecast import --replace replaces it)"
                    )
                recording = merged(self._load(connection, run_id), recording)
            queries.delete_run(connection, run_id)
            queries.insert_run(connection, recording)

    def delete(self, ref: str) -> RunRow:
        """Delete a run with all that belongs to it, and return what it was.

        `ref` is as in `find`. Raises `RunNotFoundError`.
        """
        with self._database.writing() as connection:
            run = self._run_row(self._find(connection, ref)[0])
            queries.delete_run(connection, run.run_id)
        return run

    def _find(self, connection: Connection, ref: str) -> list[Row]:
        """The run meant by `ref`; where that is a name or `last`, the latest of these runs."""
        exact = ["", "WHERE run_id = :ref", "WHERE name = :ref"]
        for where in exact[:1] if ref == "last" else exact[1:]:
            latest = list(queries.newest_runs(connection, where, {"ref": ref}, _LATEST))
            if latest:
                return latest
        if ref in ("", "last"):
            raise self._not_found(connection, ref)
        begins = "WHERE substr(run_id, 1, length(:ref)) = :ref"
        beginning = list(queries.newest_runs(connection, begins, {"ref": ref}))
        if not beginning:
            raise self._not_found(connection, ref)
        if len(beginning) > 1:
            shown = ", ".join(f"{row['run_id']} ({row['name']})" for row in beginning[:5])
            more = f" and {len(beginning) - 5} more" if len(beginning) > 5 else ""
            raise RunNotFoundError(
                f"{ref!r} matches {len(beginning)} runs: {shown}{more}: write more of the id"
            )
        return beginning

    def _not_found(self, connection: Connection, ref: str) -> RunNotFoundError:
        latest = list(queries.newest_runs(connection, limit=1000))
        if not latest:
            return RunNotFoundError(
                f"ledger {self.location} has no runs yet: record one with joulecast run -- COMMAND"
            )
        names = [*(run["name"] for run in latest), *(run["run_id"] for run in latest)]
        near = get_close_matches(ref, list(dict.fromkeys(names)), n=3, cutoff=0.5)
        hint = f"the nearest are {', '.join(near)}" if near else f"the latest is {names[0]}"
        return RunNotFoundError(f"no run {ref!r} in ledger {self.location}: {hint}")

    def _load(self, connection: Connection, run_id: str) -> Recording:
        row = next(connection.rows(rows.RUN, {"run_id": run_id}))
        # Its row may be damaged, too.
        self._run_row(row)
        spans = list(queries.rows_of_run(connection, "spans", run_id, "start_s, id"))
        gaps = list(queries.rows_of_run(connection, "gaps", run_id, "start_s, domain"))
        metrics = list(queries.rows_of_run(connection, "metrics", run_id, "seq"))
        try:
            recording = Recording(
                header=loads(row["header"], Header),
                spans=serialize.read(spans, list[Span], "spans"),
                metrics=[rows.metric_of(each) for each in metrics],
                gaps=serialize.read(gaps, list[Gap], "gaps"),
                samples=self._samples(connection, run_id),
                footer=None if row["footer"] is None else loads(row["footer"], Footer),
                status=self._status(row),
            )
            times = [span.start_s for span in recording.spans]
            times += [span.end_s or 0.0 for span in recording.spans]
            times += [metric.t_s for metric in recording.metrics]
            _check_times(recording.header.started_at, [*times, recording.duration_s])
            return recording
        except (BadInputError, TypeError, ValueError) as error:
            raise self._damaged(run_id, str(error)) from error

    def _samples(self, connection: Connection, run_id: str) -> dict[str, Samples]:
        parts: dict[str, list[Samples]] = {}
        for row in queries.rows_of_run(connection, "chunks", run_id, "domain, seq"):
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

    def _damaged(self, run_id: str, problem: str) -> DamagedRunError:
        return DamagedRunError(f"ledger {self.location}: run {run_id} is damaged: {problem}")

    def _status(self, row: Row) -> Status:
        if row["status"] != Status.RUNNING:
            return Status(row["status"])
        stored = row["recorder"]
        recorder = None if stored is None else loads(stored, ProcessIdentity)
        lost = is_interrupted(recorder, row["heartbeat"], self._clock())
        return Status.INTERRUPTED if lost else Status.RUNNING

    def _run_row(self, row: Row) -> RunRow:
        try:
            stored = serialize.read(row, _Stored, "row")
            footer = None if stored.footer is None else loads(stored.footer, Footer)
            duration_s = stored.duration_s
            if duration_s is None:
                duration_s = max(0.0, stored.heartbeat - stored.started_at)
            _check_times(stored.started_at, [duration_s])
            return RunRow(
                run_id=stored.run_id,
                name=stored.name,
                started_at=stored.started_at,
                duration_s=duration_s,
                status=self._status(row),
                exit_code=footer.exit_code if footer else None,
                energy=footer.total if footer else None,
                tags=loads(stored.tags, dict[str, str]),
                group=stored.job,
            )
        except (BadInputError, TypeError, ValueError) as error:
            raise self._damaged(row["run_id"], f"its row cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Stored:
    """The columns of a run's row, without its header: SQLite keeps any type in any column."""

    run_id: str
    name: str
    started_at: float
    job: str | None
    tags: str
    duration_s: float | None
    footer: str | None
    heartbeat: float


def _check_times(started_at: float, seconds: Iterable[float]) -> None:
    """Raises `BadInputError` where a run starts outside the calendar, or a time leads out of it."""
    if not 0 <= started_at <= LATEST_S:
        raise BadInputError(f"it starts {started_at:g} s after 1970, outside the calendar")
    if any(abs(t_s) > LATEST_S for t_s in seconds):
        raise BadInputError("a time in it lies outside the calendar")


def _footers(rows: Iterable[Row]) -> Iterator[Footer]:
    """The ends of runs; what is damaged is reported where its run is read."""
    for row in rows:
        with suppress(BadInputError, ValueError):
            yield loads(row["footer"], Footer)


def readable(read: Callable[[R], T], rows: Iterable[R]) -> Iterator[T]:
    """What `read` returns of each row; damaged ones are left out with a warning."""
    for row in rows:
        try:
            yield read(row)
        except DamagedRunError as error:
            warnings.warn(f"{error}; it is left out", LedgerWarning, stacklevel=3)


def _latest(read: Callable[[Row], T], rows: Sequence[Row]) -> T:
    """What `read` returns of the first row that is not damaged. Raises where all are."""
    return next(readable(read, rows[:-1]), None) or read(rows[-1])


def _has_name(run: RunRow, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(run.name, pattern) for pattern in patterns)
