"""`joulecast carbon RUN...|50kWh`: what runs emitted and cost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..units import parse_carbon, parse_duration, parse_energy
from . import options

if TYPE_CHECKING:
    from ..analysis.carbon.cost import Tariff
    from ..analysis.carbon.embodied import Embodied
    from ..analysis.carbon.footprint import Site
    from ..analysis.carbon.grid_live.base import LiveGrid, LiveGridError
    from ..analysis.carbon.intensity import IntensitySeries
    from ..analysis.carbon.run_carbon import RunCarbon
    from ..recording.summary import Summary

SCHEMA = "joulecast/carbon/1"
LIVE = ("electricitymaps", "watttime", "uk")


@click.command("carbon")
@click.argument("what", nargs=-1, required=True, metavar="RUN|ENERGY...")
@options.site
@click.option(
    "--year",
    type=click.IntRange(1990, 2100),
    help="Of the grid's figure. [default: the run's; of an energy, the latest held]",
)
@click.option(
    "--live-grid",
    type=click.Choice(LIVE),
    help="Ask this provider for the intensity of the run's hours, with your key.",
)
@click.option("--zone", metavar="ZONE", help="The provider's name of the grid: US-CAL-CISO, RG10.")
@click.option(
    "--embodied",
    metavar="MASS",
    help="Of making the hardware held: 150kg. [default: of the run's GPUs, where it is known]",
)
@click.option("--lifetime", metavar="TIME", help="It is written off over: 5y. [default: 6y]")
@click.option(
    "--utilization", type=float, metavar="PART", help="In which it works. [default: 0.85]"
)
@click.option("--share", type=float, default=1.0, metavar="PART", help="Of it that was held.")
@click.option("--duration", metavar="TIME", help="For which it was held, of an energy: 12h.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@options.ledger
def command(what: tuple[str, ...], as_json: bool, ledger: str | None, **given: Any) -> None:
    """Say what runs, or an energy, emitted and cost.

        joulecast carbon last --region DE --pue 1.3 --tariff 0.32EUR/kWh

        joulecast carbon 50kWh --region France --year 2021

    Nothing is sent anywhere unless --live-grid names a provider. Its key comes from the
    environment: ELECTRICITYMAPS_API_KEY; WATTTIME_USER and WATTTIME_PASSWORD; uk needs none.
    """
    energies = {text: joules for text in what if (joules := as_energy(text)) is not None}
    task = _Task(given, any(text not in energies for text in what))
    if len(energies) == len(what):
        found = [task.energy(text, energies[text]) for text in what]
    else:
        found = _with_runs(what, energies, task, ledger)
    if task.failed is not None:
        click.echo(f"joulecast: {task.failed}; counted with the bundled figure instead", err=True)
    if as_json:
        click.echo(json.dumps(_document(found, task), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.carbon import render_carbon

    render_carbon(found, Console(highlight=False))


def _with_runs(
    what: tuple[str, ...], energies: dict[str, float], task: _Task, ledger: str | None
) -> list[RunCarbon]:
    from ..late_bar import LateBar
    from ..ledger import open_ledger
    from ..recording.summary import summarize
    from ..wall.wall_energy import with_wall

    found = []
    with open_ledger(ledger, create=False) as opened, LateBar("runs", len(what)) as bar:
        for text in what:
            if text in energies:
                found.append(task.energy(text, energies[text]))
            else:
                found.append(task.run(with_wall(summarize(opened.load(text)), opened)))
            bar.advance(1)
    return found


def as_energy(text: str) -> float | None:
    """Joules of an energy with its unit; None of anything else, which then names a run.

    Raises `UsageError` for an energy of nothing.
    """
    try:
        joules = parse_energy(text)
    except UsageError:
        if text.strip().startswith("-"):
            raise
        return None
    if not text.strip()[-1:].isalpha():  # the beginning of a run's id
        return None
    if joules <= 0:
        raise UsageError(f"{text}: give an energy above zero")
    return joules


class _Task:
    """What the options ask for, applied to one run or energy after the other."""

    def __init__(self, given: dict[str, Any], runs: bool) -> None:
        from ..analysis.carbon.cost import parse_tariff
        from ..analysis.carbon.embodied import parse_lifetime

        self._given = given
        self._check(runs)
        lifetime, use, share = given["lifetime"], given["utilization"], given["share"]
        self._written_off = (None if lifetime is None else parse_lifetime(lifetime), use, share)
        self._hardware = self._embodied()
        tariff = given["tariff"]
        self._tariff: Tariff | None = None if tariff is None else parse_tariff(tariff)
        self._duration_s = None if given["duration"] is None else _duration(given["duration"])
        self.failed: LiveGridError | None = None
        self.live: LiveGrid | None = None
        self.zone: str | None = None
        if given["live_grid"] is not None:
            from ..analysis.carbon.grid_live.providers import live_grid

            self.live = live_grid(given["live_grid"], os.environ)
            self.zone = self.live.zone(given["zone"], given["region"])
        self._site(None)  # what cannot be is said before anything is asked

    def _check(self, runs: bool) -> None:
        given = self._given
        if given["carbon_intensity"] is not None:
            for name in ("live_grid", "year"):
                if given[name] is not None:
                    option = name.replace("_", "-")
                    raise UsageError(f"--carbon-intensity and --{option}: give one of the two")
        if given["zone"] is not None and given["live_grid"] is None:
            raise UsageError(
                "--zone is a provider's name of the grid: add --live-grid, or --region"
            )
        if given["duration"] is not None and runs:
            raise UsageError("--duration is of an energy: a run has its own")

    def _embodied(self) -> Embodied | None:
        from ..analysis.carbon.embodied import Embodied, embodied

        text = self._given["embodied"]
        if text is not None:
            return embodied(parse_carbon(text), *self._written_off)
        lifetime, use, share = self._written_off
        Embodied(1.0, lifetime or 1.0, 1.0 if use is None else use, share)  # refuses what is none
        return None

    def _site(self, year: int | None) -> Site:
        from ..analysis.carbon.footprint import Site

        given = self._given
        region = given["region"]
        if region is None and self.live is not None and self.zone is not None:
            region = self.live.country(self.zone)
        if region is not None and given["region"] is None:
            try:
                return Site.of(region, None, given["pue"], given["year"] or year)
            except UsageError:  # a zone that is in no country of the catalog
                region = None
        return Site.of(region, given["carbon_intensity"], given["pue"], given["year"] or year)

    def energy(self, name: str, joules: float) -> RunCarbon:
        """Of an energy that was named."""
        from ..analysis.carbon.run_carbon import carbon_of_energy
        from ..units import Estimate, Provenance

        live, zone = self.live, self.zone
        series = None if live is None or zone is None else self._asked(lambda: live.latest(zone))
        return self._told(
            carbon_of_energy(
                name,
                Estimate(joules, joules, joules, "J", Provenance.ASSUMED),
                self._site(None),
                series=series,
                duration_s=self._duration_s,
                hardware=self._hardware,
                tariff=self._tariff,
            )
        )

    def run(self, summary: Summary) -> RunCarbon:
        """Of a recorded run."""
        from ..analysis.carbon.run_carbon import carbon_of_run, year_of

        series = None
        live, zone = self.live, self.zone
        if live is not None and zone is not None and summary.total is not None:
            start = summary.recording.header.started_at
            series = self._asked(lambda: live.between(zone, start, start + summary.duration_s))
        return self._told(
            carbon_of_run(
                summary,
                self._site(year_of(summary)),
                series=series,
                hardware=self._hardware,
                written_off=self._written_off,
                tariff=self._tariff,
            )
        )

    def _asked(self, ask: Callable[[], IntensitySeries]) -> IntensitySeries | None:
        """The provider's answer; None once it has failed, which is told."""
        from ..analysis.carbon.grid_live.base import LiveGridError

        if self.failed is None:
            try:
                return ask()
            except LiveGridError as error:
                self.failed = error
        return None

    def _told(self, found: RunCarbon) -> RunCarbon:
        from dataclasses import replace

        if self.failed is None:
            return found
        basis = found.carbon.site.basis
        note = f"the live intensity is missing ({self.failed}): counted at {basis}"
        return replace(found, notes=(note, *found.notes))


def _duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise UsageError(f"--duration {text}: give a time above zero")
    return seconds


def _document(found: list[RunCarbon], task: _Task) -> dict[str, Any]:
    from ..analysis.carbon.footprint import add

    live = task.live
    total = add([run.carbon for run in found])
    return {
        "schema": SCHEMA,
        "live": None
        if live is None
        else {
            "provider": live.name,
            "zone": task.zone,
            "error": None if task.failed is None else str(task.failed),
        },
        "runs": [run.to_json() for run in found],
        "sum": {name: None if x is None else x.to_json() for name, x in total.items()},
    }
