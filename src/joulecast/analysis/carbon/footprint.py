"""What energy emits and costs: `energy x PUE x intensity`, and the share of making the hardware.

Operational emissions are what the site takes from its supply (metered energy times PUE, ISO/IEC
30134-2) times the grid's intensity: location-based, as scope 2 of the GHG Protocol calls it. No
certificates, no offsets. The one place where joules become grams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...errors import UnknownHardwareError, UsageError
from ...hardware.catalog.grids import WORLD, find_grid
from ...units import Estimate, Provenance, add_independent, weakest
from .cost import KWH_J, Tariff
from .embodied import Embodied

if TYPE_CHECKING:  # the sum itself needs no arrays
    from .intensity import IntensitySeries, Weighted

UNIT = "g CO2e"
GIVEN = "as given"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the machine stands: its grid, and what the site takes over what the machine takes."""

    carbon_g_per_kwh: float
    basis: str  # "Germany, 2023"
    pue: float = 1.0
    source: str = GIVEN
    year: int | None = None  # of the intensity
    marginal: bool = False  # what one more kWh causes, not the mean of all
    provenance: Provenance = Provenance.ASSUMED  # of the intensity
    over_time: Weighted | None = None  # where it is a mean over a run's own hours
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        region: str | None = None,
        intensity: float | None = None,
        pue: float = 1.0,
        year: int | None = None,
    ) -> Site:
        """The site in a country, or on a grid of known intensity; the world's average else.

        Of the `year` asked for, or the nearest that is held, which `notes` then say.

        Raises `UsageError`.
        """
        check_pue(pue)
        if intensity is not None:
            if region is not None:
                raise UsageError("--carbon-intensity and --region: give one of the two")
            if not (math.isfinite(intensity) and intensity > 0):
                raise UsageError(f"carbon intensity {intensity:g}: give g CO2e per kWh, above zero")
            return cls(intensity, GIVEN, pue)
        try:
            grid = find_grid(WORLD if region is None else region, year)
        except UnknownHardwareError as error:
            raise UsageError(f"--region {region}: {error}") from None
        notes = []
        if region is None:
            notes.append("no country is named: counted with the world's average (--region)")
        if year not in (None, grid.year):
            notes.append(
                f"{grid.name}: the catalog holds no figure of {year}; that of {grid.year} is used"
            )
        return cls(
            grid.carbon_g_per_kwh,
            f"{grid.name}, {grid.year}",
            pue,
            grid.source,
            grid.year,
            notes=tuple(notes),
        )

    def during(self, series: IntensitySeries, mean: Weighted, when: str = "hour by hour") -> Site:
        """The same site with the intensity of a run's own hours; `self` is what fills the gaps."""
        rest = "" if mean.coverage > 1 - 1e-6 else f", the rest at {self.basis}"
        return replace(
            self,
            carbon_g_per_kwh=mean.carbon_g_per_kwh,
            basis=f"{series.provider}, {series.zone}, {when}{rest}",
            source=series.source if not rest else f"{series.source}; the rest: {self.source}",
            year=None,
            marginal=series.marginal,
            provenance=Provenance.ASSUMED if rest else Provenance.MODELLED,
            over_time=mean,
            notes=self.notes if rest else (),
        )

    def carbon_g(self, energy: Estimate) -> Estimate:
        """Grams of CO2 equivalent of a metered energy (J).

        Its interval is that of the energy: the intensity's own error is not known.
        """
        scaled = energy.scaled(self.carbon_g_per_kwh * self.pue / KWH_J)
        kinds = [energy.provenance, self.provenance]
        if self.pue != 1:
            kinds.append(Provenance.ASSUMED)
        return replace(scaled, unit=UNIT, provenance=weakest(kinds), mix={})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "carbon_g_per_kwh": self.carbon_g_per_kwh,
            "basis": self.basis,
            "source": self.source,
            "year": self.year,
            "signal": "marginal" if self.marginal else "average",
            "provenance": str(self.provenance),
            "pue": self.pue,
            "over_time": None if self.over_time is None else self.over_time.to_json(),
        }

    def __str__(self) -> str:
        pue = "" if self.pue == 1 else f", PUE {self.pue:g}"
        return f"{self.carbon_g_per_kwh:.4g} g CO2e/kWh ({self.basis}){pue}"


def check_pue(pue: float) -> None:
    """Raise `UsageError` for a PUE that is none."""
    if not (math.isfinite(pue) and pue >= 1):
        raise UsageError(f"PUE {pue:g}: it is 1 or more (1.1 to 1.6 in most data centers)")


@dataclass(frozen=True, slots=True)
class Carbon:
    """What a run, or any energy, emitted and cost. What is unknown is None, with its reason."""

    energy: Estimate | None
    operational: Estimate | None
    embodied: Estimate | None
    total: Estimate | None
    cost: Estimate | None
    site: Site
    hardware: Embodied | None = None
    tariff: Tariff | None = None
    reasons: tuple[tuple[str, str], ...] = ()  # (name of the figure, why it is None)

    def why(self, figure: str) -> str | None:
        """Why a figure is None; None where it is not."""
        return dict(self.reasons).get(figure)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, without the schema."""
        return figures_json(self) | {
            "grid": self.site.to_json(),
            "hardware": None if self.hardware is None else self.hardware.to_json(),
            "tariff": None if self.tariff is None else self.tariff.to_json(),
        }


FIGURES = ("energy", "operational", "embodied", "total", "cost")


def figures_json(carbon: Carbon) -> dict[str, Any]:
    """The figures, and the reasons of those that are null."""
    found = {name: getattr(carbon, name) for name in FIGURES}
    return {
        **{name: None if x is None else x.to_json() for name, x in found.items()},
        "reasons": dict(carbon.reasons),
    }


def carbon(
    energy: Estimate | None,
    site: Site,
    *,
    duration_s: float | None = None,
    hardware: Embodied | None = None,
    tariff: Tariff | None = None,
    why_no_energy: str = "the energy is unknown",
    why_no_hardware: str = "not asked for: give --embodied 150kg",
) -> Carbon:
    """Emissions and cost of an energy (J) at a site.

    Args:
        energy: as metered, or at the wall; the site's PUE comes on top. None: unknown.
        site: grid and PUE.
        duration_s: how long the hardware was held, for its embodied share.
        hardware: what was held; None: unknown, and `why_no_hardware` says why.
        tariff: the price; None: not asked for.
        why_no_energy: the reason, where it is None.

    Raises `UsageError` for an energy below zero or not finite.
    """
    reasons: dict[str, str] = {}
    operational = cost = share = total = None
    if energy is None:
        reasons |= {"energy": why_no_energy, "operational": why_no_energy}
    else:
        if not (math.isfinite(energy.high) and energy.value >= 0 and math.isfinite(energy.low)):
            raise UsageError(f"an energy of {energy.value:g} J: it is finite and not negative")
        operational = site.carbon_g(energy)
    if tariff is None:
        reasons["cost"] = "no price is given: --tariff 0.30EUR/kWh"
    elif energy is None:
        reasons["cost"] = why_no_energy
    else:
        cost = tariff.cost(energy, site.pue)
    if hardware is None:
        reasons["embodied"] = why_no_hardware
    elif duration_s is None:
        reasons["embodied"] = "how long the hardware was held is unknown: give --duration"
    else:
        share = hardware.of(duration_s)
    if operational is not None and share is not None:
        total = add_independent([operational, share])
    else:
        lacking = "operational" if operational is None else "embodied"
        reasons["total"] = f"{lacking} emissions are unknown"
    return Carbon(
        energy,
        operational,
        share,
        total,
        cost,
        site,
        hardware,
        tariff,
        tuple(reasons.items()),
    )


def add(parts: Sequence[Carbon]) -> dict[str, Estimate | None]:
    """The sum of several, figure by figure; None where a part's is.

    Errors of runs share their causes (meter, grid), so bounds add as they are.
    """
    return {name: _sum([getattr(part, name) for part in parts]) for name in FIGURES}


def _sum(parts: Sequence[Estimate | None]) -> Estimate | None:
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or len({part.unit for part in known}) > 1:
        return None
    return Estimate(
        math.fsum(part.value for part in known),
        math.fsum(part.low for part in known),
        math.fsum(part.high for part in known),
        known[0].unit,
        weakest(part.provenance for part in known),
    )
