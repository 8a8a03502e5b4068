"""The Carbon Intensity API of Great Britain: every half hour, of the country or of a postcode.

https://carbon-intensity.github.io/api-definitions (National Energy System Operator); no key. The
figures count the fuel burnt, imports and the network's losses, no life cycles; a half hour that is
not settled, and every regional one, is a forecast.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from ....errors import UnknownHardwareError, UsageError
from ....hardware.catalog.grids import find_grid
from ....http_client import HttpError
from ..intensity import IntensityPeriod
from .base import DAY_S, LiveGrid, LiveGridError, UnknownZoneError, grams, instant, written

COUNTRY = "GB"
_OUTWARD = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(?:\s*\d[A-Z]{2})?")


class UnitedKingdom(LiveGrid):
    """The provider; a zone is `GB`, or the first half of a postcode: `RG10`."""

    name = "uk"
    title = "UK Carbon Intensity"
    source = "Carbon Intensity API (NESO), Great Britain, mean of consumption, without life cycles"
    url = "https://api.carbonintensity.org.uk"
    url_variable = "CARBON_INTENSITY_UK_API_URL"
    longest_s = 13 * DAY_S

    def zone(self, zone: str | None, region: str | None) -> str:
        """Great Britain, or the outward half of a postcode; the rest of it is never sent."""
        try:
            if region is not None and find_grid(region).code2 != COUNTRY:
                raise UsageError(f"--live-grid uk knows Great Britain alone, not {region}")
        except UnknownHardwareError as error:
            raise UsageError(f"--region {region}: {error}") from None
        if zone is None or zone.strip().upper() in (COUNTRY, "UK"):
            return COUNTRY
        match = _OUTWARD.fullmatch(zone.strip().upper())
        if match is None:
            raise UsageError(f"--zone {zone}: write GB, or a postcode of Great Britain like RG10")
        return match[1]

    def country(self, zone: str) -> str | None:
        """Great Britain, whatever the postcode."""
        return COUNTRY

    def _latest(self, zone: str) -> IntensityPeriod:
        path = "/intensity" if zone == COUNTRY else f"/regional/postcode/{quote(zone)}"
        found = self._ask(path, zone)
        if not found:
            raise self._bad("without an intensity")
        return found[-1]

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        times = f"{written(start_s)}/{written(end_s)}"
        if zone == COUNTRY:
            return self._ask(f"/intensity/{times}", zone)
        return self._ask(f"/regional/intensity/{times}/postcode/{quote(zone)}", zone)

    def _ask(self, path: str, zone: str) -> list[IntensityPeriod]:
        try:
            answer = self._access.http.get_json(f"{self._access.base_url}{path}")
        except HttpError as error:
            if error.status in (400, 404) and zone != COUNTRY:
                raise UnknownZoneError(f"{self.title} knows no postcode {zone}") from None
            raise LiveGridError(f"{error}: try again later, or leave --live-grid out") from None
        try:
            return [_interval(row) for row in _rows(answer["data"]) if _known(row)]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad("in a form that is not known") from None


def _rows(data: Any) -> list[dict[str, Any]]:
    """The half hours: of the country a list, of a region within it, or within a list of one."""
    if isinstance(data, dict):
        return list(data["data"])
    if data and "data" in data[0]:
        return list(data[0]["data"])
    return list(data)


def _known(row: dict[str, Any]) -> bool:
    figures = row["intensity"]
    return figures.get("actual") is not None or figures.get("forecast") is not None


def _interval(row: dict[str, Any]) -> IntensityPeriod:
    figures = row["intensity"]
    settled = figures.get("actual")
    value = figures["forecast"] if settled is None else settled
    return IntensityPeriod(instant(row["from"]), instant(row["to"]), grams(value), settled is None)
