"""Smart plugs, read over their local HTTP interface: what the machine draws at the wall.

Only the given plug is contacted: no proxy is used, no redirect to another server is followed.

Formats: Shelly Gen1 (https://shelly-api-docs.shelly.cloud/gen1/), `/meter/N` with `power` in watts;
Shelly Gen2 and later (https://shelly-api-docs.shelly.cloud/gen2/), `/rpc/Switch.GetStatus` or
`/rpc/PM1.GetStatus` with `apower` in watts; Tasmota (https://tasmota.github.io/docs/Commands/),
`Status 8` with `StatusSNS.ENERGY.Power` in watts, a list of them where it has several channels.
"""

import math
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from ..errors import JoulecastError, UsageError
from ..http_client import HttpClient, HttpError

SCHEMES = ("shelly", "tasmota")
TIMEOUT_S = 3.0
_MAX_BYTES = 1 << 18


class PlugError(JoulecastError):
    """A plug does not answer, or its answer has no power."""


@dataclass(frozen=True, slots=True)
class Address:
    """`shelly://[user:password@]host[:port][/channel]`, as its parts; `host` has the port."""

    scheme: str
    host: str
    channel: int = 0
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        """The address without its password, for people."""
        return f"{self.scheme}://{self.host}" + (f"/{self.channel}" if self.channel else "")


def parse_plug(text: str) -> Address:
    """The address of a plug. Raises `UsageError`."""
    example = "shelly://192.168.1.20 or tasmota://192.168.1.21"
    # Errors do not repeat the text, because it may have a password.
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError(f"--plug: not an address: write it as {example}") from None
    if parts.scheme not in SCHEMES:
        raise UsageError(f"--plug: write it as {example}")
    channel = parts.path.strip("/") or "0"
    if not parts.hostname or not channel.isdecimal() or parts.query or parts.fragment:
        raise UsageError(
            f"--plug: write it as {example}, with /1 at its end for the second channel"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    host = host if port is None else f"{host}:{port}"
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Address(parts.scheme, host, int(channel), user, password)


class Plug:
    """One plug. Call `power_w` from one thread at a time."""

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        # No proxy: the plug is in the local network, and its password must stay there.
        self._http = HttpClient(timeout_s, max_bytes=_MAX_BYTES, tries=1, use_proxy=False)
        self._read: Callable[[], float] | None = None

    def power_w(self) -> float:
        """Watts now. Raises `PlugError`."""
        if self._read is None:
            self._read = self._shelly() if self.address.scheme == "shelly" else self._tasmota
        watts = self._read()
        if not (math.isfinite(watts) and watts >= 0):
            raise self._error(f"{watts:g} W cannot be the power of a machine")
        return watts

    def _shelly(self) -> Callable[[], float]:
        """The function that reads this plug, by its generation and component."""
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
        raise self._no_channel()

    def _gen1(self, channel: int) -> float:
        try:
            status = self._get(f"/meter/{channel}")
        except _NotThereError:
            raise self._no_channel() from None
        if status.get("is_valid") is False:
            raise self._error("it reports that its reading is not valid")
        return self._number(status, "power")

    def _tasmota(self) -> float:
        query = {"cmnd": "Status 8"}
        if self.address.password is not None:
            login = {"user": self.address.user or "admin", "password": self.address.password}
            query = login | query
        answer = self._get("/cm?" + urlencode(query, quote_via=quote))
        if "WARNING" in answer:
            raise self._refused()
        sensors = answer.get("StatusSNS")
        energy = sensors.get("ENERGY") if isinstance(sensors, dict) else None
        if not isinstance(energy, dict):
            raise self._error("it measures no power (no StatusSNS.ENERGY)")
        power = energy.get("Power")
        if isinstance(power, list):
            if self.address.channel >= len(power):
                raise self._error(f"it has {len(power)} channels, numbered from 0")
            return self._number({"Power": power[self.address.channel]}, "Power")
        return self._number(energy, "Power")

    def _number(self, answer: dict[str, Any], key: str) -> float:
        value = answer.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(f"its answer has no number {key!r}")
        return float(value)

    def _get(self, path: str) -> dict[str, Any]:
        address = self.address
        headers = {}
        if address.password is not None and address.scheme == "shelly":
            pair = f"{address.user or 'admin'}:{address.password}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        try:
            answer = self._http.get_json(f"http://{address.host}{path}", headers)
        except HttpError as error:
            raise self._failed(error, path) from None
        if not isinstance(answer, dict):
            raise PlugError(f"plug {address} did not answer with a JSON object: is it a plug?")
        return answer

    def _failed(self, error: HttpError, path: str) -> PlugError:
        if error.status in (401, 403):
            return self._refused()
        # A Shelly of generation 2 answers with 500 or 404 for a component that it does not have.
        if error.status in (404, 500):
            return _NotThereError(
                f"plug {self.address} does not know {path.partition('?')[0]} "
                f"(HTTP {error.status}): is it a {self.address.scheme}?"
            )
        return PlugError(
            f"plug {self.address} {error.problem}: check its address, and that this machine is in "
            "its network"
        )

    def _no_channel(self) -> PlugError:
        return self._error(f"it has no channel {self.address.channel} that measures power")

    def _error(self, problem: str) -> PlugError:
        return PlugError(f"plug {self.address}: {problem}")

    def _refused(self) -> PlugError:
        if self.address.password is not None:
            return PlugError(f"plug {self.address} refuses this user and password")
        scheme, host = self.address.scheme, self.address.host
        return PlugError(
            f"plug {self.address} asks for a password: write {scheme}://user:password@{host}, or "
            "switch its authentication off (that of newer Shellys is not supported)"
        )


class _NotThereError(PlugError):
    """The plug knows no such path."""
