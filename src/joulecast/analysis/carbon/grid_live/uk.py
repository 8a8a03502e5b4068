"""The Carbon Intensity API of Great Britain: every half hour, of the country or of a postcode.

https://carbon-intensity.github.io/api-definitions (National Energy System Operator); no key. The
figures count the fuel burnt, imports and the losses of the network, but no life cycles. A half hour
that is not settled is a forecast, as is every regional one.
"""

import re
from typing import Any
from urllib.parse import quote

from ....errors import UsageError
from ..intensity import IntensityPeriod
from .base import (
    DAY_S,
    MALFORMED,
    LiveGrid,
    UnknownZoneError,
    country_code,
    format_time,
    grams,
    parse_time,
)

COUNTRY = "GB"
_OUTWARD = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(?:\s*\d[A-Z]{2})?")


class UnitedKingdom(LiveGrid):
    """The provider; a zone is `GB`, or the first half of a postcode: `RG10`."""

    name = "uk"
    title = "UK Carbon Intensity"
    source = "Carbon Intensity API (NESO), Great Britain, mean of consumption, without life cycles"
    url = "https://api.carbonintensity.org.uk"
    url_variable = "CARBON_INTENSITY_UK_API_URL"
    max_request_s = 13 * DAY_S

    def zone(self, zone: str | None, region: str | None) -> str:
        """Great Britain, or the outward half of a postcode; the other half is never sent."""
        if region is not None and country_code(region) != COUNTRY:
            raise UsageError(f"--live-grid uk: only Great Britain is available, not {region}")
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
        periods = self._request(path, zone)
        if not periods:
            raise self._bad("without an intensity")
        return periods[-1]

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        times = f"{format_time(start_s)}/{format_time(end_s)}"
        if zone == COUNTRY:
            return self._request(f"/intensity/{times}", zone)
        return self._request(f"/regional/intensity/{times}/postcode/{quote(zone)}", zone)

    def _request(self, path: str, zone: str) -> list[IntensityPeriod]:
        answer = self._get(path, zone)
        try:
            periods = [_period(row) for row in _rows(answer["data"])]
        except MALFORMED:
            raise self._bad("in an unknown form") from None
        return [period for period in periods if period is not None]

    def _refusal(self, status: int | None, path: str, zone: str) -> Exception | None:
        if status in (400, 404) and zone != COUNTRY:
            return UnknownZoneError(f"{self.title} has no postcode {zone}")
        return None


def _rows(data: Any) -> list[dict[str, Any]]:
    """The half hours: of the country a list, of a region within it, or within a list of one."""
    if isinstance(data, dict):
        return list(data["data"])
    if data and "data" in data[0]:
        return list(data[0]["data"])
    return list(data)


def _period(row: dict[str, Any]) -> IntensityPeriod | None:
    """None where the half hour has no figure."""
    actual, forecast = (row["intensity"].get(key) for key in ("actual", "forecast"))
    if actual is None and forecast is None:
        return None
    start_s, end_s = parse_time(row["from"]), parse_time(row["to"])
    value = forecast if actual is None else actual
    return IntensityPeriod(start_s, end_s, grams(value), estimated=actual is None)
