"""Studies: their plans, and their trials with who works on them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "joulecast_studies",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("other_energy_j", sa.Double, nullable=False),
        sa.Column("other_duration_s", sa.Double, nullable=False),
    )
    key = sa.ForeignKey("joulecast_studies.name", ondelete="CASCADE")
    op.create_table(
        "joulecast_trials",
        sa.Column("study", sa.String(200), key, primary_key=True),
        sa.Column("trial_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("factors", sa.Text, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("run_id", sa.String(64)),
        sa.Column("error", sa.Text),
        sa.Column("log", sa.Text),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("host", sa.Text),
        sa.Column("runner", sa.Text),
        sa.Column("heartbeat", sa.Double),
        sa.Column("energy_j", sa.Double),
        sa.Column("energy_low_j", sa.Double),
        sa.Column("energy_high_j", sa.Double),
        sa.Column("provenance", sa.String(16)),
        sa.Column("duration_s", sa.Double),
        sa.Column("figures", sa.Text),
    )
    columns = ["study", "status", "position"]
    op.create_index("joulecast_trials_position", "joulecast_trials", columns)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("joulecast_trials")
    op.drop_table("joulecast_studies")
