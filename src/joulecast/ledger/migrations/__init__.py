"""Changes of the ledger's schema, one file each, and how they are applied to a database.

A file `versions/vNNNN_NAME.py`, listed in `VERSIONS`, has a function `upgrade(connection)`. It
declares its own tables and never uses `schema.py`, which describes the newest version only.
Versions migrate forward.
"""

from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert

from ..schema import REVISION, VERSION_TABLE
from .versions import v0001_recordings, v0002_calibrations, v0003_studies, v0004_spelling

VERSIONS = {
    "0001": v0001_recordings,
    "0002": v0002_calibrations,
    "0003": v0003_studies,
    "0004": v0004_spelling,
}

# The name and shape of the table in which version 0.1.0 kept the revision, through Alembic.
_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


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
    _version.create(connection, checkfirst=True)
    connection.execute(delete(_version))
    connection.execute(insert(_version), {"version_num": target})
