"""What a run may spend: in energy, in CO2 or in money.

A budget in joules is of the energy metered, as it is printed. CO2 and money are of what the site
takes from its supply for it: metered energy times PUE (ISO/IEC 30134-2), times the grid's
intensity or the tariff.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import UnknownHardwareError, UsageError
from ..hardware.grids import WORLD, find_grid
from ..units import (
    Estimate,
    Provenance,
    format_estimate,
    format_quantity,
    parse_carbon,
    parse_energy,
    parse_money,
    weakest,
)

KWH_J = 3.6e6
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
        provenance = weakest([energy.provenance, self.provenance])
        return replace(energy.scaled(self.per_joule), unit=self.unit, provenance=provenance)

    def spent(self, energy: Estimate) -> str:
        """A metered energy (J) as people read it in the budget's unit: `12.3 g CO2e (11 to 14)`."""
        cost = self.cost(energy)
        return format_estimate(cost) if cost.unit in ("J", CO2) else _format_money(cost)

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
    if not (math.isfinite(pue) and pue >= 1):
        raise UsageError(f"PUE {pue:g}: it is 1 or more (1.1 to 1.6 in most data centres)")
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
    notes: tuple[str, ...] = ()
    if intensity is not None:
        if region is not None:
            raise UsageError("--carbon-intensity and --region: give one of the two")
        if not (math.isfinite(intensity) and intensity > 0):
            raise UsageError(f"carbon intensity {intensity:g}: give g CO2e per kWh, above zero")
        basis, provenance = f"at {intensity:g} g CO2e/kWh", Provenance.MEASURED
    else:
        try:
            grid = find_grid(region if region is not None else WORLD)
        except UnknownHardwareError as error:
            raise UsageError(f"--region {region}: {error}") from None
        intensity, provenance = grid.carbon_g_per_kwh, Provenance.ASSUMED
        basis = f"at {intensity:g} g CO2e/kWh ({grid.name}, {grid.year})"
        if region is None:
            basis = f"at {intensity:g} g CO2e/kWh (the world's average, {grid.year})"
            notes = (f"the budget is counted {basis}: name the country with --region",)
    per_joule = intensity * pue / KWH_J
    return Budget(text, grams / per_joule, CO2, per_joule, provenance, basis + _pue(pue), notes)


def _in_money(amount: float, currency: str, tariff: str | float | None, pue: float) -> Budget:
    text = f"{amount:g} {currency}"
    if tariff is None:
        raise UsageError(
            f"a budget of {text} needs the price of electricity: add --tariff 0.30{currency}/kWh "
            f'(in Python tariff="0.30{currency}/kWh")'
        )
    per_j, priced_in = _tariff(tariff)
    if priced_in not in (None, currency):
        raise UsageError(
            f"a budget in {currency} and a tariff in {priced_in} do not go together: "
            "write both in one currency"
        )
    basis = f"at {_money(per_j * KWH_J)} {currency}/kWh" + _pue(pue)
    per_joule = per_j * pue
    return Budget(text, amount / per_joule, currency, per_joule, basis=basis)


def _tariff(given: str | float) -> tuple[float, str | None]:
    """Price of a joule, and its currency where one is named: `0.32`, `0.32 EUR/kWh`, `€320/MWh`."""
    price, _, per = str(given).partition("/")
    joules = _read(parse_energy, f"1 {per}") if per.strip() else KWH_J
    money = _read(parse_money, price)
    try:
        amount, currency = money if money is not None else (float(price), None)
    except ValueError:
        amount, currency = math.nan, None
    if joules is None or not (math.isfinite(amount) and amount > 0):
        raise UsageError(f"--tariff {given}: write a price like 0.32 or 0.32EUR/kWh, above zero")
    return amount / joules, currency


def _pue(pue: float) -> str:
    return "" if pue == 1 else f", PUE {pue:g}"


def _money(amount: float) -> str:
    """To the cent, or to two figures below ten cents; never in exponent form."""
    decimals = 2
    if 0 < abs(amount) < 0.0995:
        decimals = min(9, 1 - math.floor(math.log10(abs(amount))))
    return f"{amount:.{decimals}f}"


def _format_money(cost: Estimate) -> str:
    return f"{_money(cost.value)} {cost.unit} ({_money(cost.low)} to {_money(cost.high)})"
