"""What a machine can measure, as plain data: meters, what they read now, what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..estimate import Estimate, add_independent
from ..meters.base import GaugeSource, ReadingKind, Source, Unavailable
from ..recording.integrate import UPDATES_TO_RESOLVE, energy_between
from ..recording.model import Samples
from ..result import Result


@dataclass(frozen=True, slots=True)
class DomainNow:
    """One meter and the mean power it gave; `power` is None for the reason given.

    `shortest_window_s` is the shortest window that this meter resolves.
    """

    source: Source
    power: Estimate | None
    reason: str | None = None
    shortest_window_s: float = field(init=False)

    def __post_init__(self) -> None:
        shortest_s = UPDATES_TO_RESOLVE * self.source.update_period_s
        object.__setattr__(self, "shortest_window_s", shortest_s)


@dataclass(frozen=True, slots=True)
class GaugeNow:
    """One gauge and what it reads, in its unit; `value` is None for the reason given."""

    source: GaugeSource
    value: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Checkup(Result):
    """What this machine can measure.

    Attributes:
        scope: `machine` or `process`.
        watched_s: for how long power was read.
        power: of all domains that gave one, W; None where none did.
        domains: every meter that opened.
        unavailable: what exists and cannot be read, why, and what to do.
        gauges: utilization, memory, temperature.
    """

    SCHEMA: ClassVar[str] = "joulecast/doctor/1"

    scope: str
    watched_s: float
    power: Estimate | None
    domains: list[DomainNow]
    unavailable: list[Unavailable]
    gauges: list[GaugeNow]
    warnings: list[str]
    environment: Mapping[str, Any]

    @property
    def relative(self) -> tuple[float, float] | None:
        """How far the truth may lie below and above the total, as fractions of it."""
        if self.power is None or self.power.value <= 0:
            return None
        return 1 - self.power.low / self.power.value, self.power.high / self.power.value - 1


def total_power(domains: Sequence[DomainNow]) -> Estimate | None:
    """Power of all domains that gave one, W; None where none did."""
    return add_independent(d.power for d in domains if d.power is not None)


def power_now(source: Source, samples: Samples) -> DomainNow:
    """Mean power over the readings of one meter, with the meter's interval and its edges'."""
    if len(samples) < 2:
        return DomainNow(source, None, f"{len(samples)} of the readings succeeded, two are needed")
    start, end = float(samples.t_s[0]), float(samples.t_s[-1])
    energy = energy_between(samples, source, start, end)
    # There are readings, and time between them.
    assert energy is not None
    return DomainNow(source, energy.scaled(1 / (end - start), "W"))


def gauge_now(source: GaugeSource, samples: Samples) -> GaugeNow:
    """The last of the readings of a gauge; of one that counts, its slope over them."""
    if source.reason or not len(samples):
        return GaugeNow(source, None, source.reason or "it gives no reading now")
    value, t_s = samples.value.tolist(), samples.t_s.tolist()
    if source.kind is not ReadingKind.COUNTER:
        return GaugeNow(source, value[-1])
    if len(samples) < 2:
        return GaugeNow(source, None, "two readings are needed")
    return GaugeNow(source, (value[-1] - value[0]) / (t_s[-1] - t_s[0]))
