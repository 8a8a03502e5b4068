"""WattTime: the marginal intensity of a grid region, every five minutes.

API version 3, https://docs.watttime.org: `/login` (basic authentication) gives a token for half an
hour, `/v3/historical` the marginal operating emissions rate in pounds of CO2 per MWh, 32 days per
request. (`/v3/signal-index` is a percentile, not an intensity.) A marginal rate is what one more or
one fewer kWh causes: it compares times to run at, and is not a share of the grid's emissions, which
an inventory needs.
"""

import base64
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
    format_time,
    grams,
    nearest,
    parse_time,
)

G_PER_KWH = 0.45359237
"""Of one pound per MWh: the international pound is 453.59237 g exactly."""


class WattTime(LiveGrid):
    """The provider; zones are its grid regions: `CAISO_NORTH`, `PJM_DC`, `DE`."""

    name = "watttime"
    title = "WattTime"
    source = "WattTime, marginal operating emissions rate (MOER) of CO2, without life cycles"
    marginal = True
    url = "https://api.watttime.org"
    url_variable = "WATTTIME_API_URL"
    key_variables = ("WATTTIME_USER", "WATTTIME_PASSWORD")
    max_request_s = 30 * DAY_S
    _token: str | None = None

    def zone(self, zone: str | None, region: str | None) -> str:
        """The given region; a country is not a region."""
        if zone is None:
            raise UsageError(
                "--live-grid watttime: add the grid region, such as --zone CAISO_NORTH (which "
                "every account may read)"
            )
        return zone.strip().upper()

    def _latest(self, zone: str) -> IntensityPeriod:
        now = self._access.clock()
        periods = self._between(zone, now - 7200, now)
        if not periods:
            raise self._bad("without an intensity")
        return max(periods, key=lambda period: period.start_s)

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        start, end = format_time(start_s), format_time(end_s)
        query = {"region": zone, "signal_type": "co2_moer", "start": start, "end": end}
        answer = self._request(f"/v3/historical?{urlencode(query)}", zone)
        try:
            meta, rows = answer["meta"], answer["data"]
            units, period_s = meta["units"], grams(meta.get("data_point_period_seconds", 300))
            periods = [
                IntensityPeriod(at, at + period_s, G_PER_KWH * grams(row["value"]))
                for row in rows
                if row.get("value") is not None
                for at in [parse_time(row["point_time"])]
            ]
        except MALFORMED:
            raise self._bad("in an unknown form") from None
        if units != "lbs_co2_per_mwh":
            raise self._bad("in unknown units")
        return periods

    def _request(self, path: str, zone: str) -> Any:
        if self._token is None:
            self._token = self._login()
        try:
            url = f"{self._access.base_url}{path}"
            return self._access.http.get_json(url, self._authorization())
        except HttpError as error:
            if error.status != 401:
                raise self._failed(error, path, zone) from None
        # The token has expired.
        self._token = self._login()
        return self._get(path, zone, self._authorization())

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _login(self) -> str:
        secrets = self._access.secrets
        pair = f"{secrets['WATTTIME_USER']}:{secrets['WATTTIME_PASSWORD']}"
        headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        answer = self._get("/login", "", headers)
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable() and token):
            raise self._bad("the login without a token")
        return token

    def _refusal(self, status: int | None, path: str, zone: str) -> Exception | None:
        if path == "/login":
            if status not in (401, 403):
                return None
            return LiveGridError(
                "WattTime refuses the login: check WATTTIME_USER and WATTTIME_PASSWORD"
            )
        if status not in (400, 401, 403, 404):
            return None
        regions = self._regions()
        if status in (401, 403):
            return LiveGridError(
                f"WattTime: this account may not read {zone}{nearest(zone, regions)}: omit "
                "--live-grid, or request the region from WattTime"
            )
        if zone in regions:
            return self._bad(f"that it has no figure for {zone}")
        return UnknownZoneError(f"WattTime has no region {zone!r}{nearest(zone, regions)}")

    def _regions(self) -> list[str]:
        """Those that the account may read; none where that is unknown."""
        url = f"{self._access.base_url}/v3/my-access"
        try:
            answer = self._access.http.get_json(url, self._authorization())
            signals = answer["signal_types"]
            regions = [row["region"] for signal in signals for row in signal["regions"]]
        except (HttpError, KeyError, TypeError):
            return []
        return [name for name in regions if isinstance(name, str)]
