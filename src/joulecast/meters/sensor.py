"""What all meters that read a real sensor have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from .base import Meter, Reading, Source, Unavailable
from .counter import Unwrap

Clock = Callable[[], float]
"""Seconds, never falling: `time.monotonic`, or a test's own."""


class SensorMeter(Meter):
    """A meter of a whole domain, which belongs to the run; as uncertain as `_bounds`, its source's.

    A subclass that reads a raw counter sets `_unwrap`.
    """

    _unwrap: Unwrap | None = None

    def __init__(self, source: Source, clock: Clock) -> None:
        self.source = source
        self._bounds = source.uncertainty
        self._clock = clock
        self._opened_s = clock()
        self._last: Reading | None = None

    @abstractmethod
    def _value(self, t_s: float) -> float | None:
        """Joules since opening, or watts, at the instant `t_s`; None where that is not known yet.

        Not-a-number is no reading. Raises `MeterLostError`.
        """

    def read(self) -> Reading:
        """A reading at this instant, or the last one once more. Raises `MeterLostError`."""
        t_s = self._clock()
        value = self._value(t_s)
        if value is None:
            # It was known at the first reading.
            assert self._last is not None
            return self._last
        low, high = value * (1 - self._bounds.low), value * (1 + self._bounds.high)
        self._last = Reading(t_s, value, low, high, held_s=t_s - self._opened_s)
        return self._last

    def note(self) -> str | None:
        """Resets of the counter since the last call, or None."""
        return self._unwrap.note() if self._unwrap else None


@dataclass(slots=True)
class Discovery:
    """What can be measured here, what cannot and why, and warnings about the figures."""

    meters: list[Meter] = field(default_factory=list)
    unavailable: list[Unavailable] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def lacking(self) -> dict[str, str]:
        """Why each domain that a total lacks cannot be read, and what to do.

        Of a whole family the key is `gpu`.
        """
        return {
            u.domain.partition(" ")[0]: f"{u.reason}; try: {u.remedy}" if u.remedy else u.reason
            for u in self.unavailable
            if u.is_lacking
        }

    def add(self, other: Discovery) -> None:
        """Add what another source has."""
        self.meters += other.meters
        self.unavailable += other.unavailable
        self.warnings += other.warnings
