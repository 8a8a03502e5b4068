"""WattTime: the marginal intensity of a grid region, every five minutes.

API version 3, https://docs.watttime.org: `/login` (basic authentication) gives a token of half an
hour, `/v3/historical` the marginal operating emissions rate in pounds of CO2 per MWh, 32 days at
once. `/v3/signal-index` is a percentile, no intensity, and of no use here. A marginal rate says
what one more or one fewer kWh causes: it compares moments to run at, and is no share of a grid's
emissions, which an inventory wants.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

from ....errors import UsageError
from ....http_client import HttpError
from ..intensity import IntensityPeriod
from .base import DAY_S, LiveGrid, LiveGridError, UnknownZoneError, grams, instant, nearest, written

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
    longest_s = 30 * DAY_S
    _token: str | None = None

    def zone(self, zone: str | None, region: str | None) -> str:
        """The region named; a country is none."""
        if zone is None:
            raise UsageError(
                "--live-grid watttime: name its grid region, with --zone CAISO_NORTH "
                "(the one that every account may see)"
            )
        return zone.strip().upper()

    def _latest(self, zone: str) -> IntensityPeriod:
        now = self._access.clock()
        found = self._between(zone, now - 7200, now)
        if not found:
            raise self._bad("without an intensity")
        return max(found, key=lambda interval: interval.start_s)

    def _between(self, zone: str, start_s: float, end_s: float) -> list[IntensityPeriod]:
        query = {
            "region": zone,
            "signal_type": "co2_moer",
            "start": written(start_s),
            "end": written(end_s),
        }
        answer = self._ask(f"/v3/historical?{urlencode(query)}", zone)
        try:
            meta, rows = answer["meta"], answer["data"]
            units, period = meta["units"], grams(meta.get("data_point_period_seconds", 300))
            found = [
                IntensityPeriod(at, at + period, G_PER_KWH * grams(row["value"]))
                for row in rows
                if row.get("value") is not None
                for at in [instant(row["point_time"])]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad("in a form that is not known") from None
        if units != "lbs_co2_per_mwh":
            raise self._bad("in units that are not known")
        return found

    def _ask(self, path: str, zone: str) -> Any:
        for again in (True, False):
            try:
                if self._token is None:
                    self._token = self._login()
                headers = {"Authorization": f"Bearer {self._token}"}
                return self._access.http.get_json(f"{self._access.base_url}{path}", headers)
            except HttpError as error:
                if error.status == 401 and again:  # the token has run out
                    self._token = None
                    continue
                raise self._failed(error, zone) from None
        raise AssertionError("unreachable")

    def _login(self) -> str:
        secrets = self._access.secrets
        pair = f"{secrets['WATTTIME_USER']}:{secrets['WATTTIME_PASSWORD']}"
        headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        try:
            answer = self._access.http.get_json(f"{self._access.base_url}/login", headers)
        except HttpError as error:
            if error.status in (401, 403):
                raise LiveGridError(
                    "WattTime refuses the login: check WATTTIME_USER and WATTTIME_PASSWORD"
                ) from None
            raise LiveGridError(f"{error}: try again later, or leave --live-grid out") from None
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable() and token):
            raise self._bad("the login without a token")
        return token

    def _failed(self, error: HttpError, zone: str) -> Exception:
        known = self._regions() if error.status in (400, 401, 403, 404) else []
        if error.status in (400, 404):
            if zone in known:
                return self._bad(f"that it has nothing of {zone}")
            return UnknownZoneError(f"WattTime knows no region {zone!r}{nearest(zone, known)}")
        if error.status in (401, 403):
            return LiveGridError(
                f"WattTime: this account may not see {zone}{nearest(zone, known)}: "
                "leave --live-grid out, or ask them for the region"
            )
        return LiveGridError(f"{error}: try again later, or leave --live-grid out")

    def _regions(self) -> list[str]:
        """Those that the account may see; none where it does not say."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = self._access.http.get_json(f"{self._access.base_url}/v3/my-access", headers)
            signals = answer["signal_types"]
            known = [row["region"] for signal in signals for row in signal["regions"]]
        except (HttpError, KeyError, TypeError):
            return []
        return [name for name in known if isinstance(name, str)]
