"""The ledger's database: connections, transactions, and plain SQL on them.

Both databases understand the SQL of this room. A library between them and it would take longer to
import than all else that a recorded command waits for.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from ..errors import MissingExtraError
from .database_errors import explained
from .import_lock import import_lock
from .location import Location

BUSY_S = 60.0
"""How long to wait for other writers of a file."""

Row = dict[str, Any]
"""Values by column."""

# A server without an encoding (SQL_ASCII) would return bytes instead of text. A network that drops
# packets would block a thread for a quarter of an hour. Parameters of libpq, in seconds; the last
# in milliseconds.
_POSTGRESQL: dict[str, Any] = {"connect_timeout": 10, "client_encoding": "utf8"}
_POSTGRESQL |= {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
_POSTGRESQL |= {"tcp_user_timeout": 30_000}
_PARAMETER = re.compile(r"(?<!\w):([a-z]\w*)")


class Connection:
    """An open connection. SQL has parameters `:name` and is understood by both databases."""

    def __init__(self, raw: Any, *, postgresql: bool) -> None:
        self._raw, self.postgresql = raw, postgresql
        # At the end of a query: lock its rows, without those that others have locked. A writer of
        # SQLite is alone.
        self.free_rows = " FOR UPDATE SKIP LOCKED" if postgresql else ""

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    @property
    def lost(self) -> bool:
        """Whether the server has ended it, so that a new one is needed."""
        return self.postgresql and bool(self._raw.closed)

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[None]:
        """Everything inside is stored, or nothing. One that only reads waits for no writer."""
        try:
            if not self.postgresql:
                # A writer locks at once: SQLite lets one that has read first not wait for the lock.
                self._raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield
            self._raw.commit()
        except BaseException:
            # The connection may be lost.
            with suppress(Exception):
                self._raw.rollback()
            raise

    def lock(self, key: int) -> None:
        """Be the only one with this lock until the transaction ends; one of SQLite has it."""
        if self.postgresql:
            self.execute("SELECT pg_advisory_xact_lock(:key)", {"key": key})

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> int:
        """The number of rows that were changed."""
        return int(self._cursor(sql, values).rowcount)

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> Iterator[Row]:
        """The rows of a query."""
        cursor = self._cursor(sql, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows, all with the same columns."""
        if rows:
            columns = ", ".join(f'"{name}"' for name in rows[0])
            values = ", ".join(f":{name}" for name in rows[0])
            self._each(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)

    def replace(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows, in place of those with the same key."""
        # Databases differ in "insert or update"; all of them can delete and insert.
        where = " AND ".join(f'"{name}" = :{name}' for name in key)
        self._each(f"DELETE FROM {table} WHERE {where}", rows)
        self.insert(table, rows)

    def _cursor(self, sql: str, values: Mapping[str, Any] | None) -> Any:
        return self._raw.cursor().execute(self._translated(sql), values or {})

    def _each(self, sql: str, rows: Sequence[Row]) -> None:
        if rows:
            self._raw.cursor().executemany(self._translated(sql), rows)

    def _translated(self, sql: str) -> str:
        return _PARAMETER.sub(r"%(\1)s", sql) if self.postgresql else sql


class Database:
    """The database at a location whose tables are in place, see `opening.open_database`."""

    def __init__(self, location: Location, how: str = "") -> None:
        """`how` is what SQLite appends to a file's URI, such as `?mode=ro`."""
        self.location, self.how = location, how

    def connect(self) -> Connection:
        """A connection of the caller's, who closes it. Raises the driver's errors."""
        if self.location.url is not None:
            return Connection(_postgresql(self.location.url), postgresql=True)
        # Transactions begin where `Connection` begins them, not where the driver would.
        assert self.location.path is not None
        raw = sqlite3.connect(
            self.location.path.as_uri() + self.how,
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        raw.execute("PRAGMA synchronous=NORMAL")
        return Connection(raw, postgresql=False)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, on a new connection. Raises `LedgerError`."""
        with (
            explained(self.location),
            closing(self.connect()) as connection,
            connection.transaction(writes=False),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction on a new connection. Raises `LedgerError`."""
        with (
            explained(self.location),
            closing(self.connect()) as connection,
            connection.transaction(),
        ):
            yield connection


def _postgresql(url: str) -> Any:
    """A connection of the driver. Raises its errors, and `MissingExtraError` without one."""
    from urllib.parse import parse_qs, urlsplit

    try:
        with import_lock:
            import psycopg
    except ImportError as error:
        raise MissingExtraError("a ledger in PostgreSQL", "postgres") from error
    named = parse_qs(urlsplit(url).query)
    ours = {name: value for name, value in _POSTGRESQL.items() if name not in named}
    return psycopg.connect(url, **ours)
