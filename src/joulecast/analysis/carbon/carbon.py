"""The Python interface: `joulecast.carbon`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...errors import UsageError
from ...estimate import Estimate, Provenance
from ...late_bar import LateBar
from ...recording.summary import Summary
from ...result import Result
from ...units import parse_carbon, parse_duration, parse_energy
from .cost import Tariff, parse_tariff
from .embodied import Embodied
from .embodied import embodied as embodied_of
from .footprint import CarbonFigures, Site, add
from .run_carbon import RunCarbon, carbon_of_energy, carbon_of_run, year_of

if TYPE_CHECKING:
    from ...ledger import Ledger
    from .grid_live.base import LiveGrid
    from .intensity import IntensitySeries

Source = str | Estimate | Summary
"""A recorded run (id, name or `last`), an energy (`50kWh`), an estimate in J, or a summary."""


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The provider whose intensities were used; `error` is why it did not answer."""

    provider: str
    zone: str
    error: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class CarbonReport(Result):
    """The emissions and cost of runs or energies.

    Attributes:
        live: the provider of live intensities; None where none was asked for.
        runs: in the order given.
        sum: of all; a figure is None where that of a run is unknown.
    """

    SCHEMA: ClassVar[str] = "joulecast/carbon/1"

    live: LiveAnswer | None
    runs: list[RunCarbon]
    sum: CarbonFigures


def carbon(
    source: Source | Sequence[Source],
    *,
    region: str | None = None,
    carbon_intensity: float | None = None,
    pue: float = 1.0,
    year: int | None = None,
    live_grid: str | None = None,
    zone: str | None = None,
    embodied: str | float | None = None,
    lifetime: str | float | None = None,
    utilization: float | None = None,
    share: float = 1.0,
    held_for: str | float | None = None,
    tariff: str | float | None = None,
    ledger: str | Path | None = None,
) -> CarbonReport:
    """Emissions and cost of recorded runs, or of an energy.

    Nothing leaves the machine unless `live_grid` names a provider.

    Args:
        source: recorded runs (ids, names, `last`), energies (`"50kWh"`), estimates in J, summaries;
            one of these or several.
        region: country whose electricity mix is used. Default: the world average.
        carbon_intensity: of the electricity, g CO2e per kWh, instead of a region.
        pue: power usage effectiveness, facility energy / IT energy.
        year: of the country's figure. Default: the year of the run; for an energy, the latest.
        live_grid: provider of the intensity during the run: `electricitymaps`, `watttime` or `uk`.
        zone: the provider's name of the grid.
        embodied: emissions of making the hardware, g CO2e, or text (`"150kg"`). Default: those of
            the run's GPUs, where the catalog has them.
        lifetime: of the hardware, s, or text (`"5y"`). Default: 6 years.
        utilization: fraction of its lifetime the hardware is in use. Default: 0.85.
        share: fraction of the hardware that was occupied.
        held_for: how long it was occupied, for an energy, s, or text (`"12h"`).
        tariff: price of electricity per kWh, or text (`"0.32EUR/kWh"`). Default: no cost.
        ledger: where the runs are. Default: as in `open_ledger`.

    Returns:
        Energies in J, emissions in g CO2e, cost in the currency of the tariff, with 90 % intervals.
        Unknown figures are None, with a reason.

    Raises:
        RunNotFoundError: a run is not in the ledger.
        UsageError: a value is impossible, or two options exclude each other.

    Examples:
        >>> report = joulecast.carbon("50kWh", region="France", year=2021)
        >>> round(report.sum.operational.value)
        2990
    """
    sources = [source] if isinstance(source, str | Estimate | Summary) else list(source)
    energies = [_energy(s) for s in sources]
    _check(carbon_intensity, year, live_grid, zone)
    if held_for is not None and None in energies:
        raise UsageError("--held-for is for an energy: the duration of a run is known")
    written_off = (_seconds("--lifetime", lifetime), utilization, share)
    pricing = _Pricing(
        lambda country, at: Site.of(country, carbon_intensity, pue, year or at),
        region,
        None if live_grid is None else _live(live_grid, zone, region),
        _hardware(embodied, *written_off),
        written_off,
        _seconds("--held-for", held_for),
        None if tariff is None else parse_tariff(tariff),
    )
    from ...ledger import open_ledger
    from ...wall.wall_energy import summary_of

    # An impossible site raises an error before anything is read.
    pricing.site(None)
    runs = []
    with ExitStack() as stack, LateBar("runs", len(sources)) as bar:
        opened: Ledger | None = None
        for each, energy in zip(sources, energies, strict=True):
            if energy is not None:
                name = each if isinstance(each, str) else str(each).partition(" (")[0]
                runs.append(pricing.of_energy(name, energy))
            elif isinstance(each, Summary):
                runs.append(pricing.of_run(each))
            else:
                opened = opened or stack.enter_context(open_ledger(ledger, create=False))
                runs.append(pricing.of_run(summary_of(opened.load(str(each)), opened)))
            bar.advance(1)
    live = pricing.live
    answer = None if live is None else LiveAnswer(live.provider.name, live.zone, live.error)
    return CarbonReport(answer, runs, add(runs))


def _energy(source: Source) -> Estimate | None:
    """The energy, where it is one and not a run. Raises `UsageError` for an impossible one."""
    if isinstance(source, Estimate):
        return source
    if isinstance(source, Summary):
        return None
    try:
        joules = parse_energy(source)
    except UsageError:
        if source.strip().startswith("-"):
            raise
        return None
    # A number without a unit is the beginning of a run's id.
    if not source.strip()[-1:].isalpha():
        return None
    if joules <= 0:
        raise UsageError(f"{source}: give an energy above zero")
    return Estimate(joules, joules, joules, "J", Provenance.ASSUMED)


def _check(
    intensity: float | None, year: int | None, live_grid: str | None, zone: str | None
) -> None:
    for option, value in (("--live-grid", live_grid), ("--year", year)):
        if intensity is not None and value is not None:
            raise UsageError(f"--carbon-intensity and {option}: give only one of the two")
    if zone is not None and live_grid is None:
        raise UsageError("--zone is for a provider of live intensities: add --live-grid")


def _hardware(
    emitted: str | float | None, lifetime_s: float | None, utilization: float | None, share: float
) -> Embodied | None:
    if emitted is not None:
        grams = parse_carbon(emitted) if isinstance(emitted, str) else emitted
        return embodied_of(grams, lifetime_s, utilization, share)
    # Raises the error of an impossible value, which is used later, for the GPUs of a run.
    embodied_of(1.0, lifetime_s, utilization, share)
    return None


def _seconds(option: str, duration: str | float | None) -> float | None:
    seconds = parse_duration(duration) if isinstance(duration, str) else duration
    if seconds is not None and not seconds > 0:
        raise UsageError(f"{option} {duration}: give a duration above zero")
    return seconds


def _live(name: str, zone: str | None, region: str | None) -> _LiveIntensity:
    from .grid_live.providers import live_grid

    provider = live_grid(name, os.environ)
    return _LiveIntensity(provider, provider.zone(zone, region))


@dataclass(slots=True)
class _LiveIntensity:
    """A provider and the zone to ask for; `error` is why it did not answer."""

    provider: LiveGrid
    zone: str
    error: str | None = None

    def ask(self, request: Callable[[LiveGrid, str], IntensitySeries]) -> IntensitySeries | None:
        """None where the provider fails; after that it is not asked again."""
        from .grid_live.base import LiveGridError

        if self.error is None:
            try:
                return request(self.provider, self.zone)
            except LiveGridError as error:
                self.error = str(error)
        return None


@dataclass(frozen=True, slots=True)
class _Pricing:
    """What an energy is multiplied with; `site_in` gives the site in a country and year."""

    site_in: Callable[[str | None, int | None], Site]
    region: str | None
    live: _LiveIntensity | None
    hardware: Embodied | None
    written_off: tuple[float | None, float | None, float]
    held_for_s: float | None
    tariff: Tariff | None

    def site(self, year: int | None) -> Site:
        """The site with the figure of a year; that of the user's `year` first."""
        if self.region is None and self.live is not None:
            try:
                return self.site_in(self.live.provider.country(self.live.zone), year)
            except UsageError:
                # The zone is in no country of the catalog: the world average is used.
                return self.site_in(None, year)
        return self.site_in(self.region, year)

    def of_energy(self, name: str, energy: Estimate) -> RunCarbon:
        """The emissions and cost of an energy."""
        result = carbon_of_energy(
            name,
            energy,
            self.site(None),
            series=self.live.ask(lambda live, zone: live.latest(zone)) if self.live else None,
            duration_s=self.held_for_s,
            hardware=self.hardware,
            tariff=self.tariff,
        )
        return self._with_error(result)

    def of_run(self, summary: Summary) -> RunCarbon:
        """The emissions and cost of a run."""
        series = None
        if self.live is not None and summary.total is not None:
            start_s = summary.recording.header.started_at
            end_s = start_s + summary.duration_s
            series = self.live.ask(lambda live, zone: live.between(zone, start_s, end_s))
        result = carbon_of_run(
            summary,
            self.site(year_of(summary)),
            series=series,
            hardware=self.hardware,
            written_off=self.written_off,
            tariff=self.tariff,
        )
        return self._with_error(result)

    def _with_error(self, result: RunCarbon) -> RunCarbon:
        if self.live is None or self.live.error is None:
            return result
        note = f"no live intensity ({self.live.error}): {result.site.basis} is used"
        return replace(result, notes=(note, *result.notes))
