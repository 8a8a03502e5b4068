"""What energy costs: a tariff, times the energy that the site takes from its supply."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...errors import UsageError
from ...units import Estimate, Provenance, parse_energy, parse_money, weakest

KWH_J = 3.6e6


@dataclass(frozen=True, slots=True)
class Tariff:
    """The price of electricity; `currency` (ISO 4217) is None where only a number was given."""

    per_kwh: float
    currency: str | None = None
    source: str = "as given"

    @property
    def per_j(self) -> float:
        """The price of a joule."""
        return self.per_kwh / KWH_J

    def cost(self, energy: Estimate, pue: float = 1.0) -> Estimate:
        """What an energy (J) costs, times what the site takes over it.

        In the tariff's currency; without one the unit is "" and the caller knows which it is.
        """
        scaled = energy.scaled(self.per_j * pue)
        # A price that is given is a fact; a PUE is a constant of the site, not seen in the run.
        provenance = weakest([energy.provenance, *([Provenance.ASSUMED] if pue != 1 else [])])
        return replace(scaled, unit=self.currency or "", provenance=provenance)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"per_kwh": self.per_kwh, "currency": self.currency, "source": self.source}

    def __str__(self) -> str:
        return f"{format_amount(self.per_kwh)}{f' {self.currency}' if self.currency else ''}/kWh"


def parse_tariff(given: str | float) -> Tariff:
    """A tariff from `0.32` (per kWh), `0.32 EUR/kWh`, `€320/MWh`. Raises `UsageError`."""
    price, _, per = str(given).partition("/")
    try:
        joules = parse_energy(f"1 {per}") if per.strip() else KWH_J
        amount, currency = _amount(price)
    except (UsageError, ValueError):
        joules, amount, currency = KWH_J, math.nan, None
    if not (math.isfinite(amount) and amount > 0 and joules > 0):
        raise UsageError(f"--tariff {given}: write a price like 0.32 or 0.32EUR/kWh, above zero")
    return Tariff(amount / (joules / KWH_J), currency)


def _amount(price: str) -> tuple[float, str | None]:
    try:
        return parse_money(price)
    except UsageError:
        return float(price), None


def format_amount(amount: float) -> str:
    """An amount of money to the cent, or to two figures below ten cents; never in exponent form."""
    decimals = 2
    if 0 < abs(amount) < 0.0995:
        decimals = min(9, 1 - math.floor(math.log10(abs(amount))))
    return f"{amount:.{decimals}f}"


def format_money(cost: Estimate, least: float = 0.001) -> str:
    """A cost as people read it: `0.32 EUR (0.16 to 0.64)`, `under 0.001 EUR`.

    Args:
        cost: in a currency.
        least: an amount whose digits are worth reading; 0 tells them all.
    """
    unit = f" {cost.unit}" if cost.unit else ""
    if 0 < cost.value < least:
        most = f" ({format_amount(cost.high)} at most)" if cost.high >= least else ""
        return f"under {least:g}{unit}{most}"
    figures = [format_amount(x) for x in (cost.value, cost.low, cost.high)]
    return f"{figures[0]}{unit} ({figures[1]} to {figures[2]})"
