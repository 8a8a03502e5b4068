"""A machine's own constants as plain data: found, kept in the ledger, read again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..forecasting.physical.cpu_roofline import CpuCosts
from ..forecasting.physical.device import Calibration
from ..ledger import calibrations
from ..units import Provenance
from .microbench import Result

if TYPE_CHECKING:
    from ..ledger import Ledger

UNITS = {"launch_s": "s", "step_s": "s", "idle_w": "W"}
UNITS |= {"forward_s": "s", "backward_s": "s", "update_s": "s", "work_w": "W"}
QUIET = 0.15  # of the processors' time: what others may take while a machine is to be idle
OF_CPUS = ("forward_s", "backward_s", "update_s", "work_w")
MEANINGS = {
    "compute": "matrix products and convolutions, against the shipped rate",
    "memory": "bandwidth, against the shipped one",
    "power": "power that work adds to idle, against the shipped one",
    "launch_s": "the host's time to launch one kernel",
    "step_s": "what a training step takes besides its kernels",
    "idle_w": "power of the device without work",
    "forward_s": "starting an operator, forward",
    "backward_s": "starting an operator, backward",
    "update_s": "starting an operation of the optimizer on one parameter",
    "work_w": "power of the device while small networks train",
}


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant: a factor, or a figure in `UNITS`. None: not found, for the `reason`."""

    name: str
    value: float | None
    spread: float | None = None  # relative, half of an interquartile range
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Power of a device without work; None where it could not be told, for the `reason`."""

    power_w: float | None
    spread: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was found of one device."""

    device: str  # "cpu", "gpu:0"
    name: str
    constants: tuple[Constant, ...]
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    power_provenance: Provenance | None
    input_s: tuple[float, float] | None  # of the host for one sample, and for each of its bytes
    seconds: float
    versions: Mapping[str, str]
    operators: CpuCosts | None = None
    others: float | None = None  # of the processors' time, taken by other programs meanwhile

    def to_json(self) -> dict[str, Any]:
        """The document that the ledger keeps; `calibration_from` reads it."""
        return {
            "name": self.name,
            "values": {c.name: c.value for c in self.constants},
            "spreads": {c.name: c.spread for c in self.constants},
            "reasons": {c.name: c.reason for c in self.constants if c.reason},
            "input_s": None if self.input_s is None else list(self.input_s),
            "operators": None if self.operators is None else self.operators.to_json(),
            "power_provenance": self.power_provenance and str(self.power_provenance),
            "tests": [result.to_json() for result in self.results],
            "notes": list(self.notes),
            "others": self.others,
            "seconds": self.seconds,
            "versions": dict(self.versions),
        }


def calibration_from(document: Mapping[str, Any], sample_bytes: float | None = None) -> Calibration:
    """What a stored document says, for a forecast; figures that make no sense are left out.

    The rate of the input pipeline is that of a loader in the training's own process, for samples
    of `sample_bytes` in memory; None where they are not given (data that is in memory already).
    """
    values = document.get("values")
    values = values if isinstance(values, Mapping) else {}
    names = {f.name for f in fields(Calibration)} - {"samples_per_s", "operators", "disturbed"}
    known: dict[str, Any] = {name: _positive(values.get(name)) for name in names}
    rate = None
    given = document.get("input_s")
    if sample_bytes is not None and isinstance(given, Sequence) and len(given) == 2:
        each, byte = _positive(given[0]) or 0.0, _positive(given[1]) or 0.0
        seconds = each + byte * sample_bytes
        rate = 1 / seconds if seconds > 0 else None
    operators = CpuCosts.from_json(document.get("operators"))
    others = _positive(document.get("others")) or 0.0
    disturbed = min(others, 1.0) if others >= QUIET else 0.0
    return Calibration(**known, samples_per_s=rate, operators=operators, disturbed=disturbed)


def calibration_of(
    ledger: Ledger,
    environment: Mapping[str, Any],
    device: str,
    sample_bytes: float | None = None,
) -> Calibration | None:
    """The newest calibration of a device ("cpu", "gpu:0") of this machine, None without one."""
    stored = calibrations.load(ledger, environment, device)
    return None if stored is None else calibration_from(stored.document, sample_bytes)


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None
