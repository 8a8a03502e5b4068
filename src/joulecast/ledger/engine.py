"""A connection to the database, and the schema brought up to date, by one process at a time."""

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.pool import NullPool

from ..errors import LedgerError, MissingExtraError, NotALedgerError
from .database_errors import explained
from .import_lock import import_lock
from .location import VARIABLE, Location
from .schema import REVISION, VERSION_TABLE

BUSY_S = 60.0
"""How long to wait for other writers."""
# A network that drops packets would block a thread for a quarter of an hour. Parameters of libpq,
# in seconds; the last in milliseconds.
_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
_ALIVE |= {"tcp_user_timeout": 30_000}
# "joule": a PostgreSQL advisory lock.
_MIGRATION_LOCK = 0x6A6F756C65


def connect(location: Location, create: bool) -> Engine:
    """An engine for the ledger at `location`, its tables in place.

    Raises `LedgerError` where that cannot be: among others where there is none and `create` is
    false. Raises `MissingExtraError` for PostgreSQL without its driver.
    """
    if location.path is None:
        engine = _postgres(location)
    else:
        # Its folder may be unreadable.
        with explained(location):
            is_folder, is_there = location.path.is_dir(), location.path.exists()
        if is_folder:
            raise NotALedgerError(f"ledger {location}: this is a folder: name a file in it")
        if not is_there:
            _create_file(location.path, location, create)
        engine = _sqlite(location.path)
    with explained(location):
        if location.path is not None:
            _use_wal(engine)
        _bring_up_to_date(engine, location)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: it waits for no writer."""
    with engine.connect().execution_options(joulecast_reads=True) as connection:
        yield connection


def _postgres(location: Location) -> Engine:
    try:
        with import_lock:
            import psycopg  # noqa: F401 - reports that it is missing
    except ImportError as error:
        raise MissingExtraError("a ledger in PostgreSQL", "postgres") from error
    assert location.url is not None
    url = make_url(location.url)
    # A server without an encoding (SQL_ASCII) would return bytes instead of text.
    ours = {"connect_timeout": 10, "client_encoding": "utf8", **_ALIVE}
    arguments = {name: value for name, value in ours.items() if name not in url.query}
    return create_engine(url, poolclass=NullPool, connect_args=arguments)


def _create_file(path: Path, location: Location, create: bool) -> None:
    """An empty file that only its owner may read; SQLite gives its side files the same mode."""
    if not create:
        raise NotALedgerError(
            f"ledger {location}: there is no such file: correct the name, or record into it with "
            f"joulecast run --ledger {location} -- COMMAND"
        )
    with explained(location):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            # Another process was first.
            pass


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # A forked process must not inherit open connections.
        poolclass=NullPool,
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        # Transactions begin below, not where the driver begins them.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer locks at once: SQLite lets one that has read first not wait for the lock.
        reads = connection.get_execution_options().get("joulecast_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _use_wal(engine: Engine) -> None:
    """Write-ahead logging, which stays on in the file: readers do not wait for the writer."""
    deadline = time.monotonic() + BUSY_S
    while True:
        raw = engine.raw_connection()
        try:
            if raw.cursor().execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock on its own.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))
        finally:
            raw.close()


def _bring_up_to_date(engine: Engine, location: Location) -> None:
    with reading(engine) as connection:
        if _revision(connection, location) == REVISION:
            return
    # On SQLite this is the lock.
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        # Another process may have done it while this one waited.
        current = _revision(connection, location)
        if current != REVISION:
            with import_lock:
                from .migrations import migrate
            migrate(connection, current)


def _revision(connection: Connection, location: Location) -> str | None:
    """The schema's version, None where there is none yet."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables and location.path is not None:
            raise NotALedgerError(
                f"ledger {location}: this is the database of another program: "
                f"name another file with --ledger or {VARIABLE}"
            )
        return None
    revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if revision is not None and revision > REVISION:
        raise LedgerError(
            f"ledger {location}: a newer joulecast wrote it (schema {revision}, this one knows "
            f"{REVISION}): pip install --upgrade joulecast"
        )
    return revision
