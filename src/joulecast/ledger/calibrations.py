"""Calibrations in the ledger: a machine's constants, and how wall power follows its meters.

They are stored by processor and GPUs, not by host name: cloud machines change theirs, and a ledger
may be shared. The newest of each device is used.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LedgerError
from ..hardware.environment import machine_of, machine_text
from .database import Row
from .store import Ledger
from .stored_json import dumps

WALL = "wall"
"""The device under which a fit of wall power is kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One calibration, as plain data."""

    device: str  # "cpu", "gpu:0", or `WALL`
    made_at: float  # seconds since 1970, UTC
    # A description such as "AMD EPYC 7763, 64 threads, 2 x NVIDIA A100".
    machine: str
    # JSON types; the caller of `save` defines its shape.
    document: dict[str, Any]


def save(
    ledger: Ledger,
    environment: Mapping[str, Any],
    device: str,
    document: Mapping[str, Any],
    made_at: float,
) -> None:
    """Keep a calibration of a device of the machine with this environment (`Header.environment`).

    One of the same instant is replaced. Raises `LedgerError`, also for a machine that reports
    neither its processor nor a GPU, and so cannot be distinguished from others.
    """
    identity = machine_of(environment)
    if identity is None:
        raise LedgerError(
            "the calibration cannot be kept: this machine names neither its processor nor a GPU"
        )
    row = {
        "machine": _key(identity),
        "device": device,
        "made_at": made_at,
        "identity": dumps(identity),
        "document": dumps(dict(document)),
    }
    with ledger._database.writing() as connection:
        connection.replace("joulecast_calibrations", ("machine", "device", "made_at"), [row])


def load(ledger: Ledger, environment: Mapping[str, Any], device: str) -> Stored | None:
    """The newest calibration of a device ("cpu", "gpu:0") of this machine, None without one."""
    matching = [stored for stored in listed(ledger, environment) if stored.device == device]
    return matching[0] if matching else None


def listed(ledger: Ledger, environment: Mapping[str, Any] | None = None) -> list[Stored]:
    """All calibrations, newest first; those of one machine if its environment is given."""
    where, values = "", {}
    if environment is not None:
        identity = machine_of(environment)
        if identity is None:
            return []
        where, values = "WHERE machine = :machine", {"machine": _key(identity)}
    query = f"SELECT * FROM joulecast_calibrations {where} ORDER BY made_at DESC, device"
    with ledger._database.reading() as connection:
        return [_stored(row, ledger) for row in connection.rows(query, values)]


def forget(ledger: Ledger, environment: Mapping[str, Any], device: str | None = None) -> int:
    """Drop the calibrations of this machine, of one device if named; how many there were."""
    identity = machine_of(environment)
    if identity is None:
        return 0
    values = {"machine": _key(identity)} | ({} if device is None else {"device": device})
    where = " AND ".join(f"{name} = :{name}" for name in values)
    with ledger._database.writing() as connection:
        return connection.execute(f"DELETE FROM joulecast_calibrations WHERE {where}", values)


def _key(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _stored(row: Row, ledger: Ledger) -> Stored:
    try:
        identity, document = json.loads(row["identity"]), json.loads(row["document"])
        return Stored(row["device"], row["made_at"], machine_text(identity), dict(document))
    except (AttributeError, TypeError, ValueError) as error:
        raise LedgerError(
            f"ledger {ledger.location}: the calibration of {row['device']} is damaged: "
            "joulecast calibrate --forget drops it"
        ) from error
