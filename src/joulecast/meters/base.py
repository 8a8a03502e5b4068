"""Meters (one source of energy for one domain), gauges (a figure that is not energy), readings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from ..estimate import Provenance


class ReadingKind(StrEnum):
    """What a meter's or a gauge's readings are.

    Attributes:
        COUNTER: cumulative joules since the meter was opened; they never fall.
        POWER: watts at an instant.
        GAUGE: of a gauge only: its figure at an instant.
    """

    COUNTER = "counter"
    POWER = "power"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """A 90 % interval as fractions of the reading: `[value * (1 - low), value * (1 + high)]`.

    `origin` is where these figures come from, for people to read. `own` is the part of it (a
    fraction of the reading, either way) that differs from one reading of the meter to another,
    between idle and load too; the rest all its readings share. None: nothing is known to be shared.
    """

    low: float
    high: float
    origin: str
    own: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a meter before it is read. Plain data; saved with the recording.

    Attributes:
        domain: `gpu:0`, `cpu:0` (a package), `dram:0` or `node`.
        source: what measures, for people: "NVML energy counter".
        kind: counter or power.
        provenance: measured, modelled or assumed.
        update_period_s: the value changes no more often than this.
        uncertainty: of each reading.
        device: "NVIDIA A100-SXM4-80GB".
    """

    domain: str
    source: str
    kind: ReadingKind
    provenance: Provenance
    update_period_s: float
    uncertainty: Uncertainty
    device: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter reports at one instant.

    Attributes:
        t_s: the clock's instant to which the value belongs.
        value: joules since the meter was opened (`ReadingKind.COUNTER`) or watts (`POWER`).
        low: lower bound of the 90 % interval.
        high: its upper bound.
        held_s: time integral, in seconds, of the fraction of the domain that belongs to this run:
            the elapsed time where the run owns the whole domain, less where it has a share of it.
            Idle power times `held_s` is the idle energy.
    """

    t_s: float
    value: float
    low: float
    high: float
    held_s: float


@dataclass(frozen=True, slots=True)
class DeviceFigure:
    """A figure, other than energy, that the device of a meter can be asked for.

    Attributes:
        name: the end of its gauge's name: "utilization_pct".
        unit: "%", "B", "°C", "Hz", "W", or empty for a number.
        source: what gives the figure and what it covers, for people.
        ask: returns it, or None where there is no answer now. Raises anything where the device does
            not have it, or is gone.
        close: releases what `ask` needs, which may outlive the meter. Called once.
        is_optional: only some devices have it; nothing is missing where this one does not.
    """

    name: str
    unit: str
    source: str
    ask: Callable[[], float | None]
    close: Callable[[], None] = lambda: None
    is_optional: bool = False


class Readable(ABC):
    """A meter or a gauge.

    `read` may be called from one thread at a time, that of gauges from another than that of meters.
    """

    @abstractmethod
    def read(self) -> Reading | None:
        """A reading at this instant, None where there is none now.

        Raises `MeterLostError` when the source is gone for good.
        """

    def note(self) -> str | None:
        """What happened since the last call that the recording should mark, or None.

        That is what went wrong without losing the source: a counter that was reset, for example.
        """
        return None

    def warning(self) -> str | None:
        """Why its readings are worse than its source states, returned once, or None."""
        return None

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Release what it holds. Safe to call twice."""


class Meter(Readable):
    """One source of energy for one domain."""

    source: Source

    @abstractmethod
    def read(self) -> Reading:
        """A reading at this instant. Raises `MeterLostError`."""

    def figures(self, scope: str, pids: Callable[[], Collection[int]]) -> list[DeviceFigure]:
        """What else the device can be asked for; nothing where it is not a GPU.

        Args:
            scope: "process" or "machine".
            pids: returns the ids of the run's processes.
        """
        return []


GAUGE_PERIOD_S = 1.0
"""How often a gauge is read: its figure changes slowly, or is a mean over about a second."""


@dataclass(frozen=True, slots=True)
class GaugeSource:
    """What is known of a gauge before it is read. Plain data; saved with the recording.

    Attributes:
        domain: its name: `gpu:0/utilization_pct`, `cpu/utilization_pct`, `memory_bytes`.
        source: what gives the figure and what it covers, for people: "NVML, of the whole device".
        unit: "%", "B", "°C", "Hz", "W", or empty for a number.
        kind: `GAUGE` where it is read at an instant; `COUNTER` where its readings are its integral
            since it was opened (`unit` x seconds), so that a mean over any segment is exact.
        provenance: measured, modelled or assumed.
        update_period_s: it is read no more often than this.
        device: "NVIDIA A100-SXM4-80GB".
        reason: why it cannot be read; empty where it can.
    """

    domain: str
    source: str
    unit: str
    kind: ReadingKind
    provenance: Provenance
    update_period_s: float
    device: str = ""
    reason: str = ""


class Gauge(Readable):
    """One figure of a device or of the run that is not energy: utilization, memory, temperature.

    Its readings have no bounds (`low` and `high` are the value) and hold no share of a domain.
    """

    source: GaugeSource


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A domain that cannot be read: why, and what to do about it.

    Attributes:
        domain: `cpu:0`, or the family where nothing finer is known: `gpu (amd)`.
        source: what would have measured.
        reason: why it does not.
        remedy: the exact command, empty where nothing can be done.
        is_lacking: the run may use this hardware, and nothing else counts its energy: the total of
            a run lacks it.
    """

    domain: str
    source: str
    reason: str
    remedy: str
    is_lacking: bool = False
