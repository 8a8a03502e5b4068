"""Studies in the ledger: each plan once, and its trials as rows. Who works on them: `claims`.

A plan is a JSON document whose shape the caller knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from ..errors import LedgerError, StudyNotFoundError
from . import schema
from .engine import reading
from .store import Ledger
from .stored_json import dumps, plain_text
from .trouble import explained

PENDING, RUNNING = "pending", "running"
_PLAN_LOCK = 0x7374756479  # "study": a PostgreSQL advisory lock
_LONG = ("log", "figures")  # columns that lists do not need


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A plan as it is kept. The last two: spent on warm-ups and on interrupted trials."""

    name: str
    document: Mapping[str, Any]
    folder: str  # that the entry is in, on `host`
    host: str
    code: str  # SHA-256 of the entry's file
    created_at: float = 0.0  # seconds since 1970, UTC
    other_energy_j: float = 0.0
    other_duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """One trial as it is kept; `Trial` of a study, and what the ledger notes of it."""

    trial_id: str
    position: int
    factors: Mapping[str, Any]
    repetition: int
    seed: int
    status: str = PENDING
    run_id: str | None = None
    error: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    host: str | None = None
    energy_j: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    provenance: str | None = None  # of the energy
    duration_s: float | None = None
    figures: Mapping[str, Any] | None = field(default=None, repr=False)
    log: str | None = field(default=None, repr=False)


def plan(
    ledger: Ledger,
    study: StoredStudy,
    trials: Sequence[StoredTrial],
    agree: Callable[[StoredStudy], None],
) -> int:
    """Keep a plan and those of its trials that are not there yet; how many these were.

    `agree` is given the plan of this name that is there already, and raises where the two do not
    go together. Trials that are added to it are started after the others.
    """
    with explained(ledger.location), ledger._engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # on SQLite a writer is alone
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PLAN_LOCK})
        known = _find(connection, study.name)
        if known is None:
            connection.execute(insert(schema.studies), _study_row(study, ledger))
        else:
            agree(_study(known, ledger))
            changed = {"document": dumps(dict(study.document))}
            connection.execute(_of(update(schema.studies), study.name).values(**changed))
        ids = select(schema.trials.c.trial_id, schema.trials.c.position)
        there = {i: int(p) for i, p in connection.execute(_trials_of(ids, study.name))}
        new = [trial for trial in trials if trial.trial_id not in there]
        first = max(there.values(), default=-1) + 1
        if new:
            rows = [_trial_row(study.name, t, first + i) for i, t in enumerate(new)]
            connection.execute(insert(schema.trials), rows)
        return len(new)


def load(ledger: Ledger, name: str) -> StoredStudy:
    """The study of this name.

    Raises `StudyNotFoundError`, with the nearest names, if there is none.
    """
    with explained(ledger.location), reading(ledger._engine) as connection:
        row = _find(connection, name)
        if row is not None:
            return _study(row, ledger)
        names = list(connection.execute(select(schema.studies.c.name)).scalars())
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"the nearest are {', '.join(near)}" if near else f"it has {', '.join(names[:5])}"
    hint = hint if names else "it holds no studies yet: start one with joulecast study run FILE"
    raise StudyNotFoundError(f"no study {name!r} in ledger {ledger.location}: {hint}")


def listed(ledger: Ledger) -> list[tuple[StoredStudy, dict[str, int]]]:
    """All studies, newest first, each with the number of its trials by status."""
    table, trials = schema.studies, schema.trials
    counts: dict[str, dict[str, int]] = {}
    by = select(trials.c.study, trials.c.status, func.count()).group_by(
        trials.c.study, trials.c.status
    )
    query = select(table).order_by(table.c.created_at.desc(), table.c.name)
    with explained(ledger.location), reading(ledger._engine) as connection:
        for study, status, count in connection.execute(by):
            counts.setdefault(study, {})[status] = count
        found = [_study(row, ledger) for row in connection.execute(query).mappings()]
    return [(study, counts.get(study.name, {})) for study in found]


def trials(ledger: Ledger, name: str, *, figures: bool = False) -> list[StoredTrial]:
    """The trials of a study in their order, without their logs; with their figures if wanted."""
    leave = [c for c in _LONG if not (figures and c == "figures")]
    query = select(*(c for c in schema.trials.c if c.name not in leave))
    query = _trials_of(query, name).order_by(schema.trials.c.position)
    with explained(ledger.location), reading(ledger._engine) as connection:
        return [trial_of(row, ledger) for row in connection.execute(query).mappings()]


def trial(ledger: Ledger, name: str, trial_id: str) -> StoredTrial:
    """One trial with all that is kept of it, by its id or the beginning of it.

    Raises `StudyNotFoundError` if none, or more than one, is meant.
    """
    table = schema.trials
    query = _trials_of(select(table), name).where(
        table.c.trial_id.startswith(trial_id, autoescape=True)
    )
    with explained(ledger.location), reading(ledger._engine) as connection:
        found = connection.execute(query.limit(2)).mappings().all()
    if len(found) != 1:
        how = "several trials begin" if found else "no trial begins"
        raise StudyNotFoundError(
            f"study {name}: {how} with {trial_id!r}: joulecast study status {name}"
        )
    return trial_of(found[0], ledger)


def spent(ledger: Ledger, name: str) -> tuple[float, float]:
    """Energy (J) and duration (s) of all that was run for a study, warm-ups and all."""
    table, of = schema.trials, schema.studies
    sums = _trials_of(select(func.sum(table.c.energy_j), func.sum(table.c.duration_s)), name)
    other = _of(select(of.c.other_energy_j, of.c.other_duration_s), name)
    with explained(ledger.location), reading(ledger._engine) as connection:
        energy, duration = connection.execute(sums).one()
        more = connection.execute(other).one_or_none() or (0.0, 0.0)
    return (energy or 0.0) + more[0], (duration or 0.0) + more[1]


def add_spent(ledger: Ledger, name: str, energy_j: float, duration_s: float) -> None:
    """Note what was spent on work that is in no result."""
    table = schema.studies
    values = {
        "other_energy_j": table.c.other_energy_j + energy_j,
        "other_duration_s": table.c.other_duration_s + duration_s,
    }
    with explained(ledger.location), ledger._engine.begin() as connection:
        connection.execute(_of(update(table), name).values(**values))


def trial_of(row: RowMapping, ledger: Ledger) -> StoredTrial:
    """A row of the table, whichever columns were read."""
    known: dict[str, Any] = {n: row.get(n) for n in StoredTrial.__dataclass_fields__}
    try:
        figures = known["figures"]
        known |= {
            "factors": json.loads(row["factors"]),
            "figures": None if figures is None else json.loads(figures),
        }
    except ValueError as error:
        raise LedgerError(
            f"ledger {ledger.location}: trial {row['trial_id']} of {row['study']} is damaged"
        ) from error
    return StoredTrial(**known)


def short(text_: str | None, longest: int) -> str | None:
    """The end of a text that both databases take, no longer than so many characters."""
    if text_ is None:
        return None
    clean = plain_text(text_)
    return clean if len(clean) <= longest else f"...{clean[3 - longest :]}"


def _find(connection: Connection, name: str) -> RowMapping | None:
    return connection.execute(_of(select(schema.studies), name)).mappings().first()


def _of(query: Any, name: str) -> Any:
    return query.where(schema.studies.c.name == name)


def _trials_of(query: Any, name: str) -> Any:
    return query.where(schema.trials.c.study == name)


def _study_row(study: StoredStudy, ledger: Ledger) -> dict[str, Any]:
    return {
        "name": study.name,
        "created_at": ledger._clock(),
        "document": dumps(dict(study.document)),
        "folder": plain_text(study.folder),
        "host": study.host,
        "code": study.code,
        "other_energy_j": study.other_energy_j,
        "other_duration_s": study.other_duration_s,
    }


def _trial_row(study: str, trial: StoredTrial, position: int) -> dict[str, Any]:
    return {
        "study": study,
        "trial_id": trial.trial_id,
        "position": position,
        "factors": dumps(dict(trial.factors)),
        "repetition": trial.repetition,
        "seed": trial.seed,
        "status": trial.status,
    }


def _study(row: RowMapping, ledger: Ledger) -> StoredStudy:
    try:
        document = json.loads(row["document"])
    except ValueError as error:
        raise LedgerError(
            f"ledger {ledger.location}: the plan of study {row['name']} is damaged"
        ) from error
    return StoredStudy(**{**row, "document": document})
