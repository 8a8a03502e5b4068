"""The report of `joulecast runs`."""

from collections.abc import Sequence
from datetime import datetime

from ...estimate import format_estimate
from ...ledger.run_list import RunList
from ...units import format_duration
from .model import Column, Document, Line, ReportTable, figures, provenance


def runs_document(listing: RunList) -> Document:
    """The runs as a table; on a narrow terminal tags are left out first, then the time of day."""
    if not listing.runs:
        return Document(["No recorded run matches."])
    rows: list[list[Line]] = []
    ids = short_ids([run.run_id for run in listing.runs])
    for short, run in zip(ids, listing.runs, strict=True):
        started = datetime.fromtimestamp(run.started_at)
        energy: list[Line] = ["not measured", ""]
        if run.energy is not None:
            energy = [format_estimate(run.energy, short=True), provenance(run.energy.provenance)]
        rows.append(
            [
                *(short, run.name, f"{started:%Y-%m-%d}", f"{started:%H:%M}"),
                *(format_duration(run.duration_s), *energy, str(run.status)),
                " ".join(f"{key}={value}" for key, value in run.tags.items()),
            ]
        )
    columns = [
        Column("id"),
        Column("name", fit="cut"),
        Column("started", min_width=70),
        Column(min_width=100),
        *figures("duration"),
        Column("energy"),
        Column(),
        Column("status", min_width=70),
        Column("tags", fit="cut", min_width=120),
    ]
    return Document([ReportTable(columns, rows)])


def short_ids(ids: Sequence[str], min_length: int = 8) -> list[str]:
    """The beginning of each id, as long as necessary to be unique."""
    longest = max((len(i) for i in ids), default=0)
    length = next(
        (n for n in range(min_length, longest) if len({i[:n] for i in ids}) == len(set(ids))),
        longest,
    )
    return [i[:length] for i in ids]
