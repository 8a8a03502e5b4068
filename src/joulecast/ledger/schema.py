"""The ledger's tables.

Every table carries the program's name, so that a ledger may share a PostgreSQL database with
others. Documents are JSON text, which reads the same on both databases. Whatever changes here
needs a migration in `migrations/versions` and a new `REVISION`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

REVISION = "0004"
"""The newest migration."""
VERSION_TABLE = "joulecast_version"

metadata = MetaData()

runs = Table(
    "joulecast_runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("started_at", Double, nullable=False),  # seconds since 1970, UTC
    Column("job", Text),  # the group of a distributed job's runs
    Column("status", String(16), nullable=False),
    Column("tags", Text, nullable=False),  # JSON object
    Column("header", Text, nullable=False),  # JSON, all of `Header`
    Column("duration_s", Double),  # null until the run has ended
    Column("footer", Text),  # JSON, all of `Footer`; null until the run has ended
    Column("heartbeat", Double, nullable=False),  # when the recorder last wrote
    Column("recorder", Text),  # JSON, the process that records; null for imported runs
    Index("joulecast_runs_started_at", "started_at"),
    Index("joulecast_runs_name", "name"),
    Index("joulecast_runs_job", "job"),
)


def _run_id() -> Column[str]:
    key = ForeignKey("joulecast_runs.run_id", ondelete="CASCADE")
    return Column("run_id", String(64), key, primary_key=True)


chunks = Table(
    "joulecast_chunks",
    metadata,
    _run_id(),
    Column("domain", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),  # of samples
    Column("data", LargeBinary, nullable=False),  # see codec.py
)

spans = Table(
    "joulecast_spans",
    metadata,
    _run_id(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("parent", BigInteger),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("start_s", Double, nullable=False),
    Column("end_s", Double),
    Column("index", BigInteger),
    Column("origin", BigInteger, nullable=False),
)

metrics = Table(
    "joulecast_metrics",
    metadata,
    _run_id(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("t_s", Double, nullable=False),
    Column("name", Text, nullable=False),
    # Null stands for not-a-number, which SQLite cannot store.
    Column("value", Double),
    Column("span", BigInteger),
)

gaps = Table(
    "joulecast_gaps",
    metadata,
    _run_id(),
    Column("domain", String(64), primary_key=True),
    Column("start_s", Double, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("end_s", Double),
)

calibrations = Table(
    "joulecast_calibrations",
    metadata,
    Column("machine", String(64), primary_key=True),  # SHA-256 of `identity`
    Column("device", String(64), primary_key=True),  # "cpu", "gpu:0", "wall"
    Column("made_at", Double, primary_key=True),  # seconds since 1970, UTC
    Column("identity", Text, nullable=False),  # JSON: processor, threads, GPUs
    Column("document", Text, nullable=False),  # JSON
)

studies = Table(
    "joulecast_studies",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("created_at", Double, nullable=False),  # seconds since 1970, UTC
    Column("document", Text, nullable=False),  # JSON, the plan
    Column("folder", Text, nullable=False),  # that the entry is in, on the host that planned it
    Column("host", Text, nullable=False),
    Column("code", String(64), nullable=False),  # SHA-256 of the entry's file
    # Energy of what is in no result: warm-ups, trials that were interrupted.
    Column("other_energy_j", Double, nullable=False),
    Column("other_duration_s", Double, nullable=False),
)

trials = Table(
    "joulecast_trials",
    metadata,
    Column(
        "study",
        String(200),
        ForeignKey("joulecast_studies.name", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("trial_id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),  # in the order they are started, from 0
    Column("factors", Text, nullable=False),  # JSON object
    Column("repetition", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("run_id", String(64)),  # of its recording
    Column("error", Text),  # its last line
    Column("log", Text),  # the end of what it printed
    Column("started_at", Double),  # seconds since 1970, UTC
    Column("ended_at", Double),
    Column("host", Text),
    # JSON, the process that runs the trial; null while it is not claimed.
    Column("runner", Text),
    # When the runner last updated the trial, by the database's clock.
    Column("heartbeat", Double),
    Column("energy_j", Double),  # of its run, and its 90 % interval
    Column("energy_low_j", Double),
    Column("energy_high_j", Double),
    Column("provenance", String(16)),  # of that energy
    Column("duration_s", Double),
    # JSON, stored so that results need not read all samples again.
    Column("figures", Text),
    Index("joulecast_trials_position", "study", "status", "position"),
)
