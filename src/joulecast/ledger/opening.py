"""Opens the database at a location: creates its file, and its tables, by one process at a time."""

import os
import random
import re
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path

from ..errors import LedgerError, LedgerWarning, NotALedgerError
from .database import BUSY_S, Connection, Database
from .database_errors import explained
from .import_lock import import_lock
from .location import VARIABLE, Location
from .revision import REVISION, VERSION_TABLE

# "joule": a PostgreSQL advisory lock.
_MIGRATION_LOCK = 0x6A6F756C65
# What to append to a file's URI. Readers of a file in a folder that they may not write need one of
# the others: beside it SQLite cannot create the files by which it waits for writers.
_WAYS = ("", "?mode=ro", "?immutable=1")
_UNWRITABLE = re.compile("readonly|unable to open")
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"

# Not `to_regclass`, which may answer from before the lock was taken.
_TABLES_OF_POSTGRESQL = (
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = ANY (current_schemas(false))"
)


def open_database(location: Location, create: bool) -> Database:
    """The database at `location`, its tables in place.

    Raises `LedgerError` where that cannot be: among others where there is none and `create` is
    false. Raises `MissingExtraError` for PostgreSQL without its driver.
    """
    if location.path is not None:
        # Its folder may be unreadable.
        with explained(location):
            is_folder, is_there = location.path.is_dir(), location.path.exists()
        if is_folder:
            raise NotALedgerError(f"ledger {location}: this is a folder: name a file in it")
        if not is_there:
            _create_file(location.path, location, create)
    with explained(location):
        for how in _WAYS[:-1] if location.path is not None else ():
            try:
                return _prepared(Database(location, how))
            except sqlite3.OperationalError as error:
                if not _UNWRITABLE.search(str(error)):
                    raise
        return _prepared(Database(location, _WAYS[-1]))


def _prepared(database: Database) -> Database:
    """The database, its tables in place. Raises the driver's errors."""
    path = database.location.path
    with closing(database.connect()) as connection:
        if path is not None and not database.how:
            _use_wal(connection)
        with connection.transaction(writes=False):
            is_current = _revision(connection, database.location) == REVISION
        if not is_current:
            _bring_up_to_date(connection, database.location)
    if path is not None and database.how == _WAYS[-1]:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            warnings.warn(
                f"ledger {path}: what was recorded last is in {log.name}, which cannot be read "
                "while the folder is read-only; it is left out",
                LedgerWarning,
                stacklevel=4,
            )
    return database


def _bring_up_to_date(connection: Connection, location: Location) -> None:
    with import_lock:
        from .migrations import migrate
    # On SQLite this is the lock.
    with connection.transaction():
        connection.lock(_MIGRATION_LOCK)
        # Another process may have done it while this one waited.
        current = _revision(connection, location)
        if current != REVISION:
            migrate(connection, current)


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


def _use_wal(connection: Connection) -> None:
    """Write-ahead logging, which stays on in the file: readers do not wait for the writer."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            if next(connection.rows("PRAGMA journal_mode"))["journal_mode"] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock on its own.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))


def _revision(connection: Connection, location: Location) -> str | None:
    """The schema's version, None where there is none yet."""
    query = _TABLES_OF_POSTGRESQL if connection.postgresql else _TABLES
    tables = [row["name"] for row in connection.rows(query)]
    if VERSION_TABLE not in tables:
        if tables and location.path is not None:
            raise NotALedgerError(
                f"ledger {location}: this is the database of another program: "
                f"name another file with --ledger or {VARIABLE}"
            )
        return None
    versions = [
        r["version_num"] for r in connection.rows(f"SELECT version_num FROM {VERSION_TABLE}")
    ]
    revision = str(versions[0]) if versions else None
    if revision is not None and revision > REVISION:
        raise LedgerError(
            f"ledger {location}: a newer joulecast wrote it (schema {revision}, this one knows "
            f"{REVISION}): pip install --upgrade joulecast"
        )
    return revision
