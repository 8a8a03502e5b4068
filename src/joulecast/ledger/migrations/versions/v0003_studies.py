"""Studies: their plans, and their trials with who works on them."""

import sqlalchemy as sa

metadata = sa.MetaData()
_study = sa.ForeignKey("joulecast_studies.name", ondelete="CASCADE")

sa.Table(
    "joulecast_studies",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("other_energy_j", sa.Double, nullable=False),
    sa.Column("other_duration_s", sa.Double, nullable=False),
)
sa.Table(
    "joulecast_trials",
    metadata,
    sa.Column("study", sa.String(200), _study, primary_key=True),
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
    sa.Index("joulecast_trials_position", "study", "status", "position"),
)


def upgrade(connection: sa.Connection) -> None:
    """Create the tables."""
    metadata.create_all(connection)
