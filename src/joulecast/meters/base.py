"""What a meter is: one source of energy for one domain; and a gauge: a figure beside energy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum

from ..units import Provenance


class ReadingKind(StrEnum):
    """What a meter's or a gauge's readings are."""

    COUNTER = "counter"  # cumulative joules since the meter was opened; never falls
    POWER = "power"  # watts at an instant
    GAUGE = "gauge"  # of a gauge only: its figure at an instant


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """A 90 % interval as fractions of the reading: `[value * (1 - low), value * (1 + high)]`."""

    low: float
    high: float
    origin: str  # where these figures come from, for people to read


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a meter before it is read. Plain data; saved with the recording."""

    domain: str  # "gpu:0", "cpu:0" (package), "dram:0", "node"
    source: str  # what gives the figure, for people: "NVML energy counter"
    kind: ReadingKind
    provenance: Provenance
    update_period_s: float  # the value changes no more often than this
    uncertainty: Uncertainty
    device: str = ""  # what the domain is: "NVIDIA A100-SXM4-80GB"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter says at one instant.

    `value`, `low` and `high` are joules since the meter was opened (`ReadingKind.COUNTER`) or watts
    (`ReadingKind.POWER`); `[low, high]` is the 90 % interval. `held_s` is the time integral, in
    seconds, of the fraction of the domain that belongs to this run: the elapsed time where the run
    owns the whole domain, less where it has a share of it. Idle power times `held_s` is the idle
    energy.
    """

    t_s: float  # the clock's instant to which the value belongs
    value: float
    low: float
    high: float
    held_s: float


class Meter(ABC):
    """One source of energy for one domain.

    `read` may be called from one thread at a time. It raises `MeterLostError` when the meter is
    gone for good. `note()` hands over, once, what went wrong but could be mended (a counter that
    was reset, say).
    """

    source: Source

    @abstractmethod
    def read(self) -> Reading:
        """The meter's word at this instant. Raises `MeterLostError`."""

    def note(self) -> str | None:
        """What happened since the last call that the recording should mark, or None."""
        return None

    def close(self) -> None:  # noqa: B027 - most meters hold nothing
        """Give back what the meter holds. Safe to call twice."""


GAUGE_PERIOD_S = 1.0
"""How often a gauge is read: what they tell changes slowly, or is a mean over about a second."""


@dataclass(frozen=True, slots=True)
class GaugeSource:
    """What is known of a gauge before it is read. Plain data; saved with the recording.

    `kind` is `ReadingKind.GAUGE` where it is read at an instant, or `ReadingKind.COUNTER` where its
    readings are its integral since it was opened (`unit` x seconds): a mean over any stretch is
    then exact."""

    domain: str  # its name: "gpu:0/utilization_pct", "cpu/utilization_pct", "memory_bytes"
    source: str  # what gives the figure and of what, for people: "NVML, of the whole device"
    unit: str  # "%", "B", "°C"
    kind: ReadingKind
    provenance: Provenance
    update_period_s: float  # it is read no more often than this
    device: str = ""
    reason: str = ""  # why it cannot be read; empty where it can

    @classmethod
    def of_device(cls, meter: Source, what: str, unit: str, text: str) -> GaugeSource:
        """That of a measured figure of the device of a meter, read once a second."""
        return cls(
            domain=f"{meter.domain}/{what}",
            source=text,
            unit=unit,
            kind=ReadingKind.GAUGE,
            provenance=Provenance.MEASURED,
            update_period_s=GAUGE_PERIOD_S,
            device=meter.device,
        )


class Gauge(ABC):
    """One figure of a device or of the run that is not energy: utilization, memory, temperature.

    Its readings have no bounds (`low` and `high` are the value) and hold no share of a domain.
    `read` may be called from one thread at a time, another than that of the meters.
    """

    source: GaugeSource

    @abstractmethod
    def read(self) -> Reading | None:
        """Its word at this instant, None where it has none now. Raises `MeterLostError`."""

    def note(self) -> str | None:
        """Nothing is mended in a gauge; see `Meter.note`."""
        return None

    def close(self) -> None:  # noqa: B027 - most gauges hold nothing
        """Give back what the gauge holds. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A domain that cannot be read: why, and what to do about it."""

    domain: str  # "cpu:0", or the family where nothing finer is known: "gpu (amd)"
    source: str  # what would have given the figure
    reason: str
    remedy: str  # the exact command, or "" where nothing can be done
