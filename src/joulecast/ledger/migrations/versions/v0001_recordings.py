"""Runs, their samples, spans, metrics and gaps."""

from ...database import Connection

_RUN_ID = "run_id VARCHAR(64) NOT NULL REFERENCES joulecast_runs (run_id) ON DELETE CASCADE"
_STATEMENTS = (
    # `started_at` and `heartbeat` (when the recorder last wrote) are seconds since 1970, UTC;
    # `job` is the group of a distributed job's runs; `tags`, `header`, `footer` and `recorder`
    # (the process that records; null for imported runs) are JSON. `duration_s` and `footer` are
    # null until the run has ended.
    """CREATE TABLE joulecast_runs (
        run_id VARCHAR(64) NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        started_at DOUBLE PRECISION NOT NULL,
        job TEXT,
        status VARCHAR(16) NOT NULL,
        tags TEXT NOT NULL,
        header TEXT NOT NULL,
        duration_s DOUBLE PRECISION,
        footer TEXT,
        heartbeat DOUBLE PRECISION NOT NULL,
        recorder TEXT
    )""",
    "CREATE INDEX joulecast_runs_started_at ON joulecast_runs (started_at)",
    "CREATE INDEX joulecast_runs_name ON joulecast_runs (name)",
    "CREATE INDEX joulecast_runs_job ON joulecast_runs (job)",
    # `count` is the number of samples in `data`, see codec.py.
    f"""CREATE TABLE joulecast_chunks (
        {_RUN_ID},
        domain VARCHAR(64) NOT NULL,
        seq INTEGER NOT NULL,
        count INTEGER NOT NULL,
        data BYTES NOT NULL,
        PRIMARY KEY (run_id, domain, seq)
    )""",
    f"""CREATE TABLE joulecast_spans (
        {_RUN_ID},
        id BIGINT NOT NULL,
        parent BIGINT,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        start_s DOUBLE PRECISION NOT NULL,
        end_s DOUBLE PRECISION,
        "index" BIGINT,
        origin BIGINT NOT NULL,
        PRIMARY KEY (run_id, id)
    )""",
    # A null `value` stands for not-a-number, which SQLite cannot store.
    f"""CREATE TABLE joulecast_metrics (
        {_RUN_ID},
        seq INTEGER NOT NULL,
        t_s DOUBLE PRECISION NOT NULL,
        name TEXT NOT NULL,
        value DOUBLE PRECISION,
        span BIGINT,
        PRIMARY KEY (run_id, seq)
    )""",
    f"""CREATE TABLE joulecast_gaps (
        {_RUN_ID},
        domain VARCHAR(64) NOT NULL,
        start_s DOUBLE PRECISION NOT NULL,
        reason TEXT NOT NULL,
        end_s DOUBLE PRECISION,
        PRIMARY KEY (run_id, domain, start_s, reason)
    )""",
)


def upgrade(connection: Connection) -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        connection.execute(statement.replace("BYTES", "BYTEA" if connection.postgresql else "BLOB"))
