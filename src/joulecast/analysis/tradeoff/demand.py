"""How many requests a model serves: `1e6/day` over a service life, or a number in total."""

import re
from dataclasses import dataclass

from ...errors import UsageError
from ...units import parse_duration

_RATE = re.compile(r"\s*([\d.,]+(?:[eE][+-]?\d+)?)\s*(?:(?:/|per\s)\s*([a-z]+?))?\s*")
_MAX_REQUESTS = 1e18


@dataclass(frozen=True, slots=True)
class Demand:
    """The requests that a model serves, each of which is one inference.

    Attributes:
        requests: in total.
        requests_per_s: None where no rate and no service life were given.
        service_life_s: for how long; None where it was not given.
    """

    requests: float
    requests_per_s: float | None = None
    service_life_s: float | None = None


def parse_demand(requests: str | float, service_life: str | float | None = None) -> Demand:
    """The demand from `1e6/day` with a service life (`365d`), or from a number in total.

    Args:
        requests: a rate (`1e6/day`, `50 per s`), or a number in total.
        service_life: s, or text (`365d`, `2 years`).

    Raises `UsageError`.
    """
    life_s = parse_duration(service_life) if isinstance(service_life, str) else service_life
    if life_s is not None and not life_s > 0:
        raise UsageError(f"--service-life {service_life}: give a duration above zero")
    number, period_s = _requests(str(requests))
    if period_s is None:
        return Demand(number, number / life_s if life_s else None, life_s)
    if life_s is None:
        raise UsageError(f"--requests {requests}: a rate needs --service-life, such as 365d")
    return Demand(number / period_s * life_s, number / period_s, life_s)


def _requests(text: str) -> tuple[float, float | None]:
    """A number, and the seconds in which it is served; None: in total."""
    match = _RATE.fullmatch(text)
    try:
        number = float(match[1].replace(",", "")) if match else -1.0
        period_s = parse_duration(f"1 {match[2]}") if match and match[2] else None
    except (ValueError, UsageError):
        number, period_s = -1.0, None
    if not 0 <= number < _MAX_REQUESTS:
        raise UsageError(f"--requests {text}: write 1e6/day, 50/s, or a number in total")
    return number, period_s
