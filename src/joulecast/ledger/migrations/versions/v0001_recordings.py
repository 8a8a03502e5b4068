"""Runs, their samples, spans, metrics and gaps."""

import sqlalchemy as sa

metadata = sa.MetaData()


def _run_id() -> "sa.Column[str]":
    key = sa.ForeignKey("joulecast_runs.run_id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(64), key, primary_key=True)


sa.Table(
    "joulecast_runs",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("job", sa.Text),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("header", sa.Text, nullable=False),
    sa.Column("duration_s", sa.Double),
    sa.Column("footer", sa.Text),
    sa.Column("heartbeat", sa.Double, nullable=False),
    sa.Column("recorder", sa.Text),
    sa.Index("joulecast_runs_started_at", "started_at"),
    sa.Index("joulecast_runs_name", "name"),
    sa.Index("joulecast_runs_job", "job"),
)
sa.Table(
    "joulecast_chunks",
    metadata,
    _run_id(),
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
sa.Table(
    "joulecast_spans",
    metadata,
    _run_id(),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("parent", sa.BigInteger),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("start_s", sa.Double, nullable=False),
    sa.Column("end_s", sa.Double),
    sa.Column("index", sa.BigInteger),
    sa.Column("origin", sa.BigInteger, nullable=False),
)
sa.Table(
    "joulecast_metrics",
    metadata,
    _run_id(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("t_s", sa.Double, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("span", sa.BigInteger),
)
sa.Table(
    "joulecast_gaps",
    metadata,
    _run_id(),
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("start_s", sa.Double, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("end_s", sa.Double),
)


def upgrade(connection: sa.Connection) -> None:
    """Create the tables."""
    metadata.create_all(connection)
