"""`joulecast carbon RUN...|50kWh`: emissions and cost of runs."""

from typing import Any

import click

from ..result import Result
from ..units import printable
from . import options
from .verb import verb

LIVE = ("electricitymaps", "watttime", "uk")


@verb("carbon")
@click.argument("source", nargs=-1, required=True, metavar="RUN|ENERGY...")
@options.site
@click.option(
    "--year",
    type=click.IntRange(1990, 2100),
    help="Year of the country's carbon intensity. [default: the year of the run; for an energy, "
    "the latest year in the catalog]",
)
@click.option(
    "--live-grid",
    type=click.Choice(LIVE),
    help="Provider to ask for the carbon intensity during the run. [default: none is asked]",
)
@click.option(
    "--zone",
    metavar="ZONE",
    help="The provider's name of the grid: US-CAL-CISO, RG10. [default: that of --region]",
)
@click.option(
    "--embodied",
    metavar="MASS",
    help="Emissions of making the hardware: 150kg. [default: those of the run's GPUs, where the "
    "catalog has them]",
)
@click.option("--lifetime", metavar="TIME", help="Lifetime of the hardware: 5y. [default: 6y]")
@click.option(
    "--utilization",
    type=float,
    metavar="FRACTION",
    help="Fraction of its lifetime the hardware is in use. [default: 0.85]",
)
@click.option(
    "--share",
    type=float,
    default=1.0,
    metavar="FRACTION",
    help="Fraction of the hardware that was occupied.",
)
@click.option(
    "--held-for",
    metavar="TIME",
    help="How long the hardware was occupied, for an energy: 12h. [default: unknown]",
)
@options.ledger
def command(source: tuple[str, ...], **given: Any) -> Result:
    """Show the emissions and the cost of recorded runs, or of an energy.

        joulecast carbon last --region DE --pue 1.3 --tariff 0.32EUR/kWh

        joulecast carbon 50kWh --region France --year 2021

    Nothing leaves the machine unless --live-grid names a provider. Its key is read from the
    environment: ELECTRICITYMAPS_API_KEY; WATTTIME_USER and WATTTIME_PASSWORD; uk needs no key.
    """
    from ..analysis.carbon.carbon import carbon

    report = carbon(source, **given)
    if report.live is not None and report.live.error is not None:
        problem = printable(report.live.error)
        click.echo(f"joulecast: {problem}; the catalog's figure is used", err=True)
    return report
