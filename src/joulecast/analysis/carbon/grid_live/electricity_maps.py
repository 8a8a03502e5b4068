"""Electricity Maps: the average intensity of a zone's consumption, hour by hour.

API version 3, https://portal.electricitymaps.com/developer-hub/api/reference: `latest` and
`history` (the last 24 hours) come with every plan, `past-range` (10 days per request) with paid
ones.
"""

from typing import Any
from urllib.parse import urlencode

from ....errors import UsageError
from ....http_client import HttpError
from ..intensity import IntensityPeriod
from .base import (
    DAY_S,
    MALFORMED,
    LiveGrid,
    LiveGridError,
    UnknownZoneError,
    country_code,
    format_time,
    grams,
    nearest,
    parse_time,
)

HOUR_S = 3600.0


class ElectricityMaps(LiveGrid):
    """The provider; zones are countries or parts of them: `DE`, `US-CAL-CISO`."""

    name = "electricitymaps"
    title = "Electricity Maps"
    source = "Electricity Maps, mean over life cycles of consumption (imports counted)"
    url = "https://api.electricitymaps.com"
    url_variable = "ELECTRICITYMAPS_API_URL"
    key_variables = ("ELECTRICITYMAPS_API_KEY",)
    max_request_s = 10 * DAY_S

    def zone(self, zone: str | None, region: str | None) -> str:
        """The given zone, or that of the country."""
        if zone is not None:
            return zone.strip().upper()
        if region is None:
            raise UsageError("--live-grid electricitymaps: add the zone, such as --zone DE")
        code = country_code(region)
        if not code:
            raise UsageError("--live-grid electricitymaps: the world is not a zone: add --zone DE")
        return code

    def country(self, zone: str) -> str | None:
        """`US` of `US-CAL-CISO`."""
        return zone.partition("-")[0]

    def _latest(self, zone: str) -> IntensityPeriod:
        row = self._request("latest", zone)
        try:
            return _period(row)
        except MALFORMED:
            raise self._bad("without an intensity") from None

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        hourly = {"temporalGranularity": "hourly"}
        if start_s >= self._access.clock() - DAY_S:
            answer = self._request("history", zone, **hourly)
        else:
            start, end = format_time(start_s), format_time(end_s)
            answer = self._request("past-range", zone, start=start, end=end, **hourly)
        rows = answer.get("history", answer.get("data"))
        if not isinstance(rows, list):
            raise self._bad("without a list of hours")
        periods = []
        for row in rows:
            try:
                periods.append(_period(row))
            except MALFORMED:
                # An hour without a figure, which the coverage accounts for.
                continue
        if rows and not periods:
            raise self._bad("without one intensity")
        return periods

    def _request(self, what: str, zone: str, **query: str) -> dict[str, Any]:
        # Without the switch, an unknown zone is answered with that of the caller's address.
        query = {"zone": zone, "disableCallerLookup": "true", **query}
        headers = {"auth-token": self._access.secrets["ELECTRICITYMAPS_API_KEY"]}
        answer = self._get(f"/v3/carbon-intensity/{what}?{urlencode(query)}", zone, headers)
        if not isinstance(answer, dict):
            raise self._bad("with something that is not an object")
        if answer.get("zone", zone) != zone:
            raise self._unknown(zone)
        return answer

    def _refusal(self, status: int | None, path: str, zone: str) -> Exception | None:
        if status in (400, 404):
            return self._unknown(zone)
        if status == 403 and "past-range" in path:
            return LiveGridError(
                f"{self.title}: the plan of this key has no figures older than a day: omit "
                "--live-grid, or give --carbon-intensity"
            )
        if status in (401, 403):
            return LiveGridError(
                f"{self.title} refuses the key for zone {zone}: check ELECTRICITYMAPS_API_KEY, "
                "and that its plan has this zone"
            )
        return None

    def _unknown(self, zone: str) -> Exception:
        """That there is no such zone; or, where there is, that the request was refused."""
        try:
            # The list of zones needs no key, so none is sent.
            zones = self._access.http.get_json(f"{self._access.base_url}/v3/zones")
        except HttpError:
            zones = None
        if not isinstance(zones, dict):
            hint = " (their names are on app.electricitymaps.com)"
        elif zone in zones:
            return self._bad(f"that it has no figure for {zone}")
        else:
            hint = nearest(zone, zones)
        return UnknownZoneError(f"{self.title} has no zone {zone!r}{hint}")


def _period(row: dict[str, Any]) -> IntensityPeriod:
    start_s = parse_time(row["datetime"])
    estimated = row.get("isEstimated") is True
    return IntensityPeriod(start_s, start_s + HOUR_S, grams(row["carbonIntensity"]), estimated)
