"""What was found out about machines: constants of their devices, fits of wall power."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "joulecast_calibrations",
        sa.Column("machine", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("made_at", sa.Double, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("joulecast_calibrations")
