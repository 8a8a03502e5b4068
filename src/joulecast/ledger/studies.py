"""Studies in the ledger: each plan once, and its trials as rows. Who works on them: `claims`."""

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from ..errors import BadInputError, LedgerError, StudyNotFoundError
from ..units import Estimate, Provenance
from . import schema
from .database_errors import explained
from .engine import reading
from .store import Ledger
from .stored_json import dumps, loads, plain_text
from .study_model import PlannedStudy, Study, Trial, TrialStatus

# Key of a PostgreSQL advisory lock: "study" in ASCII.
_PLAN_LOCK = 0x7374756479
# Columns with long texts, which lists do not need.
_LONG = ("log", "figures")


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
    with explained(ledger.location), ledger._engine.begin() as connection:
        # On SQLite a writer is alone.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PLAN_LOCK})
        name = study.plan.name
        stored = _find(connection, name)
        if stored is None:
            connection.execute(insert(schema.studies), _study_row(study, ledger))
        else:
            agree(_study(stored, ledger).plan)
            changed = {"document": dumps(study.plan)}
            connection.execute(_of(update(schema.studies), name).values(**changed))
        ids = select(schema.trials.c.trial_id, schema.trials.c.position)
        there = {i: int(p) for i, p in connection.execute(_trials_of(ids, name))}
        new = [trial for trial in trials if trial.trial_id not in there]
        first = max(there.values(), default=-1) + 1
        if new:
            rows = [_trial_row(name, t, first + i) for i, t in enumerate(new)]
            connection.execute(insert(schema.trials), rows)
        return len(new)


def load(ledger: Ledger, name: str) -> PlannedStudy:
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


def listed(ledger: Ledger) -> list[tuple[PlannedStudy, dict[str, int]]]:
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
        planned = [_study(row, ledger) for row in connection.execute(query).mappings()]
    return [(study, counts.get(study.plan.name, {})) for study in planned]


def trials(ledger: Ledger, name: str) -> list[Trial]:
    """The trials of a study in their order."""
    query = _trials_of(select(*_columns()), name).order_by(schema.trials.c.position)
    with explained(ledger.location), reading(ledger._engine) as connection:
        return [trial_of(row, ledger) for row in connection.execute(query).mappings()]


def figures(ledger: Ledger, name: str) -> dict[str, dict[str, Any]]:
    """The figures stored with each trial that ended, by the trial's id."""
    table = schema.trials
    query = _trials_of(select(table.c.trial_id, table.c.figures), name)
    with explained(ledger.location), reading(ledger._engine) as connection:
        rows = connection.execute(query.where(table.c.figures.is_not(None))).all()
    try:
        return {trial_id: json.loads(text_) for trial_id, text_ in rows}
    except ValueError as error:
        raise LedgerError(
            f"ledger {ledger.location}: figures of study {name} are damaged"
        ) from error


def trial(ledger: Ledger, name: str, trial_id: str) -> tuple[Trial, str]:
    """One trial, by its id or the beginning of it, and the end of what it printed.

    Raises `StudyNotFoundError` if none, or more than one, matches.
    """
    table = schema.trials
    query = _trials_of(select(*_columns(), table.c.log), name).where(
        table.c.trial_id.startswith(trial_id, autoescape=True)
    )
    with explained(ledger.location), reading(ledger._engine) as connection:
        rows = connection.execute(query.limit(2)).mappings().all()
    if len(rows) != 1:
        how = "several trials begin" if rows else "no trial begins"
        raise StudyNotFoundError(
            f"study {name}: {how} with {trial_id!r}: joulecast study status {name}"
        )
    return trial_of(rows[0], ledger), rows[0]["log"] or ""


def used(ledger: Ledger, name: str) -> tuple[float, float]:
    """Energy (J) and duration (s) of all runs of a study, with warm-ups and interrupted trials."""
    table, of = schema.trials, schema.studies
    sums = _trials_of(select(func.sum(table.c.energy_j), func.sum(table.c.duration_s)), name)
    other = _of(select(of.c.other_energy_j, of.c.other_duration_s), name)
    with explained(ledger.location), reading(ledger._engine) as connection:
        energy, duration = connection.execute(sums).one()
        more = connection.execute(other).one_or_none() or (0.0, 0.0)
    return (energy or 0.0) + more[0], (duration or 0.0) + more[1]


def add_used(ledger: Ledger, name: str, energy_j: float, duration_s: float) -> None:
    """Add energy (J) and duration (s) of work that is in no result."""
    table = schema.studies
    values = {
        "other_energy_j": table.c.other_energy_j + energy_j,
        "other_duration_s": table.c.other_duration_s + duration_s,
    }
    with explained(ledger.location), ledger._engine.begin() as connection:
        connection.execute(_of(update(table), name).values(**values))


def trial_of(row: RowMapping, ledger: Ledger) -> Trial:
    """A row of the table of trials."""
    try:
        factors = json.loads(row["factors"])
    except ValueError as error:
        raise LedgerError(
            f"ledger {ledger.location}: trial {row['trial_id']} of {row['study']} is damaged"
        ) from error
    return Trial(
        trial_id=row["trial_id"],
        order=row["position"],
        factors=factors,
        repetition=row["repetition"],
        seed=row["seed"],
        status=TrialStatus(row["status"]),
        run_id=row["run_id"],
        error=row["error"],
        host=row["host"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        energy=_energy(row),
        duration_s=row["duration_s"],
    )


def _energy(row: RowMapping) -> Estimate | None:
    value = row["energy_j"]
    if value is None:
        return None
    low, high = (
        value if bound is None else bound for bound in (row["energy_low_j"], row["energy_high_j"])
    )
    return Estimate(value, low, high, "J", Provenance(row["provenance"] or Provenance.ASSUMED))


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


def _columns() -> list[Any]:
    return [column for column in schema.trials.c if column.name not in _LONG]


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


def _study(row: RowMapping, ledger: Ledger) -> PlannedStudy:
    columns = dict(row)
    name, document = columns.pop("name"), columns.pop("document")
    try:
        return PlannedStudy(loads(document, Study), **columns)
    except (ValueError, BadInputError) as error:
        raise LedgerError(
            f"ledger {ledger.location}: the plan of study {name} is damaged: {error}"
        ) from error
