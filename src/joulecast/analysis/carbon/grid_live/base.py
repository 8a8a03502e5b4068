"""What every provider of live carbon intensity does, and how it fails."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, ClassVar

from ....errors import JoulecastError, UnknownHardwareError, UsageError
from ....hardware.catalog.grids import find_grid
from ....http_client import HttpClient, HttpError
from ....units import one_line
from ..intensity import IntensityPeriod, IntensitySeries, ordered
from .cache import Cache

DAY_S = 86400.0

# What reading an answer of another form than expected raises.
MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


class LiveGridError(JoulecastError):
    """A provider did not give an intensity."""


class UnknownZoneError(UsageError):
    """The provider has no such zone; the text names the nearest."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a provider is reached; `clock` gives seconds since 1970."""

    http: HttpClient
    cache: Cache
    base_url: str
    secrets: Mapping[str, str] = field(repr=False)
    clock: Callable[[], float]


class LiveGrid(ABC):
    """A provider of carbon intensity. Its answers are cached; its failures are `LiveGridError`.

    `source` describes its figures; `url_variable` and `key_variables` are the environment variables
    with another address of its server and with the user's key.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    marginal: ClassVar[bool] = False
    url: ClassVar[str]
    url_variable: ClassVar[str]
    key_variables: ClassVar[tuple[str, ...]] = ()
    max_request_s: ClassVar[float]

    def __init__(self, access: Access) -> None:
        self._access = access

    @abstractmethod
    def zone(self, zone: str | None, region: str | None) -> str:
        """The provider's own name of a zone, from what the user gave. Raises `UsageError`."""

    def country(self, zone: str) -> str | None:
        """The country of a zone, for hours without a figure; None: unknown."""
        return None

    @abstractmethod
    def _latest(self, zone: str) -> IntensityPeriod:
        """Request the latest intensity."""

    @abstractmethod
    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        """Request a period of the past, no longer than `max_request_s`."""

    def latest(self, zone: str) -> IntensitySeries:
        """The latest intensity of a zone, up to five minutes old. Raises `LiveGridError`."""
        key = self._key(zone, "latest")
        periods = self._access.cache.load(key, max_age_s=300)
        if periods is None:
            periods = [self._latest(zone)]
            self._access.cache.store(key, periods)
        return self._series(zone, periods)

    def between(self, zone: str, start_s: float, end_s: float) -> IntensitySeries:
        """The intensity of a zone over a period of the past, seconds since 1970.

        Hours that the provider has no figure for are missing. Raises `LiveGridError`.
        """
        now = self._access.clock()
        periods: list[IntensityPeriod] = []
        for a, b in _requests(start_s, min(end_s, now), self.max_request_s):
            key = self._key(zone, f"{a:.0f}-{b:.0f}")
            # The figures of the last days may still be revised.
            part = self._access.cache.load(key, 30 * DAY_S if b < now - 7 * DAY_S else 600)
            if part is None:
                part = [p for p in self._between(zone, a, b) if p.end_s > a and p.start_s < b]
                self._access.cache.store(key, part)
            periods += part
        return self._series(zone, periods)

    def _series(self, zone: str, periods: list[IntensityPeriod]) -> IntensitySeries:
        return IntensitySeries(zone, ordered(periods), self.title, self.source, self.marginal)

    def _key(self, zone: str, what: str) -> tuple[str, ...]:
        return (self.name, self._access.base_url, zone, what)

    def _get(self, path: str, zone: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON document at a path of the server. Raises `LiveGridError` or `UsageError`."""
        try:
            return self._access.http.get_json(f"{self._access.base_url}{path}", headers)
        except HttpError as error:
            raise self._failed(error, path, zone) from None

    def _failed(self, error: HttpError, path: str, zone: str) -> Exception:
        refusal = self._refusal(error.status, path, zone)
        return refusal or LiveGridError(f"{error}: try again later, or omit --live-grid")

    def _refusal(self, status: int | None, path: str, zone: str) -> Exception | None:
        """The meaning of an HTTP status; None: there is none for the user."""
        return None

    def _bad(self, problem: str) -> LiveGridError:
        return LiveGridError(
            f"{self.title} answered {problem}: try again later, or omit --live-grid"
        )


def _requests(start_s: float, end_s: float, longest_s: float) -> Iterator[tuple[float, float]]:
    """A period, extended to whole hours, in parts that are not too long."""
    a, last = math.floor(start_s / 3600) * 3600.0, math.ceil(end_s / 3600) * 3600.0
    while a < last:
        b = min(a + longest_s, last)
        yield a, b
        a = b


def country_code(region: str) -> str | None:
    """`DE` of a country; None of the world. Raises `UsageError`."""
    try:
        return find_grid(region).code2
    except UnknownHardwareError as error:
        raise UsageError(f"--region {region}: {error}") from None


def nearest(zone: str, zones: Iterable[str]) -> str:
    """`; the nearest are DE, DK-DK1`, or nothing where none is near."""
    names = {name.casefold(): one_line(name, 40) for name in zones}
    near = get_close_matches(zone.casefold(), names, n=3, cutoff=0.4)
    return f"; the nearest are {', '.join(names[name] for name in near)}" if near else ""


def parse_time(text: Any) -> float:
    """Seconds since 1970 of an ISO 8601 time, UTC where it has no zone. Raises `ValueError`."""
    if not isinstance(text, str):
        raise ValueError("not a time")
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def format_time(t_s: float) -> str:
    """A time as the providers read it: `2026-01-31T12:00Z`."""
    return datetime.fromtimestamp(t_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def grams(value: Any) -> float:
    """An intensity, finite and not negative. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"an intensity of {value:g}")
    return float(value)
