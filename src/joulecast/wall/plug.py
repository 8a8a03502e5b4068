"""Smart plugs, asked over their local HTTP interface: what the machine draws at the wall.

Nothing but the plug named is asked, without a proxy and without following redirects.

Formats: Shelly Gen1 (https://shelly-api-docs.shelly.cloud/gen1/), `/meter/N` with `power` in watts;
Shelly Gen2 and later (https://shelly-api-docs.shelly.cloud/gen2/), `/rpc/Switch.GetStatus` or
`/rpc/PM1.GetStatus` with `apower` in watts; Tasmota (https://tasmota.github.io/docs/Commands/),
`Status 8` with `StatusSNS.ENERGY.Power` in watts, a list of them where it has several channels.
"""

from __future__ import annotations

import http.client
import json
import math
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from ..errors import JoulecastError, UsageError

SCHEMES = ("shelly", "tasmota")
TIMEOUT_S = 3.0
_LARGEST = 1 << 18  # bytes of an answer


class PlugError(JoulecastError):
    """A plug does not answer, or not with what it should."""


@dataclass(frozen=True, slots=True)
class Address:
    """`shelly://[user:password@]host[:port][/channel]`, as its parts."""

    scheme: str
    host: str  # with the port
    channel: int = 0
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        """For people: never with the password."""
        return f"{self.scheme}://{self.host}" + (f"/{self.channel}" if self.channel else "")


def parse_plug(text: str) -> Address:
    """The address of a plug. Raises `UsageError`."""
    example = "shelly://192.168.1.20 or tasmota://192.168.1.21"
    # What was typed is not repeated: a password may stand in it.
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError(f"--plug: it cannot be read: write it as {example}") from None
    if parts.scheme not in SCHEMES:
        raise UsageError(f"--plug: write it as {example}")
    channel = parts.path.strip("/") or "0"
    if not parts.hostname or not channel.isdecimal() or parts.query or parts.fragment:
        raise UsageError(f"--plug: write it as {example}, with /1 behind it for the second channel")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    host = host if port is None else f"{host}:{port}"
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Address(parts.scheme, host, int(channel), user, password)


class Plug:
    """One plug. `power_w` asks it; safe to be called from one thread at a time."""

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        self._timeout_s = timeout_s
        # No proxy: the plug is in the house, and its password must not leave it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        self._ask: Callable[[], float] | None = None

    def power_w(self) -> float:
        """Watts now. Raises `PlugError`."""
        if self._ask is None:
            self._ask = self._shelly() if self.address.scheme == "shelly" else self._tasmota
        watts = self._ask()
        if not (math.isfinite(watts) and watts >= 0):
            raise PlugError(f"plug {self.address}: {watts:g} W cannot be the power of a machine")
        return watts

    def _shelly(self) -> Callable[[], float]:
        """How this one is asked: by its generation, and by what it is."""
        about = self._get("/shelly")
        channel = self.address.channel
        if not isinstance(about.get("gen"), int) or about["gen"] < 2:
            return lambda: self._gen1(channel)
        for component in ("Switch", "PM1"):
            path = f"/rpc/{component}.GetStatus?id={channel}"
            try:
                status = self._get(path)
            except _NotThereError:
                continue
            if "apower" in status:
                return lambda: self._number(self._get(path), "apower")
        raise PlugError(f"plug {self.address}: it has no channel {channel} that measures power")

    def _gen1(self, channel: int) -> float:
        try:
            status = self._get(f"/meter/{channel}")
        except _NotThereError:
            raise PlugError(
                f"plug {self.address}: it has no channel {channel} that measures power"
            ) from None
        if status.get("is_valid") is False:
            raise PlugError(f"plug {self.address}: it says its own reading is not valid")
        return self._number(status, "power")

    def _tasmota(self) -> float:
        query = {"cmnd": "Status 8"}
        if self.address.password is not None:  # where its web interface asks for one
            query = {
                "user": self.address.user or "admin",
                "password": self.address.password,
            } | query
        answer = self._get("/cm?" + urlencode(query, quote_via=quote))
        if "WARNING" in answer:
            raise self._refused()
        sensors = answer.get("StatusSNS")
        energy = sensors.get("ENERGY") if isinstance(sensors, dict) else None
        if not isinstance(energy, dict):
            raise PlugError(f"plug {self.address}: it measures no power (no StatusSNS.ENERGY)")
        power = energy.get("Power")
        if isinstance(power, list):
            if self.address.channel >= len(power):
                raise PlugError(
                    f"plug {self.address}: it has {len(power)} channels, numbered from 0"
                )
            return self._number({"Power": power[self.address.channel]}, "Power")
        return self._number(energy, "Power")

    def _number(self, answer: dict[str, Any], key: str) -> float:
        value = answer.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PlugError(f"plug {self.address}: its answer has no number {key!r}")
        return float(value)

    def _get(self, path: str) -> dict[str, Any]:
        address = self.address
        request = urllib.request.Request(f"http://{address.host}{path}")
        if address.password is not None and address.scheme == "shelly":
            pair = f"{address.user or 'admin'}:{address.password}".encode()
            request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                body = response.read(_LARGEST + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (401, 403):
                raise self._refused() from None
            if error.code in (404, 500):  # Gen2 says 500 or 404 of a component it does not have
                raise _NotThereError(
                    f"plug {address}: it does not know {path.partition('?')[0]} "
                    f"(HTTP {error.code}): is it a {address.scheme}?"
                ) from None
            raise PlugError(f"plug {address}: it answers with HTTP {error.code}") from None
        except TimeoutError:
            raise self._silent("it does not answer") from None
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._silent("it does not answer") from None
            raise self._silent(getattr(reason, "strerror", None) or str(reason)) from None
        except http.client.HTTPException as error:
            raise self._silent(f"this is not HTTP: {type(error).__name__}") from None
        try:
            answer = json.loads(body) if len(body) <= _LARGEST else None
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise PlugError(f"plug {address}: its answer is no JSON object: is it a plug?")
        return answer

    def _silent(self, why: str) -> PlugError:
        return PlugError(
            f"plug {self.address}: {why}: check its address, and that this machine is in "
            "its network"
        )

    def _refused(self) -> PlugError:
        if self.address.password is not None:
            return PlugError(f"plug {self.address}: it refuses this user and password")
        scheme, host = self.address.scheme, self.address.host
        return PlugError(
            f"plug {self.address}: it asks for a password: {scheme}://user:password@{host}, or "
            "switch its authentication off (newer Shellys ask in a way that is not spoken here)"
        )


class _NotThereError(PlugError):
    """The plug knows no such path."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: a plug that sends us elsewhere is answered with its own status code."""
