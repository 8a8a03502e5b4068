"""What a run may spend: in energy, in CO2 or in money.

A budget in joules is of the energy metered, as it is printed. CO2 and money are of what the site
takes from its supply for it: metered energy times PUE (ISO/IEC 30134-2), times the grid's
intensity or the tariff.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..analysis.carbon.cost import KWH_J, format_amount, format_money, parse_tariff
from ..analysis.carbon.footprint import Site, check_pue
from ..errors import UsageError
from ..units import (
    Estimate,
    Provenance,
    format_estimate,
    format_quantity,
    parse_carbon,
    parse_energy,
    parse_money,
)

CO2 = "g CO2e"
_BEFORE_UNIT = re.compile(r"(?<=[\d.])(?![eE][+-]?\d)\s*(?=[A-Za-z])")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend: `text` as written, `limit_j` the metered energy (J) it comes to.

    `unit` is "J", "g CO2e" or a currency (ISO 4217), and one joule metered costs `per_joule` of it.
    `basis` says by which price or intensity, `notes` what was assumed without being asked for.
    """

    text: str
    limit_j: float
    unit: str = "J"
    per_joule: float = 1.0
    provenance: Provenance = Provenance.MEASURED  # the weakest that a sum spent can have
    basis: str = ""
    notes: tuple[str, ...] = ()

    def cost(self, energy: Estimate) -> Estimate:
        """What a metered energy (J) comes to, in the budget's own unit."""
        return energy.scaled(self.per_joule, self.unit, self.provenance)

    def spent(self, energy: Estimate) -> str:
        """A metered energy (J) as people read it in the budget's unit: `12.3 g CO2e (11 to 14)`."""
        cost = self.cost(energy)
        return format_estimate(cost) if cost.unit in ("J", CO2) else format_money(cost, 0)

    def share(self, energy: Estimate) -> float:
        """The part of the budget that a metered energy (J) is; above 1 where it is exceeded."""
        return energy.value / self.limit_j

    def exceeded(self, energy: Estimate) -> bool:
        """Whether a metered energy (J) uses it up: by its value, the figure that people are shown.

        By the upper bound a run would end early on a doubt, by the lower one a modelled meter
        (easily ±50 %) would overspend by half.
        """
        return energy.value >= self.limit_j

    def __str__(self) -> str:
        return self.text


def parse_budget(
    given: str | float,
    *,
    tariff: str | float | None = None,
    region: str | None = None,
    carbon_intensity: float | None = None,
    pue: float = 1.0,
) -> Budget:
    """A budget from `50kJ`, `0.3kWh`, `1200` (J), `30gCO2`, `1.2 kg CO2e`, `5 EUR`, `$0.50`.

    Args:
        given: the budget; a number is joules.
        tariff: price of electricity, for a budget in money: `0.32` (per kWh, in the budget's
            currency) or `0.32 EUR/kWh`.
        region: country whose grid feeds the machine, for one in CO2; the world by default.
        carbon_intensity: or the intensity itself, g CO2e per kWh.
        pue: what the site takes over what the machine takes, 1 or more; for money and CO2.

    Raises:
        UsageError: for what is no budget, zero included, or lacks a price or a known country.
    """
    check_pue(pue)
    if not isinstance(given, str):
        number = _number(given)
        return Budget(format_quantity(number, "J"), number)
    text = " ".join(given.split())
    spaced = _BEFORE_UNIT.sub(" ", text, count=1)
    if (joules := _read(parse_energy, text)) is not None:
        return Budget(spaced if text[-1].isalpha() else f"{text} J", _positive(joules, given))
    if (carbon_g := _read(parse_carbon, text)) is not None:
        return _in_carbon(spaced, _positive(carbon_g, given), region, carbon_intensity, pue)
    if (money := _read(parse_money, text)) is not None:
        amount, currency = money
        return _in_money(_positive(amount, given), currency, tariff, pue)
    raise UsageError(_not_a_budget(given))


def _not_a_budget(given: object) -> str:
    return f"{given!r} is not a budget: write 50kJ, 0.3kWh, 30gCO2 or 5EUR, more than zero"


def _read(parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except UsageError:
        return None


def _positive(value: float, given: object) -> float:
    if isinstance(given, bool) or not (math.isfinite(value) and value > 0):
        raise UsageError(_not_a_budget(given))
    return value


def _number(given: float) -> float:
    try:
        return _positive(float(given), given)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(_not_a_budget(given)) from None


def _in_carbon(
    text: str, grams: float, region: str | None, intensity: float | None, pue: float
) -> Budget:
    site = Site.of(region, intensity, pue)
    notes: tuple[str, ...] = ()
    if intensity is not None:
        basis, provenance = f"at {intensity:g} g CO2e/kWh", Provenance.MEASURED
    else:
        provenance = Provenance.ASSUMED
        basis = f"at {site.carbon_g_per_kwh:g} g CO2e/kWh ({site.basis})"
        if region is None:
            basis = f"at {site.carbon_g_per_kwh:g} g CO2e/kWh (the world's average, {site.year})"
            notes = (f"the budget is counted {basis}: name the country with --region",)
    per_joule = site.carbon_g_per_kwh * pue / KWH_J
    return Budget(text, grams / per_joule, CO2, per_joule, provenance, basis + _pue(pue), notes)


def _in_money(amount: float, currency: str, tariff: str | float | None, pue: float) -> Budget:
    text = f"{amount:g} {currency}"
    if tariff is None:
        raise UsageError(
            f"a budget of {text} needs the price of electricity: add --tariff 0.30{currency}/kWh "
            f'(in Python tariff="0.30{currency}/kWh")'
        )
    price = parse_tariff(tariff)
    if price.currency not in (None, currency):
        raise UsageError(
            f"a budget in {currency} and a tariff in {price.currency} do not go together: "
            "write both in one currency"
        )
    basis = f"at {format_amount(price.per_kwh)} {currency}/kWh" + _pue(pue)
    per_joule = price.per_j * pue
    return Budget(text, amount / per_joule, currency, per_joule, basis=basis)


def _pue(pue: float) -> str:
    return "" if pue == 1 else f", PUE {pue:g}"
