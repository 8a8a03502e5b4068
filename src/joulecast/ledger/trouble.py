"""What a database says when it fails, as one line that says what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import LedgerError
from .location import VARIABLE, Location

_OTHER = f"or name another ledger with --ledger or {VARIABLE}"

# What the message holds -> what is wrong and what to do. The first that fits counts.
_SQLITE = {
    "not a database": "it is no joulecast ledger, nor any SQLite database: "
    f"name another file with --ledger or {VARIABLE}",
    "malformed": "the file is damaged: move it away (`sqlite3 FILE .recover` may save its runs), "
    + _OTHER,
    "readonly": f"it cannot be written: give yourself the right (chmod u+w), {_OTHER}",
    "unable to open": "it cannot be opened: the folder must exist and be yours to write "
    f"(chmod u+rwx), {_OTHER}",
    "is full": f"no space is left: free some on its disk, {_OTHER}",
    "disk i/o": f"its disk cannot be written, it may be full or failing: free some space, {_OTHER}",
    "locked": f"other processes kept it locked for a minute: end those that hang, {_OTHER}",
    "no such table": f"its tables are not those of a ledger: move the file away, {_OTHER}",
    "no such column": f"its tables are not those of a ledger: move the file away, {_OTHER}",
}
_POSTGRES = {
    "password authentication failed": "wrong user or password: correct them in the URL "
    "(postgresql://user:password@host/database), or in ~/.pgpass",
    "no password supplied": "it asks for a password: put it in the URL "
    "(postgresql://user:password@host/database), or in ~/.pgpass",
    "authentication failed": "the server does not accept this user: see its pg_hba.conf",
    "no pg_hba.conf entry": "the server accepts no such connection: see its pg_hba.conf",
    "connection refused": "nothing answers there: start PostgreSQL, or correct host and port",
    "could not translate host": "there is no such host: correct the URL",
    "name or service not known": "there is no such host: correct the URL",
    "timeout": "it does not answer: check that the host can be reached",
    "permission denied": "this user may not write there: GRANT CREATE, USAGE ON SCHEMA public",
    "no space left": "no space is left on the server's disk",
    "server closed the connection": "the server ended the connection: is it being restarted?",
    "terminating connection": "the server ended the connection: is it being restarted?",
    "does not exist": "it does not exist: create it with createdb, or correct the URL",
    "connection failed": "nothing answers there: start PostgreSQL, or correct the URL",
}


def explain(error: Exception, location: Location) -> LedgerError:
    """The `LedgerError` for what went wrong at `location`."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = str(cause).strip() or type(cause).__name__
    known = _POSTGRES if location.path is None else _SQLITE
    if isinstance(error, OSError) and location.path is not None:
        return LedgerError(
            f"ledger {location}: {error.strerror or said}: make it writable, {_OTHER}"
        )
    for sign, meaning in known.items():
        if sign in said.lower():
            return LedgerError(f"ledger {location}: {meaning}")
    return LedgerError(f"ledger {location}: {said.splitlines()[0]}")


@contextmanager
def explained(location: Location) -> Iterator[None]:
    """Turns what a database or a file system raises into a `LedgerError`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise explain(error, location) from error
