"""Emissions and cost of an energy: `energy x PUE x intensity`, plus a share of making the hardware.

Operational emissions are the energy that the site takes from the grid (metered energy times PUE,
ISO/IEC 30134-2) times the intensity of the grid: location-based scope 2 of the GHG Protocol,
without certificates or offsets. This is the only place where joules become grams.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from ...errors import UnknownHardwareError, UsageError
from ...estimate import Estimate, Provenance, add_independent, add_up, weakest
from ...hardware.catalog.grids import WORLD, find_grid
from .cost import KWH_J, Tariff
from .embodied import Embodied
from .intensity import IntensitySeries, MeanIntensity

UNIT = "g CO2e"
GIVEN = "as given"
_NO_TARIFF = "no price was given: --tariff 0.30EUR/kWh"
_NO_DURATION = "how long the hardware was occupied is unknown: give --held-for 12h"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the machine is: the carbon intensity of its grid, and the PUE of its building.

    Attributes:
        basis: what the intensity is of, "Germany, 2023".
        pue: power usage effectiveness, facility energy / IT energy.
        signal: `average`, or `marginal`: what one more kWh causes.
        over_time: the intensity during the run, where a provider was asked for it.
        notes: assumptions made.
    """

    carbon_g_per_kwh: float
    basis: str
    pue: float = 1.0
    source: str = GIVEN
    year: int | None = None
    signal: Literal["average", "marginal"] = "average"
    provenance: Provenance = Provenance.ASSUMED
    over_time: MeanIntensity | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        region: str | None = None,
        intensity: float | None = None,
        pue: float = 1.0,
        year: int | None = None,
    ) -> Site:
        """The site in a country, or on a grid of a given intensity; else the world average.

        The figure is that of `year` or of the nearest year in the catalog, which `notes` reports.

        Raises `UsageError`.
        """
        check_pue(pue)
        if intensity is not None:
            if region is not None:
                raise UsageError("--carbon-intensity and --region: give only one of the two")
            if not (math.isfinite(intensity) and intensity > 0):
                raise UsageError(f"carbon intensity {intensity:g}: give g CO2e per kWh, above zero")
            return cls(intensity, GIVEN, pue)
        try:
            grid = find_grid(WORLD if region is None else region, year)
        except UnknownHardwareError as error:
            raise UsageError(f"--region {region}: {error}") from None
        notes = []
        if region is None:
            notes.append("no country was given: the world average is used (--region)")
        if year not in (None, grid.year):
            notes.append(
                f"{grid.name}: the catalog has no figure for {year}; that of {grid.year} is used"
            )
        return cls(
            grid.carbon_g_per_kwh,
            f"{grid.name}, {grid.year}",
            pue,
            grid.source,
            grid.year,
            notes=tuple(notes),
        )

    def during(
        self, series: IntensitySeries, mean: MeanIntensity, when: str = "hour by hour"
    ) -> Site:
        """The same site with the intensity during a run; `self` is used for unknown hours."""
        rest = "" if mean.coverage > 1 - 1e-6 else f", the rest at {self.basis}"
        return replace(
            self,
            carbon_g_per_kwh=mean.carbon_g_per_kwh,
            basis=f"{series.provider}, {series.zone}, {when}{rest}",
            source=series.source if not rest else f"{series.source}; the rest: {self.source}",
            year=None,
            signal="marginal" if series.marginal else "average",
            provenance=Provenance.ASSUMED if rest else Provenance.MODELLED,
            over_time=mean,
            notes=self.notes if rest else (),
        )

    def carbon_g(self, energy: Estimate) -> Estimate:
        """The emissions of a metered energy (J), g CO2e.

        The interval is that of the energy, because the error of the intensity is unknown.
        """
        provenance = weakest([self.provenance, *([Provenance.ASSUMED] if self.pue != 1 else [])])
        return energy.scaled(self.carbon_g_per_kwh * self.pue / KWH_J, UNIT, provenance)

    def __str__(self) -> str:
        pue = "" if self.pue == 1 else f", PUE {self.pue:g}"
        return f"{self.carbon_g_per_kwh:.4g} g CO2e/kWh ({self.basis}){pue}"


def check_pue(pue: float) -> None:
    """Raise `UsageError` for an impossible PUE."""
    if not (math.isfinite(pue) and pue >= 1):
        raise UsageError(f"PUE {pue:g}: give 1 or more (1.1 to 1.6 in most data centers)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonFigures:
    """Emissions (g CO2e) and cost of an energy (J, without the PUE). Unknown figures are None.

    `operational` are the emissions of the energy times the PUE, `embodied` a share of those of
    making the hardware, `total` both.
    """

    energy: Estimate | None = None
    operational: Estimate | None = None
    embodied: Estimate | None = None
    total: Estimate | None = None
    cost: Estimate | None = None


FIGURES = tuple(f.name for f in fields(CarbonFigures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon(CarbonFigures):
    """The same with everything it was computed from; `reasons` why figures are unknown."""

    site: Site
    hardware: Embodied | None = None
    tariff: Tariff | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def carbon_of(
    energy: Estimate | None,
    site: Site,
    *,
    duration_s: float | None = None,
    hardware: Embodied | None = None,
    tariff: Tariff | None = None,
    why_no_energy: str = "the energy is unknown",
    why_no_hardware: str = "not requested: give --embodied 150kg",
) -> Carbon:
    """Emissions and cost of an energy (J) at a site.

    Args:
        energy: as metered, or at the wall, without the PUE. None: unknown.
        site: grid and PUE.
        duration_s: how long the hardware was occupied, for its embodied share.
        hardware: None: unknown, for the reason `why_no_hardware`.
        tariff: the price of electricity. None: no cost is computed.
        why_no_energy: the reason where it is None.
        why_no_hardware: the reason where it is None.

    Raises `UsageError` for an energy below zero or not finite.
    """
    operational = _operational(energy, site) if energy else None
    share = hardware.of(duration_s) if hardware and duration_s is not None else None
    figures = {
        "energy": energy,
        "operational": operational,
        "embodied": share,
        "total": _sum([operational, share], add_independent),
        "cost": tariff.cost(energy, site.pue) if energy and tariff else None,
    }
    reasons = {
        "energy": why_no_energy,
        "operational": why_no_energy,
        "embodied": _NO_DURATION if hardware else why_no_hardware,
        "total": f"{'embodied' if operational else 'operational'} emissions are unknown",
        "cost": why_no_energy if tariff else _NO_TARIFF,
    }
    return Carbon(
        **figures,
        site=site,
        hardware=hardware,
        tariff=tariff,
        reasons={name: reasons[name] for name in FIGURES if figures[name] is None},
    )


def _operational(energy: Estimate, site: Site) -> Estimate:
    if not (math.isfinite(energy.high) and energy.value >= 0):
        raise UsageError(f"an energy of {energy.value:g} J: give one that is finite, 0 or more")
    return site.carbon_g(energy)


def add(parts: Sequence[CarbonFigures]) -> CarbonFigures:
    """The sum of several, figure by figure; None where that of a part is unknown."""
    return CarbonFigures(
        **{name: _sum([getattr(p, name) for p in parts], add_up) for name in FIGURES}
    )


def _sum(
    parts: Sequence[Estimate | None], add: Callable[[Sequence[Estimate]], Estimate | None]
) -> Estimate | None:
    """None where a part is unknown, or where parts have different units."""
    present = [part for part in parts if part is not None]
    if len(present) < len(parts) or len({part.unit for part in present}) != 1:
        return None
    return add(present)
