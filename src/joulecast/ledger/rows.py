"""Rows of the database, from and to the dataclasses of a recording."""

import math
from collections.abc import Iterable, Iterator

from ..errors import LedgerError
from ..recording.model import Footer, Gap, Header, Metric, Samples, Span
from .codec import encode
from .database import Connection, Row
from .liveness import ProcessIdentity
from .stored_json import dumps, plain_text

CHUNK = 8192
"""Samples in a chunk; larger ones compress little better."""
RUN = "SELECT * FROM joulecast_runs WHERE run_id = :run_id"
"""The row of one run."""


def run_row(header: Header, recorder: ProcessIdentity | None, now: float) -> Row:
    """The row of a run that starts."""
    return {
        "run_id": header.run_id,
        "name": plain_text(header.name),
        "job": None if header.group is None else plain_text(header.group),
        "status": "running",
        "tags": dumps(header.tags),
        "heartbeat": now,
        "recorder": None if recorder is None else dumps(recorder),
        **start_row(header),
    }


def start_row(header: Header) -> Row:
    """The columns of a run's row that change once it has started."""
    return {"started_at": header.started_at, "header": dumps(header)}


def end_row(footer: Footer) -> Row:
    """The columns of a run's row that are set when it ends."""
    return {
        "status": str(footer.status),
        "duration_s": footer.duration_s,
        "footer": dumps(footer),
    }


def chunk_rows(run_id: str, domain: str, samples: Samples, first_seq: int) -> Iterator[Row]:
    """Samples in chunks of at most `CHUNK`. Raises `LedgerError` for what is not finite."""
    for start in range(0, max(1, len(samples)), CHUNK):
        part = part_of(samples, start, start + CHUNK)
        try:
            data = encode(part)
        except ValueError as error:
            raise LedgerError(
                f"run {run_id}, {domain}: samples cannot be stored: {error}"
            ) from error
        seq = first_seq + start // CHUNK
        yield {"run_id": run_id, "domain": domain, "seq": seq, "count": len(part), "data": data}


def part_of(samples: Samples, start: int, stop: int) -> Samples:
    """Some of the samples, as a slice would."""
    at = slice(start, stop)
    return Samples(
        samples.t_s[at], samples.value[at], samples.low[at], samples.high[at], samples.held_s[at]
    )


def write_spans(connection: Connection, run_id: str, spans: Iterable[Span]) -> None:
    """Store spans; one that is stored already is replaced."""
    last = {span.id: span for span in spans}
    connection.replace(
        "joulecast_spans",
        ("run_id", "id"),
        [
            {
                "run_id": run_id,
                "id": s.id,
                "parent": s.parent,
                "kind": plain_text(s.kind),
                "name": plain_text(s.name),
                "start_s": s.start_s,
                "end_s": s.end_s,
                "index": s.index,
                "origin": s.origin,
            }
            for s in last.values()
        ],
    )


def write_gaps(connection: Connection, run_id: str, gaps: Iterable[Gap]) -> None:
    """Store gaps; one that is stored already is replaced: it has its end now."""
    last = {(gap.domain, gap.start_s, gap.reason): gap for gap in gaps}
    connection.replace(
        "joulecast_gaps",
        ("run_id", "domain", "start_s", "reason"),
        [
            {
                "run_id": run_id,
                "domain": g.domain,
                "start_s": g.start_s,
                "end_s": g.end_s,
                "reason": plain_text(g.reason),
            }
            for g in last.values()
        ],
    )


def write_metrics(
    connection: Connection, run_id: str, metrics: list[Metric], first_seq: int
) -> None:
    """Store metrics, numbered from `first_seq` on."""
    rows = [
        {
            "run_id": run_id,
            "seq": first_seq + i,
            "t_s": m.t_s,
            "name": plain_text(m.name),
            "value": None if math.isnan(m.value) else m.value,
            "span": m.span,
        }
        for i, m in enumerate(metrics)
    ]
    connection.insert("joulecast_metrics", rows)


def metric_of(row: Row) -> Metric:
    """Inverse of what `write_metrics` stores. Raises `ValueError` where it is something else."""
    value = math.nan if row["value"] is None else float(row["value"])
    return Metric(float(row["t_s"]), str(row["name"]), value, row["span"])
