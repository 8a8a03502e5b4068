"""Studies: their plans, and their trials with who works on them."""

from ...database import Connection

_STATEMENTS = (
    # `document` is the plan, as JSON; `folder` is that of the entry on the host that planned it;
    # `code` is the SHA-256 of the entry's file. `other_energy_j` and `other_duration_s` are of
    # what is in no result: warm-ups, trials that were interrupted.
    """CREATE TABLE joulecast_studies (
        name VARCHAR(200) NOT NULL PRIMARY KEY,
        created_at DOUBLE PRECISION NOT NULL,
        document TEXT NOT NULL,
        folder TEXT NOT NULL,
        host TEXT NOT NULL,
        code VARCHAR(64) NOT NULL,
        other_energy_j DOUBLE PRECISION NOT NULL,
        other_duration_s DOUBLE PRECISION NOT NULL
    )""",
    # `position` is the order in which trials are started, from 0; `log` the end of what a trial
    # printed; `runner` (JSON) the process that runs it, null while it is not claimed, and
    # `heartbeat` when it last updated the trial, by the database's clock. `figures` (JSON) are
    # stored so that results need not read all samples again.
    """CREATE TABLE joulecast_trials (
        study VARCHAR(200) NOT NULL REFERENCES joulecast_studies (name) ON DELETE CASCADE,
        trial_id VARCHAR(64) NOT NULL,
        position INTEGER NOT NULL,
        factors TEXT NOT NULL,
        repetition INTEGER NOT NULL,
        seed BIGINT NOT NULL,
        status VARCHAR(16) NOT NULL,
        run_id VARCHAR(64),
        error TEXT,
        log TEXT,
        started_at DOUBLE PRECISION,
        ended_at DOUBLE PRECISION,
        host TEXT,
        runner TEXT,
        heartbeat DOUBLE PRECISION,
        energy_j DOUBLE PRECISION,
        energy_low_j DOUBLE PRECISION,
        energy_high_j DOUBLE PRECISION,
        provenance VARCHAR(16),
        duration_s DOUBLE PRECISION,
        figures TEXT,
        PRIMARY KEY (study, trial_id)
    )""",
    "CREATE INDEX joulecast_trials_position ON joulecast_trials (study, status, position)",
)


def upgrade(connection: Connection) -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        connection.execute(statement)
