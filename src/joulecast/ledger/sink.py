"""Writes a recording into the ledger: one short transaction a second, later larger chunks."""

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import LedgerError
from ..recording.model import Footer, Gap, Header, Metric, Samples, Span
from . import rows
from .database import Connection, Database, Row
from .database_errors import explained
from .liveness import this_process

TIDY_EVERY = 60
"""Flushes, about a minute, after which small chunks become one."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """A domain's newest samples: stored in small chunks, to be stored again as one chunk.

    `seq` is the number of the first of these chunks, and `chunks` how many there are.
    """

    seq: int
    chunks: int
    parts: tuple[Samples, ...]


class LedgerSink:
    """Writes one run into the ledger; see `recording.model.RecordingSink`.

    Each flush stores its samples as small chunks. Once a minute, and at the end, these become one;
    a chunk of `rows.CHUNK` samples stays as it is.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._location = database.location
        self._clock = clock
        self._run_id = ""
        self._connection: Connection | None = None
        self._pid = os.getpid()
        self._tails: dict[str, _Tail] = {}
        self._metrics = 0
        # Columns of the run, to be stored with the next flush.
        self._pending: Row = {}
        _sinks.add(self)

    def open(self, header: Header) -> None:
        """Store that the run has started. Raises `LedgerError`."""
        row = rows.run_row(header, this_process(), self._clock())
        with explained(self._location):
            # It stays open: SQLite checkpoints the whole log each time the last one closes.
            self._connection = self._database.connect()
            try:
                with self._connection.transaction():
                    if any(self._connection.rows(rows.RUN, row)):
                        raise LedgerError(
                            f"ledger {self._location}: run {header.run_id} is in it already"
                        )
                    self._connection.insert("joulecast_runs", [row])
            except BaseException:
                self._leave()
                raise
        self._run_id = header.run_id

    def begin(self, header: Header) -> None:
        """The next flush stores when the run has started."""
        self._pending = rows.start_row(header)

    def flush(
        self,
        samples: dict[str, Samples],
        spans: list[Span],
        metrics: list[Metric],
        gaps: list[Gap],
    ) -> None:
        """Store what is new, all of it or nothing. Raises `LedgerError`."""
        connection = self._open_connection()
        tails = {}
        with explained(self._location), connection.transaction():
            for domain, part in samples.items():
                if len(part):
                    tails[domain] = self._store(connection, domain, part)
            rows.write_spans(connection, self._run_id, spans)
            rows.write_metrics(connection, self._run_id, metrics, self._metrics)
            rows.write_gaps(connection, self._run_id, gaps)
            self._update(connection, {"heartbeat": self._clock(), **self._pending})
        self._pending = {}
        self._tails |= tails
        self._metrics += len(metrics)

    def close(self, footer: Footer) -> None:
        """Store that the run has ended, and close the connection. Raises `LedgerError`."""
        connection = self._open_connection()
        with explained(self._location), connection.transaction():
            for domain, tail in self._tails.items():
                if tail.chunks > 1:
                    self._join(connection, domain, tail.seq, tail.parts)
            self._update(connection, {"heartbeat": self._clock(), **rows.end_row(footer)})
        self._leave()

    def _store(self, connection: Connection, domain: str, part: Samples) -> _Tail:
        """Store samples of one domain; returns the tail, valid once this is committed."""
        tail = self._tails.get(domain, _Tail(0, 0, ()))
        parts = (*tail.parts, part)
        if tail.chunks + 1 >= TIDY_EVERY or len(part) > rows.CHUNK:
            return self._join(connection, domain, tail.seq, parts)
        chunk = rows.chunk_rows(self._run_id, domain, part, tail.seq + tail.chunks)
        connection.insert("joulecast_chunks", list(chunk))
        return _Tail(tail.seq, tail.chunks + 1, parts)

    def _join(
        self, connection: Connection, domain: str, seq: int, parts: tuple[Samples, ...]
    ) -> _Tail:
        """Replace the chunks from `seq` on, with the samples `parts`, by as few as possible."""
        mine = "run_id = :run_id AND domain = :domain AND seq >= :seq"
        values = {"run_id": self._run_id, "domain": domain, "seq": seq}
        connection.execute(f"DELETE FROM joulecast_chunks WHERE {mine}", values)
        joined = Samples.concat(list(parts))
        chunks = list(rows.chunk_rows(self._run_id, domain, joined, seq))
        connection.insert("joulecast_chunks", chunks)
        full, rest = divmod(len(joined), rows.CHUNK)
        left = (rows.part_of(joined, full * rows.CHUNK, len(joined)),) if rest else ()
        return _Tail(seq + full, len(left), left)

    def _update(self, connection: Connection, values: Row) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        sql = f"UPDATE joulecast_runs SET {columns} WHERE run_id = :run_id"
        if connection.execute(sql, values | {"run_id": self._run_id}) != 1:
            raise LedgerError(
                f"ledger {self._location}: run {self._run_id} was deleted while it was recorded"
            )

    def _open_connection(self) -> Connection:
        if os.getpid() != self._pid:
            problem = f"process {self._pid} records this run: a forked process cannot"
        elif self._connection is None:
            problem = "this run is not being recorded: it was not opened, or it has ended"
        else:
            if self._connection.lost:
                with explained(self._location):
                    self._connection = self._database.connect()
            return self._connection
        raise LedgerError(f"ledger {self._location}: {problem}")

    def _leave(self) -> None:
        if self._connection is not None and os.getpid() == self._pid:
            with explained(self._location):
                self._connection.close()
        self._connection = None


_sinks: weakref.WeakSet[LedgerSink] = weakref.WeakSet()
_inherited: list[Connection | None] = []


def _forget_in_child() -> None:
    # A forked process must neither use nor close its parent's connections (sqlite.org/howtocorrupt
    # section 2.6; libpq): they are kept where nothing ever finalizes them.
    for sink in _sinks:
        _inherited.append(sink._connection)
        sink._connection = None


os.register_at_fork(after_in_child=_forget_in_child)
