"""What a machine can measure, as plain data: the meters, what they say now, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..meters.base import GaugeSource, Reading, ReadingKind, Source, Unavailable
from ..recording.integrate import UPDATES_TO_RESOLVE, energy_between
from ..recording.sampler import to_samples
from ..units import Estimate, add_independent

SCHEMA = "joulecast/doctor/1"


@dataclass(frozen=True, slots=True)
class DomainNow:
    """One meter and the mean power it gave; `power` is None for the reason given."""

    source: Source
    power: Estimate | None
    reason: str = ""

    @property
    def shortest_s(self) -> float:
        """The shortest window that this meter resolves, s."""
        return UPDATES_TO_RESOLVE * self.source.update_period_s


@dataclass(frozen=True, slots=True)
class GaugeNow:
    """One gauge and what it says, in its unit; `value` is None for the reason given."""

    source: GaugeSource
    value: float | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in `joulecast/doctor/1`."""
        return {
            "name": self.source.domain,
            "value": self.value,
            "unit": self.source.unit,
            "source": self.source.source,
            "provenance": str(self.source.provenance),
            "device": self.source.device,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that `joulecast doctor` says."""

    scope: str
    watched_s: float  # for how long power was read
    domains: list[DomainNow]
    unavailable: list[Unavailable]
    warnings: list[str]
    environment: Mapping[str, Any]
    gauges: list[GaugeNow] = field(default_factory=list)

    @property
    def total(self) -> Estimate | None:
        """Power of all domains that gave one, or None."""
        return add_independent(d.power for d in self.domains if d.power is not None)

    @property
    def relative(self) -> tuple[float, float] | None:
        """How far the truth may lie below and above the total, as fractions of it."""
        total = self.total
        if total is None or total.value <= 0:
            return None
        return 1 - total.low / total.value, total.high / total.value - 1

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/doctor/1`."""
        total, relative = self.total, self.relative
        return {
            "schema": SCHEMA,
            "scope": self.scope,
            "watched_s": self.watched_s,
            "power": total.to_json() if total else None,
            "uncertainty": dict(zip(("low", "high"), relative, strict=True)) if relative else None,
            "domains": [
                d.source.to_json()
                | {
                    "shortest_window_s": d.shortest_s,
                    "power": d.power.to_json() if d.power else None,
                    "reason": d.reason or None,
                }
                for d in self.domains
            ],
            "gauges": [gauge.to_json() for gauge in self.gauges],
            "unavailable": [asdict(u) for u in self.unavailable],
            "warnings": self.warnings,
            "environment": dict(self.environment),
        }


def power_now(source: Source, readings: Sequence[Reading]) -> DomainNow:
    """Mean power over the readings of one meter, with the meter's interval and its edges'."""
    if len(readings) < 2 or readings[-1].t_s <= readings[0].t_s:
        return DomainNow(source, None, f"{len(readings)} of the readings succeeded, two are needed")
    start, end = readings[0].t_s, readings[-1].t_s
    energy = energy_between(to_samples(list(readings)), source, start, end)
    assert energy is not None  # there are readings, and time between them
    e, s = energy, end - start
    return DomainNow(source, Estimate(e.value / s, e.low / s, e.high / s, "W", e.provenance))


def gauge_now(source: GaugeSource, readings: Sequence[Reading]) -> GaugeNow:
    """The last of the readings of a gauge; of one that counts, its slope over them."""
    if source.reason:
        return GaugeNow(source, None, source.reason)
    if not readings:
        return GaugeNow(source, None, "it has nothing to say now")
    first, last = readings[0], readings[-1]
    if source.kind is not ReadingKind.COUNTER:
        return GaugeNow(source, last.value)
    if last.t_s <= first.t_s:
        return GaugeNow(source, None, "two readings are needed")
    return GaugeNow(source, (last.value - first.value) / (last.t_s - first.t_s))
