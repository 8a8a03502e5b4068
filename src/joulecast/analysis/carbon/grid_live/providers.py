"""The provider that the user chose, with the user's key from the environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ....errors import UsageError
from .base import Access, LiveGrid
from .cache import Cache, cache_folder
from .electricity_maps import ElectricityMaps
from .http import Http, check_secret, check_url
from .uk import UnitedKingdom
from .watttime import WattTime

PROVIDERS: dict[str, type[LiveGrid]] = {
    provider.name: provider for provider in (ElectricityMaps, WattTime, UnitedKingdom)
}


def live_grid(
    name: str,
    env: Mapping[str, str],
    *,
    http: Http | None = None,
    clock: Callable[[], float] = time.time,
) -> LiveGrid:
    """A provider by name, ready to be asked; nothing is sent yet.

    Args:
        name: "electricitymaps", "watttime" or "uk".
        env: where its key, another address of its server, and the cache folder are looked up.
        http: what talks to the server.
        clock: seconds since 1970.

    Raises `UsageError` where a key is missing, or its address would not keep it secret.
    """
    try:
        provider = PROVIDERS[name]
    except KeyError:
        known = ", ".join(PROVIDERS)
        raise UsageError(f"--live-grid {name}: there is none; there are {known}") from None
    lacking = [variable for variable in provider.key_variables if not env.get(variable)]
    if lacking:
        raise UsageError(f"--live-grid {name} needs your key: set {' and '.join(lacking)}")
    variable = provider.url_variable
    url = check_url(env.get(variable) or provider.url, variable)
    secrets = {key: check_secret(env[key], key) for key in provider.key_variables}
    cache = Cache(cache_folder(env), clock)
    return provider(Access(http or Http(), cache, url, secrets, clock))
