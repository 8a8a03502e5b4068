"""The statements that read, write and delete runs in the database."""

from collections.abc import Iterator, Mapping

from ..recording.model import Recording
from . import rows
from .database import Connection, Row

# Without the header, which is large.
_COLUMNS = "run_id, name, started_at, job, status, tags, duration_s, footer, heartbeat, recorder"
_TABLES = tuple(f"joulecast_{part}" for part in ("chunks", "spans", "metrics", "gaps", "runs"))


def newest_runs(
    connection: Connection,
    where: str = "",
    values: Mapping[str, float | str] | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """Rows of runs, newest first."""
    query = f"SELECT {_COLUMNS} FROM joulecast_runs {where} ORDER BY started_at DESC, run_id"
    return connection.rows(query if limit is None else f"{query} LIMIT {limit}", values)


def run_conditions(
    since: float | None, until: float | None, group: str | None
) -> tuple[str, dict[str, float | str]]:
    """The condition of a list of runs, and its values."""
    limits = {
        "started_at >= :since": since,
        "started_at < :until": until,
        "job = :job": group,
    }
    given = {text: value for text, value in limits.items() if value is not None}
    values = {text.rpartition(":")[2]: value for text, value in given.items()}
    return f"WHERE {' AND '.join(given)}" if given else "", values


def rows_of_run(connection: Connection, part: str, run_id: str, order: str) -> Iterator[Row]:
    """Rows of one run in another table, in order."""
    query = f"SELECT * FROM joulecast_{part} WHERE run_id = :run_id ORDER BY {order}"
    return connection.rows(query, {"run_id": run_id})


def insert_run(connection: Connection, recording: Recording) -> None:
    """Write a whole recording, which must not be there."""
    header, run_id = recording.header, recording.header.run_id
    row = rows.run_row(header, None, header.started_at + recording.duration_s)
    if recording.footer is not None:
        row |= rows.end_row(recording.footer)
    connection.insert("joulecast_runs", [row])
    for domain, samples in recording.samples.items():
        chunks = list(rows.chunk_rows(run_id, domain, samples, 0))
        connection.insert("joulecast_chunks", chunks)
    rows.write_spans(connection, run_id, recording.spans)
    rows.write_metrics(connection, run_id, recording.metrics, 0)
    rows.write_gaps(connection, run_id, recording.gaps)


def delete_run(connection: Connection, run_id: str) -> None:
    """Delete a run and all that belongs to it."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run_id = :run_id", {"run_id": run_id})
