"""What every provider of live carbon intensity can do, and how it fails."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, ClassVar

from ....errors import JoulecastError, UsageError
from ....http_client import HttpClient
from ....units import one_line
from ..intensity import IntensityPeriod, IntensitySeries, ordered
from .cache import Cache

DAY_S = 86400.0


class LiveGridError(JoulecastError):
    """A provider did not give what was asked; the text says why and what to do."""


class UnknownZoneError(UsageError):
    """The provider knows no such zone; the text names the nearest."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a provider is reached: its server, the user's secrets, and what talks to it."""

    http: HttpClient
    cache: Cache
    base_url: str
    secrets: Mapping[str, str] = field(repr=False)
    clock: Callable[[], float]  # seconds since 1970


class LiveGrid(ABC):
    """A provider. Each of its answers is cached; each failure is a `LiveGridError`."""

    name: ClassVar[str]  # as people write it: "electricitymaps"
    title: ClassVar[str]
    source: ClassVar[str]  # what the figures are, and whose
    marginal: ClassVar[bool] = False
    url: ClassVar[str]
    url_variable: ClassVar[str]
    key_variables: ClassVar[tuple[str, ...]] = ()
    longest_s: ClassVar[float]  # that one question may span

    def __init__(self, access: Access) -> None:
        self._access = access

    @abstractmethod
    def zone(self, zone: str | None, region: str | None) -> str:
        """The provider's own name of a zone, from what the user named. Raises `UsageError`."""

    def country(self, zone: str) -> str | None:
        """The country that a zone lies in, for hours that are not known; None: no telling."""
        return None

    @abstractmethod
    def _latest(self, zone: str) -> IntensityPeriod:
        """Ask for the newest intensity."""

    @abstractmethod
    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        """Ask for a stretch of the past, no longer than `longest_s`."""

    def latest(self, zone: str) -> IntensitySeries:
        """The newest intensity of a zone, up to five minutes old. Raises `LiveGridError`."""
        found = self._access.cache.load(self._key(zone, "latest"), max_age_s=300)
        if found is None:
            found = [self._latest(zone)]
            self._access.cache.store(self._key(zone, "latest"), found)
        return self._series(zone, found)

    def between(self, zone: str, start_s: float, end_s: float) -> IntensitySeries:
        """The intensity of a zone over a stretch of the past, seconds since 1970.

        What the provider does not know is missing. Raises `LiveGridError`.
        """
        now = self._access.clock()
        intervals: list[IntensityPeriod] = []
        for a, b in _pieces(start_s, min(end_s, now), self.longest_s):
            key = self._key(zone, f"{a:.0f}-{b:.0f}")
            # Figures of the last days are still revised.
            found = self._access.cache.load(key, 30 * DAY_S if b < now - 7 * DAY_S else 600)
            if found is None:
                found = [i for i in self._between(zone, a, b) if i.end_s > a and i.start_s < b]
                self._access.cache.store(key, found)
            intervals += found
        return self._series(zone, intervals)

    def _series(self, zone: str, intervals: list[IntensityPeriod]) -> IntensitySeries:
        return IntensitySeries(zone, ordered(intervals), self.title, self.source, self.marginal)

    def _key(self, zone: str, what: str) -> tuple[str, ...]:
        return (self.name, self._access.base_url, zone, what)

    def _bad(self, what: str) -> LiveGridError:
        return LiveGridError(
            f"{self.title} answered {what}: try again later, or leave --live-grid out"
        )


def _pieces(start_s: float, end_s: float, longest_s: float) -> Iterator[tuple[float, float]]:
    """A stretch in whole hours around it, cut so that no piece is too long."""
    a, last = math.floor(start_s / 3600) * 3600.0, math.ceil(end_s / 3600) * 3600.0
    while a < last:
        b = min(a + longest_s, last)
        yield a, b
        a = b


def nearest(zone: str, known: Iterable[str]) -> str:
    """`; the nearest are DE, DK-DK1`, or nothing where none is near."""
    names = {name.casefold(): one_line(name, 40) for name in known}
    near = get_close_matches(zone.casefold(), names, n=3, cutoff=0.4)
    return f"; the nearest are {', '.join(names[name] for name in near)}" if near else ""


def instant(text: Any) -> float:
    """Seconds since 1970 of a time as the providers write it (ISO 8601, UTC where it is not said).

    Raises `ValueError`.
    """
    if not isinstance(text, str):
        raise ValueError("no time")
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def written(t_s: float) -> str:
    """A time as the providers read it: `2026-01-31T12:00Z`."""
    return datetime.fromtimestamp(t_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def grams(value: Any) -> float:
    """An intensity that is a number, finite and not negative. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"an intensity of {value:g}")
    return float(value)
