"""The provider that the user chose, with the user's key from the environment."""

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ....errors import UsageError
from ....http_client import LOCAL_HOSTS, HttpClient
from .base import Access, LiveGrid
from .cache import Cache, cache_folder
from .electricity_maps import ElectricityMaps
from .uk import UnitedKingdom
from .watttime import WattTime

PROVIDERS: dict[str, type[LiveGrid]] = {
    provider.name: provider for provider in (ElectricityMaps, WattTime, UnitedKingdom)
}


def live_grid(
    name: str,
    env: Mapping[str, str],
    *,
    http: HttpClient | None = None,
    clock: Callable[[], float] = time.time,
) -> LiveGrid:
    """A provider by name; nothing is sent yet.

    Args:
        name: "electricitymaps", "watttime" or "uk".
        env: has its key, another address of its server, and the cache folder.
        http: the client.
        clock: seconds since 1970.

    Raises `UsageError` where a key is missing, or its address would not keep it secret.
    """
    try:
        provider = PROVIDERS[name]
    except KeyError:
        raise UsageError(f"--live-grid {name}: use one of {', '.join(PROVIDERS)}") from None
    missing = [variable for variable in provider.key_variables if not env.get(variable)]
    if missing:
        raise UsageError(f"--live-grid {name} needs your key: set {' and '.join(missing)}")
    variable = provider.url_variable
    url = check_url(env.get(variable) or provider.url, variable)
    secrets = {key: check_secret(env[key], key) for key in provider.key_variables}
    cache = Cache(cache_folder(env), clock)
    return provider(Access(http or HttpClient(), cache, url, secrets, clock))


def check_url(url: str, variable: str) -> str:
    """The address of a server that a key may be sent to. Raises `UsageError`."""
    try:
        # Reading the port raises an error where it is not a number.
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"{variable}: not an address; write https://host") from None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UsageError(f"{variable}: not the address of a server; write https://host")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{variable}: remove user name and password from the address")
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
        raise UsageError(f"{variable}: {host} over plain http would reveal your key; use https://")
    return url.rstrip("/")


def check_secret(value: str, variable: str) -> str:
    """A key, a user name or a password that can be sent. Raises `UsageError` without its text."""
    value = value.strip("\r\n")
    if variable.endswith("_KEY"):
        # A key is sent in a header as it is.
        valid = value.isascii() and " " not in value
    else:
        # A user name and a password are sent encoded; the first colon separates them.
        valid = not (variable.endswith("_USER") and ":" in value)
    if not (value.strip() and value.isprintable() and valid):
        raise UsageError(f"{variable}: not a valid value; copy it again, without line breaks")
    return value
