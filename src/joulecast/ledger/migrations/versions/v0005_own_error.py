"""Trials: the bounds of their energy without the error that all readings of a meter share."""

from ...database import Connection


def upgrade(connection: Connection) -> None:
    """Add the columns; null in trials of older versions, whose errors are not kept apart."""
    for column in ("energy_own_low_j", "energy_own_high_j"):
        connection.execute(f"ALTER TABLE joulecast_trials ADD COLUMN {column} DOUBLE PRECISION")
