"""Studies in the ledger: each plan once, and its trials as rows. Who works on them: `claims`."""

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from .. import serialize
from ..errors import BadInputError, DamagedRunError, LedgerError, StudyNotFoundError
from ..estimate import Provenance
from ..masking import masked
from .database import Connection, Row
from .store import Ledger, readable
from .stored_json import dumps, loads, plain_text
from .study_model import PlannedStudy, Study, Trial

# Key of a PostgreSQL advisory lock: "study" in ASCII.
_PLAN_LOCK = 0x7374756479
# Those of a trial, without long texts, which lists do not need.
_COLUMNS = (
    "study, trial_id, position, factors, repetition, seed, status, run_id, error, host, "
    "started_at, ended_at, energy_j, energy_low_j, energy_high_j, energy_own_low_j, "
    "energy_own_high_j, provenance, duration_s"
)
_OF_STUDY = "FROM joulecast_trials WHERE study = :study"


def plan(
    ledger: Ledger,
    study: PlannedStudy,
    trials: Sequence[Trial],
    agree: Callable[[Study], None],
) -> int:
    """Store a plan and those of its trials that are not stored yet; returns how many these were.

    `agree` is called with the plan of this name that is stored already, and raises where the new
    one does not continue it. Trials that are added are started after the others.
    """
    name = study.plan.name
    with ledger._database.writing() as connection:
        connection.lock(_PLAN_LOCK)
        stored = _find(connection, name)
        if stored is None:
            connection.insert("joulecast_studies", [_study_row(study, ledger)])
        else:
            agree(_study(stored, ledger).plan)
            sql = "UPDATE joulecast_studies SET document = :document WHERE name = :name"
            connection.execute(sql, {"document": dumps(study.plan), "name": name})
        ids = connection.rows(f"SELECT trial_id, position {_OF_STUDY}", {"study": name})
        there = {row["trial_id"]: int(row["position"]) for row in ids}
        new = [trial for trial in trials if trial.trial_id not in there]
        first = max(there.values(), default=-1) + 1
        rows = [_trial_row(name, t, first + i) for i, t in enumerate(new)]
        connection.insert("joulecast_trials", rows)
        return len(new)


def load(ledger: Ledger, name: str) -> PlannedStudy:
    """The study of this name.

    Raises `StudyNotFoundError`, with the nearest names, if there is none.
    """
    with ledger._database.reading() as connection:
        row = _find(connection, name)
        if row is not None:
            return _study(row, ledger)
        names = [row["name"] for row in connection.rows("SELECT name FROM joulecast_studies")]
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"the nearest are {', '.join(near)}" if near else f"it has {', '.join(names[:5])}"
    hint = hint if names else "it holds no studies yet: start one with joulecast study run FILE"
    raise StudyNotFoundError(f"no study {name!r} in ledger {ledger.location}: {hint}")


def listed(ledger: Ledger) -> list[tuple[PlannedStudy, dict[str, int]]]:
    """All studies, newest first, each with the number of its trials by status."""
    counts: dict[str, dict[str, int]] = {}
    by = "SELECT study, status, count(*) AS n FROM joulecast_trials GROUP BY study, status"
    query = "SELECT * FROM joulecast_studies ORDER BY created_at DESC, name"
    with ledger._database.reading() as connection:
        for row in connection.rows(by):
            counts.setdefault(row["study"], {})[row["status"]] = row["n"]
        planned = list(readable(lambda row: _study(row, ledger), connection.rows(query)))
    return [(study, counts.get(study.plan.name, {})) for study in planned]


def trials(ledger: Ledger, name: str) -> list[Trial]:
    """The trials of a study in their order."""
    query = f"SELECT {_COLUMNS} {_OF_STUDY} ORDER BY position"
    with ledger._database.reading() as connection:
        rows = connection.rows(query, {"study": name})
        return list(readable(lambda row: trial_of(row, ledger), rows))


def figures(ledger: Ledger, name: str) -> dict[str, dict[str, Any]]:
    """The figures stored with each trial that ended, by the trial's id."""
    query = f"SELECT trial_id, figures {_OF_STUDY} AND figures IS NOT NULL"
    with ledger._database.reading() as connection:
        rows = list(connection.rows(query, {"study": name}))
    try:
        return {row["trial_id"]: loads(row["figures"], dict[str, Any]) for row in rows}
    except (BadInputError, TypeError, ValueError) as error:
        raise LedgerError(
            f"ledger {ledger.location}: figures of study {name} are damaged"
        ) from error


def trial(ledger: Ledger, name: str, trial_id: str) -> tuple[Trial, str]:
    """One trial, by its id or the beginning of it, and the end of what it printed.

    Raises `StudyNotFoundError` if none, or more than one, matches.
    """
    begins = "substr(trial_id, 1, length(:id)) = :id"
    query = f"SELECT {_COLUMNS}, log {_OF_STUDY} AND {begins} LIMIT 2"
    with ledger._database.reading() as connection:
        rows = list(connection.rows(query, {"study": name, "id": trial_id}))
    if len(rows) != 1:
        how = "several trials begin" if rows else "no trial begins"
        raise StudyNotFoundError(
            f"study {name}: {how} with {trial_id!r}: joulecast study status {name}"
        )
    return trial_of(rows[0], ledger), rows[0]["log"] or ""


def used(ledger: Ledger, name: str) -> tuple[float, float]:
    """Energy (J) and duration (s) of all runs of a study, with warm-ups and interrupted trials."""
    query = f"SELECT sum(energy_j) AS energy_j, sum(duration_s) AS duration_s {_OF_STUDY}"
    with ledger._database.reading() as connection:
        sums = next(connection.rows(query, {"study": name}))
        study = _find(connection, name) or {"other_energy_j": 0.0, "other_duration_s": 0.0}
    return (
        (sums["energy_j"] or 0.0) + study["other_energy_j"],
        (sums["duration_s"] or 0.0) + study["other_duration_s"],
    )


def add_used(ledger: Ledger, name: str, energy_j: float, duration_s: float) -> None:
    """Add energy (J) and duration (s) of work that is in no result."""
    with ledger._database.writing() as connection:
        add_other(connection, name, energy_j, duration_s)


def add_other(connection: Connection, name: str, energy_j: float, duration_s: float) -> None:
    """As `add_used`, within a transaction."""
    connection.execute(
        "UPDATE joulecast_studies SET other_energy_j = other_energy_j + :energy_j, "
        "other_duration_s = other_duration_s + :duration_s WHERE name = :name",
        {"name": name, "energy_j": energy_j, "duration_s": duration_s},
    )


def trial_of(row: Row, ledger: Ledger) -> Trial:
    """A row of the table of trials. Raises `DamagedRunError` where it makes no sense."""
    columns = row | {"order": row["position"], "energy": _energy(row)}
    try:
        columns["factors"] = json.loads(row["factors"])
        return serialize.read(columns, Trial, "row")
    except (BadInputError, TypeError, ValueError) as error:
        which = f"trial {row['trial_id']} of {row['study']}"
        raise DamagedRunError(f"ledger {ledger.location}: {which} is damaged: {error}") from error


def _energy(row: Row) -> dict[str, Any] | None:
    """The fields of the trial's `Estimate`."""
    value = row["energy_j"]
    if value is None:
        return None
    low, high = (
        value if bound is None else bound for bound in (row["energy_low_j"], row["energy_high_j"])
    )
    kind = row["provenance"] or Provenance.ASSUMED
    own = {f"own_{side}": row[f"energy_own_{side}_j"] for side in ("low", "high")}
    return {"value": value, "low": low, "high": high, "provenance": kind, **own}


def short(text_: str | None, longest: int) -> str | None:
    """The end of a text that both databases take, no longer than so many characters."""
    if text_ is None:
        return None
    clean = masked(plain_text(text_))
    return clean if len(clean) <= longest else f"...{clean[3 - longest :]}"


def _find(connection: Connection, name: str) -> Row | None:
    query = "SELECT * FROM joulecast_studies WHERE name = :name"
    return next(connection.rows(query, {"name": name}), None)


def _study_row(study: PlannedStudy, ledger: Ledger) -> dict[str, Any]:
    return {
        "name": study.plan.name,
        "created_at": ledger._clock(),
        "document": dumps(study.plan),
        "folder": plain_text(study.folder),
        "host": study.host,
        "code": study.code,
        "other_energy_j": study.other_energy_j,
        "other_duration_s": study.other_duration_s,
    }


def _trial_row(study: str, trial: Trial, position: int) -> dict[str, Any]:
    return {
        "study": study,
        "trial_id": trial.trial_id,
        "position": position,
        "factors": dumps(dict(trial.factors)),
        "repetition": trial.repetition,
        "seed": trial.seed,
        "status": str(trial.status),
    }


def _study(row: Row, ledger: Ledger) -> PlannedStudy:
    columns = dict(row)
    name, document = columns.pop("name"), columns.pop("document")
    try:
        return PlannedStudy(loads(document, Study), **columns)
    except (BadInputError, TypeError, ValueError) as error:
        raise DamagedRunError(
            f"ledger {ledger.location}: the plan of study {name} is damaged: {error}"
        ) from error
