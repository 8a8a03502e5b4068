"""Electricity Maps: the mean intensity of a zone's consumption, hour by hour.

API version 3, https://portal.electricitymaps.com/developer-hub/api/reference: `latest` and
`history` (the last 24 hours) come with every plan, `past-range` (10 days at once) with paid ones.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from ....errors import UnknownHardwareError, UsageError
from ....hardware.catalog.grids import find_grid
from ....http_client import HttpError
from ..intensity import IntensityPeriod
from .base import DAY_S, LiveGrid, LiveGridError, UnknownZoneError, grams, instant, nearest, written

HOUR_S = 3600.0


class ElectricityMaps(LiveGrid):
    """The provider; zones are countries or parts of them: `DE`, `US-CAL-CISO`."""

    name = "electricitymaps"
    title = "Electricity Maps"
    source = "Electricity Maps, mean over life cycles of consumption (imports counted)"
    url = "https://api.electricitymaps.com"
    url_variable = "ELECTRICITYMAPS_API_URL"
    key_variables = ("ELECTRICITYMAPS_API_KEY",)
    longest_s = 10 * DAY_S

    def zone(self, zone: str | None, region: str | None) -> str:
        """The zone named, or the country's."""
        if zone is not None:
            return zone.strip().upper()
        if region is None:
            raise UsageError("--live-grid electricitymaps: name the grid, with --zone DE")
        try:
            code = find_grid(region).code2
        except UnknownHardwareError as error:
            raise UsageError(f"--region {region}: {error}") from None
        if not code:
            raise UsageError("--live-grid electricitymaps: the world is no zone: add --zone DE")
        return code

    def country(self, zone: str) -> str | None:
        """`US` of `US-CAL-CISO`."""
        return zone.partition("-")[0]

    def _latest(self, zone: str) -> IntensityPeriod:
        row = self._ask("latest", zone)
        try:
            return _interval(row)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._bad("without an intensity") from None

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        if start_s >= self._access.clock() - DAY_S:
            answer = self._ask("history", zone)
        else:
            answer = self._ask("past-range", zone, start=written(start_s), end=written(end_s))
        rows = answer.get("history", answer.get("data"))
        if not isinstance(rows, list):
            raise self._bad("without a list of hours")
        found = []
        for row in rows:
            try:
                found.append(_interval(row))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # an hour that is not known; the coverage says so
        if rows and not found:
            raise self._bad("without one intensity")
        return found

    def _ask(self, what: str, zone: str, **query: str) -> dict[str, Any]:
        # Without the switch an unknown zone is answered with that of the caller's address.
        asked = {"zone": zone, "disableCallerLookup": "true", **query}
        if what != "latest":
            asked["temporalGranularity"] = "hourly"
        url = f"{self._access.base_url}/v3/carbon-intensity/{what}?{urlencode(asked)}"
        headers = {"auth-token": self._access.secrets["ELECTRICITYMAPS_API_KEY"]}
        try:
            answer = self._access.http.get_json(url, headers)
        except HttpError as error:
            raise self._failed(error, what, zone) from None
        if not isinstance(answer, dict):
            raise self._bad("what is no object")
        if answer.get("zone", zone) != zone:
            raise self._unknown(zone)
        return answer

    def _failed(self, error: HttpError, what: str, zone: str) -> Exception:
        if error.status in (400, 404):
            return self._unknown(zone)
        if error.status == 401 or (error.status == 403 and what != "past-range"):
            return LiveGridError(
                f"{self.title} refuses the key for zone {zone}: check ELECTRICITYMAPS_API_KEY, "
                "and that its plan has this zone"
            )
        if error.status == 403:
            return LiveGridError(
                f"{self.title}: the plan of this key has no figures older than a day: "
                "leave --live-grid out, or give --carbon-intensity"
            )
        return LiveGridError(f"{error}: try again later, or leave --live-grid out")

    def _unknown(self, zone: str) -> Exception:
        """That there is no such zone; or, where there is, that the question was refused."""
        try:  # needs no key, so none is sent
            known = self._access.http.get_json(f"{self._access.base_url}/v3/zones")
        except HttpError:
            known = None
        if not isinstance(known, dict):
            near = " (see app.electricitymaps.com for their names)"
            return UnknownZoneError(f"{self.title} knows no zone {zone!r}{near}")
        if zone in known:
            return self._bad(f"that it has nothing of {zone}")
        return UnknownZoneError(f"{self.title} knows no zone {zone!r}{nearest(zone, known)}")


def _interval(row: dict[str, Any]) -> IntensityPeriod:
    start = instant(row["datetime"])
    estimated = row.get("isEstimated") is True
    return IntensityPeriod(start, start + HOUR_S, grams(row["carbonIntensity"]), estimated)
