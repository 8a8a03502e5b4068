"""A machine's own constants as plain data: measured, kept in the ledger, read again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .. import serialize
from ..errors import BadInputError, LedgerError
from ..estimate import Provenance
from ..forecasting.physical.device import Calibration
from ..ledger import Ledger, calibrations

BUSY_SHARE = 0.15
"""Share of the processors' time that other programs may take of a machine that counts as idle."""


@dataclass(frozen=True, slots=True)
class ConstantKind:
    """What a constant means, and its unit; a factor on the shipped constant has none."""

    meaning: str
    unit: str = ""


# A GPU's power depends on what it does, so that it has the factor `power`. On a CPU all cores are
# busy in every test, so that one figure, `busy_w`, is enough.
CONSTANTS = {
    "compute": ConstantKind("rate of matrix products and convolutions, against the shipped rate"),
    "memory": ConstantKind("memory bandwidth, against the shipped bandwidth"),
    "launch_s": ConstantKind("time to start one operator", "s"),
    "step_s": ConstantKind("fixed time of a training step", "s"),
    "idle_w": ConstantKind("power of the device without work", "W"),
    "busy_w": ConstantKind("power of the device at work", "W"),
    "power": ConstantKind("power that work adds to idle, against the shipped one"),
}
# Before version 0.2 a CPU's operators had costs of their own, next to which these meant other
# things.
_CHANGED_MEANING = ("launch_s", "step_s", "power")


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant; None where it could not be measured, for the `reason`.

    `spread` is relative: half of an interquartile range.
    """

    value: float | None
    spread: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MicroTiming:
    """What one test measured: the median time of a call (s), its relative spread, watts."""

    name: str
    group: str
    seconds: float | None
    spread: float | None
    repeats: int
    power_w: float | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceCalibration:
    """The constants of one device, as the ledger keeps them and `joulecast calibrate` prints them.

    Attributes:
        device: `"cpu"` or `"gpu:0"`.
        name: of its model.
        values: constants by their names in `CONSTANTS`; None where one could not be measured.
        spreads: relative, half of an interquartile range.
        reasons: why a constant is unknown.
        input_s: seconds of the host's input pipeline for one sample, and for each of its bytes.
        power_provenance: of the meters that the power comes from.
        tests: what was run.
        others: share of the processors' time that other programs took during the tests.
        seconds: how long the calibration took.
        made_at: seconds since 1970; None before it is stored.
        machine: its processor and GPUs, for people.
        outdated: whether an older version made it, whose constants mean other things in part.
    """

    device: str = ""
    name: str = ""
    values: dict[str, float | None] = field(default_factory=dict)
    spreads: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    input_s: tuple[float, float] | None = None
    power_provenance: Provenance | None = None
    tests: list[MicroTiming] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    others: float | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    made_at: float | None = None
    machine: str | None = None
    outdated: bool = False


def read_stored(stored: calibrations.Stored) -> DeviceCalibration:
    """A stored calibration; of one that an older version made, what still has the same meaning.

    Raises:
        LedgerError: the stored document is damaged.
    """
    document: dict[str, Any] = {
        **stored.document,
        "device": stored.device,
        "made_at": stored.made_at,
        "machine": stored.machine,
        "outdated": bool(stored.document.get("operators")),
        # Older versions named a key of its tests otherwise, and nothing reads them.
        "tests": [],
    }
    try:
        calibration = serialize.read(document, DeviceCalibration)
    except BadInputError as error:
        raise LedgerError(
            f"the stored calibration of {stored.device} is damaged ({error}): "
            "joulecast calibrate --forget drops it"
        ) from error
    if calibration.outdated:
        for name in _CHANGED_MEANING:
            calibration.values[name] = None
            calibration.reasons[name] = "measured by an older version: calibrate again"
    return calibration


def for_forecast(calibration: DeviceCalibration) -> Calibration:
    """The constants as a forecast uses them; numbers that are not positive are left out."""
    names = {f.name for f in fields(Calibration)} & set(CONSTANTS)
    values = {name: _positive(calibration.values.get(name)) for name in names}
    others = calibration.others or 0.0
    return Calibration(
        **values,
        disturbed=min(others, 1.0) if others >= BUSY_SHARE else 0.0,
        outdated=calibration.outdated,
    )


def calibration_of(
    ledger: Ledger, environment: Mapping[str, Any], device: str
) -> Calibration | None:
    """The latest calibration of a device ("cpu", "gpu:0") of this machine, None without one.

    Raises:
        LedgerError: the ledger cannot be read, or the calibration is damaged.
    """
    stored = calibrations.load(ledger, environment, device)
    return None if stored is None else for_forecast(read_stored(stored))


def _positive(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None
