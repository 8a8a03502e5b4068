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

from ..errors import BadInputError
from ..estimate import Estimate
from .database import Connection, Row
from .liveness import ProcessIdentity, lives
from .store import Ledger
from .stored_json import dumps, loads
from .studies import add_other, short, trial_of
from .study_model import Trial, TrialStatus

# Between two heartbeats of a runner.
BEAT_S = 5.0
# A runner on another machine that was silent for so long loses its trial.
LOST_S = 60.0
# Characters that are stored.
LONGEST_ERROR, LONGEST_LOG = 500, 16_384

_RUNNING = "SELECT * FROM joulecast_trials WHERE study = :study AND status = 'running'"
_ENDED = (
    "SELECT trial_id, energy_j, duration_s FROM joulecast_trials "
    "WHERE study = :study AND status = :status"
)
_PENDING = (
    "SELECT * FROM joulecast_trials WHERE study = :study AND status = 'pending' "
    "ORDER BY position LIMIT 1"
)


def claim(ledger: Ledger, study: str, me: ProcessIdentity) -> Trial | None:
    """Claim the next pending trial for `me`; None where there is none."""
    with ledger._database.writing() as connection:
        row = next(connection.rows(_PENDING + connection.free_rows, {"study": study}), None)
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
    with ledger._database.writing() as connection:
        rows = list(connection.rows(_RUNNING + connection.free_rows, {"study": study}))
        gone = _gone(connection, ledger, rows, lost_s)
        for row in gone:
            _change(connection, study, row["trial_id"], _EMPTY)
        return [trial_of(row, ledger) for row in gone]


def runners(ledger: Ledger, study: str) -> dict[str, bool]:
    """Whether the runner of each running trial is alive (as `reclaim` decides), by trial id."""
    with ledger._database.reading() as connection:
        rows = list(connection.rows(_RUNNING, {"study": study}))
        gone = {row["trial_id"] for row in _gone(connection, ledger, rows, LOST_S)}
        return {row["trial_id"]: row["trial_id"] not in gone for row in rows}


def beat(
    ledger: Ledger, study: str, trial_id: str, me: ProcessIdentity, run_id: str | None = None
) -> bool:
    """Record that `me` still works on a trial, by this run; False where it lost its claim."""
    with ledger._database.writing() as connection:
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
        "energy_own_low_j": energy.own_low if energy else None,
        "energy_own_high_j": energy.own_high if energy else None,
        "provenance": str(energy.provenance) if energy else None,
        "duration_s": duration_s,
        "figures": None if figures is None else dumps(dict(figures)),
        "ended_at": ledger._clock(),
        "runner": None,
        "heartbeat": None,
    }
    with ledger._database.writing() as connection:
        if _change(connection, study, trial_id, values, me):
            return True
        kept = (
            "SELECT run_id FROM joulecast_trials "
            "WHERE study = :study AND trial_id = :trial_id AND status = :status"
        )
        key = {"study": study, "trial_id": trial_id, "status": str(status)}
        return run_id is not None and {"run_id": run_id} in connection.rows(kept, key)


def release(ledger: Ledger, study: str, trial_id: str, me: ProcessIdentity) -> bool:
    """Make a trial pending again, as if it had never been started."""
    with ledger._database.writing() as connection:
        return _change(connection, study, trial_id, _EMPTY, me)


def again(ledger: Ledger, study: str, *statuses: str) -> int:
    """Make trials that ended like this pending again; returns how many.

    Their energy and duration still count for the study's limits.
    """
    changed = 0
    with ledger._database.writing() as connection:
        for status in statuses:
            key = {"study": study, "status": str(status)}
            rows = list(connection.rows(_ENDED, key))
            energy_j = sum(row["energy_j"] or 0.0 for row in rows)
            add_other(connection, study, energy_j, sum(row["duration_s"] or 0.0 for row in rows))
            for row in rows:
                changed += _change(connection, study, row["trial_id"], _EMPTY)
    return changed


_EMPTY: dict[str, Any] = {"status": TrialStatus.PENDING} | dict.fromkeys(
    (
        *("runner", "host", "heartbeat", "run_id", "error", "log", "started_at", "ended_at"),
        *("energy_j", "energy_low_j", "energy_high_j", "energy_own_low_j", "energy_own_high_j"),
        *("provenance", "duration_s", "figures"),
    )
)


def _change(
    connection: Connection,
    study: str,
    trial_id: str,
    values: Mapping[str, Any],
    owner: ProcessIdentity | None = None,
) -> bool:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    sql = f"UPDATE joulecast_trials SET {changes} WHERE study = :study AND trial_id = :trial_id"
    if owner is not None:
        sql += " AND status = 'running' AND runner = :owner"
    key = {"study": study, "trial_id": trial_id, "owner": owner and dumps(owner)}
    return bool(connection.execute(sql, {**values, **key}))


def _gone(connection: Connection, ledger: Ledger, rows: Sequence[Row], lost_s: float) -> list[Row]:
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
    if not connection.postgresql:
        return ledger._clock()
    return _server_s(connection, "clock_timestamp()")


def _listening_since(connection: Connection) -> float:
    """When the server was started: no heartbeat could arrive before. 0 of a file."""
    return _server_s(connection, "pg_postmaster_start_time()") if connection.postgresql else 0.0


def _server_s(connection: Connection, time: str) -> float:
    row = next(connection.rows(f"SELECT extract(epoch FROM {time}) AS seconds"))
    return float(row["seconds"])
