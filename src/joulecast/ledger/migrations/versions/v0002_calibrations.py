"""Calibrations of machines: constants of their devices, fits of wall power."""

from ...database import Connection

# `machine` is the SHA-256 of `identity` (JSON: processor, threads, GPUs), `device` is "cpu",
# "gpu:0" or "wall", `made_at` is in seconds since 1970, UTC, and `document` is JSON.
_TABLE = """CREATE TABLE joulecast_calibrations (
    machine VARCHAR(64) NOT NULL,
    device VARCHAR(64) NOT NULL,
    made_at DOUBLE PRECISION NOT NULL,
    identity TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (machine, device, made_at)
)"""


def upgrade(connection: Connection) -> None:
    """Create the table."""
    connection.execute(_TABLE)
