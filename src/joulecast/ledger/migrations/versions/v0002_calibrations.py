"""Calibrations of machines: constants of their devices, fits of wall power."""

import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table(
    "joulecast_calibrations",
    metadata,
    sa.Column("machine", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("made_at", sa.Double, primary_key=True),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)


def upgrade(connection: sa.Connection) -> None:
    """Create the table."""
    metadata.create_all(connection)
