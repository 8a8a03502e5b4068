"""Changes of the ledger's tables, one file each, and how they are applied to a database.

A file `versions/vNNNN_NAME.py`, listed in `VERSIONS`, has a function `upgrade(connection)`. Every
table carries the program's name, so that a ledger may share a PostgreSQL database with others.
Documents are JSON text, which reads the same on both databases. Versions migrate forward; whatever
changes needs a new file, and a new `revision.REVISION`.
"""

from ..database import Connection
from ..revision import REVISION, VERSION_TABLE
from .versions import (
    v0001_recordings,
    v0002_calibrations,
    v0003_studies,
    v0004_spelling,
    v0005_own_error,
)

VERSIONS = {
    "0001": v0001_recordings,
    "0002": v0002_calibrations,
    "0003": v0003_studies,
    "0004": v0004_spelling,
    "0005": v0005_own_error,
}

# The name and shape of the table in which version 0.1.0 kept the revision, through Alembic.
_VERSION = f"""CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (
    version_num VARCHAR(32) NOT NULL PRIMARY KEY
)"""


def migrate(connection: Connection, current: str | None, target: str = REVISION) -> None:
    """Apply what lies between two versions, in the caller's transaction.

    Args:
        connection: of a database whose lock the caller has.
        current: the version that the database has; None of an empty one.
        target: the version it gets.
    """
    for revision, version in VERSIONS.items():
        if (current or "") < revision <= target:
            version.upgrade(connection)
    connection.execute(_VERSION)
    connection.execute(f"DELETE FROM {VERSION_TABLE}")
    connection.insert(VERSION_TABLE, [{"version_num": target}])
