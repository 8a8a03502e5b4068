"""The energy budget of a run: `joulecast.Budget`.

A budget in joules limits the metered energy, as it is printed. CO2 and money are of what the
facility takes from the grid for it: metered energy times PUE (ISO/IEC 30134-2), times the grid's
carbon intensity or the tariff.
"""

import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ..analysis.carbon.cost import KWH_J, format_amount, format_money, parse_tariff
from ..analysis.carbon.footprint import Site, check_pue
from ..errors import BudgetExceeded, UsageError
from ..estimate import Estimate, Provenance, format_estimate
from ..units import format_quantity, parse_carbon, parse_energy, parse_money

CO2 = "g CO2e"
_BEFORE_UNIT = re.compile(r"(?<=[\d.])(?![eE][+-]?\d)\s*(?=[A-Za-z])")

OnExceeded = Literal["stop", "warn"] | Callable[["BudgetStatus"], bool | None]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much energy, CO2 or money a run may use.

    Attributes:
        amount: `"50kJ"`, `"0.3kWh"`, `"30gCO2"`, `"5EUR"`; a number is joules.
        on_exceeded: `"stop"` raises `BudgetExceeded` after the epoch, `"warn"` prints one line
            and goes on; a function is given a `BudgetStatus` after each epoch from then on, and
            the run goes on where it returns True.
        tariff: price of electricity, for a budget in money: `0.32` (per kWh, in the budget's
            currency) or `"0.32EUR/kWh"`.
        region: country of the grid, for a budget in CO2; the world average by default.
        carbon_intensity: instead of `region`, g CO2e per kWh.
        pue: power usage effectiveness, facility energy / IT energy; for CO2 and money.
        text: the amount as people write it: `50 kJ`.
        limit_j: the metered energy that the amount corresponds to, J.
        unit: `J`, `g CO2e` or a currency (ISO 4217).
        per_joule: how much of the unit one metered joule costs.
        provenance: of the price or intensity.
        basis: the price or intensity in words; empty for energy.
        notes: what was assumed without being asked for.

    Raises:
        UsageError: the amount is no budget or is zero, a price is missing, the country is unknown.

    Examples:
        >>> joulecast.Budget("30gCO2", carbon_intensity=360).limit_j
        300000.0
    """

    amount: str | float
    on_exceeded: OnExceeded = "stop"
    tariff: str | float | None = None
    region: str | None = None
    carbon_intensity: float | None = None
    pue: float = 1.0
    text: str = field(init=False)
    limit_j: float = field(init=False)
    unit: str = field(init=False)
    per_joule: float = field(init=False)
    provenance: Provenance = field(init=False)
    basis: str = field(init=False)
    notes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.on_exceeded not in ("stop", "warn") and not callable(self.on_exceeded):
            raise UsageError(f"on_exceeded={self.on_exceeded!r}: use 'stop', 'warn' or a function")
        check_pue(self.pue)
        text, value, price = _priced(self)
        per_joule = price.per_kwh * (1.0 if price.unit == "J" else self.pue) / KWH_J
        pue = f", PUE {self.pue:g}" if price.basis and self.pue != 1 else ""
        derived = {
            "text": text,
            "limit_j": value / per_joule,
            "unit": price.unit,
            "per_joule": per_joule,
            "provenance": price.provenance,
            "basis": price.basis + pue,
            "notes": price.notes,
        }
        for name, derived_value in derived.items():
            object.__setattr__(self, name, derived_value)

    def cost(self, energy: Estimate) -> Estimate:
        """What a metered energy (J) costs, in the budget's own unit."""
        return energy.scaled(self.per_joule, self.unit, self.provenance)

    def cost_text(self, energy: Estimate) -> str:
        """The same as people read it: `12.3 g CO2e (11 to 14)`."""
        cost = self.cost(energy)
        return format_estimate(cost) if cost.unit in ("J", CO2) else format_money(cost, 0)

    def share(self, energy: Estimate) -> float:
        """The fraction of the budget that a metered energy (J) is; above 1 where exceeded."""
        return energy.value / self.limit_j

    def exceeded(self, energy: Estimate) -> bool:
        """Whether a metered energy (J) reaches the limit, by its value, which people are shown.

        By its upper bound a run would end early on a doubt; by the lower one a modelled meter
        (often ±50 %) would exceed the budget by half.
        """
        return energy.value >= self.limit_j

    def __str__(self) -> str:
        return self.text


class Action(StrEnum):
    """The change of a budget's state.

    Attributes:
        UNKNOWN: no energy is measured, so that the budget cannot be checked.
        WARN: the whole run is forecast above it, at 95 % (the lower bound of a 90 % interval).
        WITHIN: after a warning, the run is forecast within it again.
        EXCEEDED: the energy so far has reached it.
    """

    UNKNOWN = "unknown"
    WARN = "warn"
    WITHIN = "within"
    EXCEEDED = "exceeded"


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A change of a budget's state, for people (`text`) and for callbacks.

    Attributes:
        budget: that it is about.
        action: what has changed.
        text: one line for people.
        energy: metered so far, J; None where unknown.
        forecast: of the whole run, J; None where unknown.
    """

    budget: Budget
    action: Action
    text: str
    energy: Estimate | None
    forecast: Estimate | None

    def error(self) -> BudgetExceeded:
        """The exception that ends a training which exceeded its budget."""
        if self.energy is None:
            raise ValueError("the energy so far is unknown")
        text = f"{self.text}: raise the budget, or train for fewer epochs or a smaller model"
        return BudgetExceeded(text, self.budget.text, self.budget.limit_j, self.energy)


@dataclass(frozen=True, slots=True)
class _Price:
    """What a kWh costs in the budget's unit."""

    unit: str
    per_kwh: float
    provenance: Provenance = Provenance.MEASURED
    basis: str = ""
    notes: tuple[str, ...] = ()


def _priced(budget: Budget) -> tuple[str, float, _Price]:
    """The amount as text and in its unit, and what a kWh costs. Raises `UsageError`."""
    text, value, unit = _read(budget.amount)
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"{budget.amount!r} is not a budget: write 50kJ, 0.3kWh, 30gCO2 or 5EUR, more than zero"
        )
    if unit == "J":
        return text, value, _Price(unit, KWH_J)
    if unit == CO2:
        return text, value, _carbon_price(budget)
    return text, value, _electricity_price(text, unit, budget.tariff)


def _read(amount: str | float) -> tuple[str, float, str]:
    """An amount as people write it, its value, and its unit; not-a-number where it is none."""
    if not isinstance(amount, str):
        try:
            joules = math.nan if isinstance(amount, bool) else float(amount)
        except (TypeError, ValueError, OverflowError):
            joules = math.nan
        return format_quantity(joules, "J"), joules, "J"
    text = " ".join(amount.split())
    spaced = _BEFORE_UNIT.sub(" ", text, count=1)
    with suppress(UsageError):
        return spaced if text[-1:].isalpha() else f"{text} J", parse_energy(text), "J"
    with suppress(UsageError):
        return spaced, parse_carbon(text), CO2
    with suppress(UsageError):
        value, currency = parse_money(text)
        return f"{value:g} {currency}", value, currency
    return text, math.nan, ""


def _carbon_price(budget: Budget) -> _Price:
    site = Site.of(budget.region, budget.carbon_intensity, budget.pue)
    per_kwh = site.carbon_g_per_kwh
    basis = f"at {per_kwh:g} g CO2e/kWh"
    if budget.carbon_intensity is not None:
        return _Price(CO2, per_kwh, basis=basis)
    if budget.region is not None:
        return _Price(CO2, per_kwh, Provenance.ASSUMED, f"{basis} ({site.basis})")
    basis = f"{basis} (the world average, {site.year})"
    note = f"the budget is counted {basis}: name the country with --region"
    return _Price(CO2, per_kwh, Provenance.ASSUMED, basis, (note,))


def _electricity_price(text: str, currency: str, tariff: str | float | None) -> _Price:
    if tariff is None:
        raise UsageError(
            f"a budget of {text} needs the price of electricity: add --tariff 0.30{currency}/kWh "
            f'(in Python tariff="0.30{currency}/kWh")'
        )
    price = parse_tariff(tariff)
    if price.currency not in (None, currency):
        raise UsageError(
            f"a budget in {currency} and a tariff in {price.currency} do not match: "
            "write both in one currency"
        )
    return _Price(
        currency, price.per_kwh, basis=f"at {format_amount(price.per_kwh)} {currency}/kWh"
    )
