"""The price of energy: a tariff times the energy that the site takes from the grid."""

import math
from dataclasses import dataclass

from ...errors import UsageError
from ...estimate import Estimate, Provenance
from ...units import parse_energy, parse_money

KWH_J = 3.6e6


@dataclass(frozen=True, slots=True)
class Tariff:
    """The price of electricity; `currency` (ISO 4217) is None where only a number was given."""

    per_kwh: float
    currency: str | None = None
    source: str = "as given"

    def cost(self, energy: Estimate, pue: float = 1.0) -> Estimate:
        """The cost of an energy (J) times the PUE, in the tariff's currency (or "")."""
        # A given price is a fact. A PUE is an assumption about the site.
        provenance = Provenance.MEASURED if pue == 1 else Provenance.ASSUMED
        return energy.scaled(self.per_kwh / KWH_J * pue, self.currency or "", provenance)

    def __str__(self) -> str:
        return f"{format_amount(self.per_kwh)}{f' {self.currency}' if self.currency else ''}/kWh"


def parse_tariff(tariff: str | float) -> Tariff:
    """A tariff from `0.32` (per kWh), `0.32 EUR/kWh`, `€320/MWh`. Raises `UsageError`."""
    price, _, per = str(tariff).partition("/")
    try:
        joules = parse_energy(f"1 {per}") if per.strip() else KWH_J
        amount, currency = _amount(price)
    except (UsageError, ValueError):
        joules, amount, currency = KWH_J, math.nan, None
    if not (math.isfinite(amount) and amount > 0 and joules > 0):
        raise UsageError(f"--tariff {tariff}: write a price like 0.32 or 0.32EUR/kWh, above zero")
    return Tariff(amount / (joules / KWH_J), currency)


def _amount(price: str) -> tuple[float, str | None]:
    try:
        return parse_money(price)
    except UsageError:
        return float(price), None


def format_amount(amount: float) -> str:
    """An amount of money to the cent, or to two digits below ten cents; never in exponent form."""
    decimals = 2
    if 0 < abs(amount) < 0.0995:
        decimals = min(9, 1 - math.floor(math.log10(abs(amount))))
    return f"{amount:.{decimals}f}"


def format_money(cost: Estimate, smallest: float = 0.001) -> str:
    """A cost for people: `0.32 EUR (0.16 to 0.64)`, `under 0.001 EUR`.

    Args:
        cost: in a currency.
        smallest: a smaller amount is not written out; 0 writes out all.
    """
    unit = f" {cost.unit}" if cost.unit else ""
    if 0 < cost.value < smallest:
        high = f" (up to {format_amount(cost.high)})" if cost.high >= smallest else ""
        return f"under {smallest:g}{unit}{high}"
    value, low, high = (format_amount(x) for x in (cost.value, cost.low, cost.high))
    return f"{value}{unit} ({low} to {high})"
