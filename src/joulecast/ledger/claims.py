"""Who works on which trial: a claim is taken by one runner at a time, on any number of machines.

SQLite lets one writer in at a time (`BEGIN IMMEDIATE`). PostgreSQL locks the row that is taken, and
others pass it over (`FOR UPDATE SKIP LOCKED`). Heartbeats are counted by the database's own clock:
the clocks of two machines may differ. Silence while the server was down does not count. A runner
that lost its claim learns so from what `beat` and `end` return, and its result is not stored: a
trial has one result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, extract, func, select, update

from ..errors import BadInputError
from ..units import Estimate
from . import schema
from .database_errors import explained
from .engine import reading
from .liveness import ProcessIdentity, lives
from .store import Ledger
from .stored_json import dumps, loads
from .studies import short, trial_of
from .study_model import Trial, TrialStatus

# Between two heartbeats of a runner.
BEAT_S = 5.0
# A runner on another machine that was silent for so long loses its trial.
LOST_S = 60.0
# Characters that are stored.
LONGEST_ERROR, LONGEST_LOG = 500, 16_384

_trials = schema.trials


def claim(ledger: Ledger, study: str, me: ProcessIdentity) -> Trial | None:
    """Claim the next pending trial for `me`; None where there is none."""
    with explained(ledger.location), ledger._engine.begin() as connection:
        query = (
            select(_trials)
            .where(_trials.c.study == study, _trials.c.status == TrialStatus.PENDING)
            .order_by(_trials.c.position)
            .limit(1)
            # SQLite needs no lock, and SQLAlchemy leaves it out there.
            .with_for_update(skip_locked=True)
        )
        row = connection.execute(query).mappings().first()
        if row is None:
            return None
        started_at = ledger._clock()
        taken = {
            "status": TrialStatus.RUNNING,
            "runner": dumps(me),
            "host": me.host,
            "heartbeat": _now(connection, ledger),
            "started_at": started_at,
        }
        _change(connection, study, row["trial_id"], _EMPTY | taken)
        trial = trial_of(row, ledger)
        return replace(trial, status=TrialStatus.RUNNING, host=me.host, started_at=started_at)


def reclaim(ledger: Ledger, study: str, lost_s: float = LOST_S) -> list[Trial]:
    """Make trials whose runner is gone pending again; returns them as they were.

    A runner on this machine is gone when its process is, one on another after `lost_s` of silence.
    """
    with explained(ledger.location), ledger._engine.begin() as connection:
        query = (
            select(_trials)
            .where(_trials.c.study == study, _trials.c.status == TrialStatus.RUNNING)
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(query).mappings().all()
        gone = _gone(connection, ledger, rows, lost_s)
        for row in gone:
            _change(connection, study, row["trial_id"], _EMPTY)
        return [trial_of(row, ledger) for row in gone]


def runners(ledger: Ledger, study: str) -> dict[str, bool]:
    """Whether the runner of each running trial is alive (as `reclaim` decides), by trial id."""
    query = select(_trials).where(_trials.c.study == study, _trials.c.status == TrialStatus.RUNNING)
    with explained(ledger.location), reading(ledger._engine) as connection:
        rows = connection.execute(query).mappings().all()
        gone = {row["trial_id"] for row in _gone(connection, ledger, rows, LOST_S)}
        return {row["trial_id"]: row["trial_id"] not in gone for row in rows}


def beat(
    ledger: Ledger, study: str, trial_id: str, me: ProcessIdentity, run_id: str | None = None
) -> bool:
    """Record that `me` still works on a trial, by this run; False where it lost its claim."""
    with explained(ledger.location), ledger._engine.begin() as connection:
        values = {"heartbeat": _now(connection, ledger)} | ({"run_id": run_id} if run_id else {})
        return _change(connection, study, trial_id, values, me)


def end(
    ledger: Ledger,
    study: str,
    trial_id: str,
    me: ProcessIdentity,
    status: str,
    *,
    run_id: str | None = None,
    error: str | None = None,
    log: str | None = None,
    energy: Estimate | None = None,
    duration_s: float | None = None,
    figures: Mapping[str, Any] | None = None,
) -> bool:
    """Store how a trial ended; False, and nothing is stored, where `me` lost its claim.

    True also where it was stored already: the answer to the first attempt may have been lost.
    """
    values = {
        "status": status,
        "run_id": run_id,
        "error": short(error, LONGEST_ERROR),
        "log": short(log, LONGEST_LOG),
        "energy_j": energy.value if energy else None,
        "energy_low_j": energy.low if energy else None,
        "energy_high_j": energy.high if energy else None,
        "provenance": str(energy.provenance) if energy else None,
        "duration_s": duration_s,
        "figures": None if figures is None else dumps(dict(figures)),
        "ended_at": ledger._clock(),
        "runner": None,
        "heartbeat": None,
    }
    with explained(ledger.location), ledger._engine.begin() as connection:
        if _change(connection, study, trial_id, values, me):
            return True
        kept = select(_trials.c.run_id).where(
            _trials.c.study == study, _trials.c.trial_id == trial_id, _trials.c.status == status
        )
        return run_id is not None and connection.execute(kept).scalar() == run_id


def release(ledger: Ledger, study: str, trial_id: str, me: ProcessIdentity) -> bool:
    """Make a trial pending again, as if it had never been started."""
    with explained(ledger.location), ledger._engine.begin() as connection:
        return _change(connection, study, trial_id, _EMPTY, me)


def again(ledger: Ledger, study: str, *statuses: str) -> int:
    """Make trials that ended like this pending again; returns how many.

    Their energy and duration still count for the study's limits.
    """
    theirs = (_trials.c.study == study, _trials.c.status.in_(statuses))
    sums = select(func.sum(_trials.c.energy_j), func.sum(_trials.c.duration_s)).where(*theirs)
    of = schema.studies
    with explained(ledger.location), ledger._engine.begin() as connection:
        energy, duration = connection.execute(sums).one()
        used = {
            "other_energy_j": of.c.other_energy_j + (energy or 0.0),
            "other_duration_s": of.c.other_duration_s + (duration or 0.0),
        }
        connection.execute(update(of).where(of.c.name == study).values(**used))
        changed = connection.execute(update(_trials).where(*theirs).values(**_EMPTY))
        return int(changed.rowcount)


_EMPTY: dict[str, Any] = {"status": TrialStatus.PENDING} | dict.fromkeys(
    (
        *("runner", "host", "heartbeat", "run_id", "error", "log", "started_at", "ended_at"),
        *("energy_j", "energy_low_j", "energy_high_j", "provenance", "duration_s", "figures"),
    )
)


def _change(
    connection: Connection,
    study: str,
    trial_id: str,
    values: Mapping[str, Any],
    owner: ProcessIdentity | None = None,
) -> bool:
    query = update(_trials).where(_trials.c.study == study, _trials.c.trial_id == trial_id)
    if owner is not None:
        query = query.where(
            _trials.c.status == TrialStatus.RUNNING, _trials.c.runner == dumps(owner)
        )
    return bool(connection.execute(query.values(**values)).rowcount)


def _gone(
    connection: Connection, ledger: Ledger, rows: Sequence[RowMapping], lost_s: float
) -> list[RowMapping]:
    """Those of the running trials whose runner is gone."""
    if not rows:
        return []
    now, since = _now(connection, ledger), _listening_since(connection)
    orphans = []
    for row in rows:
        silent = now - max(row["heartbeat"] or 0.0, since) > lost_s
        try:
            living = lives(loads(row["runner"], ProcessIdentity))
        except (BadInputError, TypeError, ValueError):
            living = False
        if silent if living is None else not living:
            orphans.append(row)
    return orphans


def _now(connection: Connection, ledger: Ledger) -> float:
    if connection.dialect.name != "postgresql":
        return ledger._clock()
    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())


def _listening_since(connection: Connection) -> float:
    """When the server was started: no heartbeat could arrive before. 0 of a file."""
    if connection.dialect.name != "postgresql":
        return 0.0
    started = select(extract("epoch", func.pg_postmaster_start_time()))
    return float(connection.execute(started).scalar_one())
