"""Errors of databases as one line with the reason and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LedgerError, NotALedgerError, ServerAwayError
from .location import VARIABLE, Location

_OTHER = f"or name another ledger with --ledger or {VARIABLE}"

# Part of the database's message -> what is wrong and what to do. The first match is used.
SQLITE = {
    "not a database": "this is not an SQLite database: "
    f"name another file with --ledger or {VARIABLE}",
    "malformed": "the file is damaged: move it away (`sqlite3 FILE .recover` may save its runs), "
    + _OTHER,
    "readonly": f"it is read-only: allow writing (chmod u+w), {_OTHER}",
    "unable to open": "it cannot be opened: its folder must exist and be writable "
    f"(chmod u+rwx), {_OTHER}",
    "is full": f"its disk is full: free some space, {_OTHER}",
    "disk i/o": f"its disk cannot be written (full, or failing): free some space, {_OTHER}",
    "locked": f"another process locked it for over a minute: end that process, {_OTHER}",
    "no such table": f"its tables are not those of a ledger: move the file away, {_OTHER}",
    "no such column": f"its tables are not those of a ledger: move the file away, {_OTHER}",
}
POSTGRES = {
    "password authentication failed": "wrong user or password: correct them in the URL "
    "(postgresql://user:password@host/database), or in ~/.pgpass",
    "no password supplied": "it asks for a password: put it in the URL "
    "(postgresql://user:password@host/database), or in ~/.pgpass",
    "authentication failed": "the server does not accept this user: see its pg_hba.conf",
    "no pg_hba.conf entry": "the server accepts no such connection: see its pg_hba.conf",
    "connection refused": "no server answers: start PostgreSQL, or correct host and port",
    "could not translate host": "there is no such host: correct the URL",
    "name or service not known": "there is no such host: correct the URL",
    "timeout": "the server does not answer: check that the host can be reached",
    "permission denied": "this user may not write there: GRANT CREATE, USAGE ON SCHEMA public",
    "no space left": "the server's disk is full",
    "server closed the connection": "the server ended the connection: is it being restarted?",
    "starting up": "the server is being started",
    "shutting down": "the server is being stopped",
    "terminating connection": "the server ended the connection: is it being restarted?",
    "does not exist": "it does not exist: create it with createdb, or correct the URL",
    "connection failed": "no server answers: start PostgreSQL, or correct the URL",
}
_KINDS = {"not a database": NotALedgerError} | dict.fromkeys(
    (
        *("connection refused", "starting up", "shutting down"),
        *("server closed the connection", "terminating connection"),
    ),
    ServerAwayError,
)


def explain(error: Exception, location: Location) -> LedgerError:
    """The `LedgerError` for what went wrong at `location`."""
    message = str(error).strip() or type(error).__name__
    meanings = POSTGRES if location.path is None else SQLITE
    if isinstance(error, OSError) and location.path is not None:
        return LedgerError(
            f"ledger {location}: {error.strerror or message}: make it writable, {_OTHER}"
        )
    for part, meaning in meanings.items():
        if part in message.lower():
            return _KINDS.get(part, LedgerError)(f"ledger {location}: {meaning}")
    return LedgerError(f"ledger {location}: {message.splitlines()[0]}")


@contextmanager
def explained(location: Location) -> Iterator[None]:
    """Raises errors of the database or the file system as `LedgerError`."""
    try:
        yield
    except Exception as error:
        # The other driver may not be loaded, nor installed.
        packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        if isinstance(error, sqlite3.Error | OSError) or "psycopg" in packages:
            raise explain(error, location) from error
        raise
