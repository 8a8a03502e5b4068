"""`joulecast power RUN`: how the power of a run behaves."""

from __future__ import annotations

import json

import click

from . import options


@click.command("power")
@click.argument("run")
@click.option(
    "--method",
    type=click.Choice(["cusum", "fluss"]),
    default="cusum",
    show_default=True,
    help="What a stabilizing point is: a change of mean power, or of its shape (slower; needs "
    "joulecast[analysis]).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.ledger
def command(run: str, method: str, as_json: bool, ledger: str | None) -> None:
    """Say when the power of a run became stable, how stable it was then, and how it follows load.

    RUN is an id or a name. Power against utilization needs a run with gauges.
    """
    from ..analysis.power.behavior import power_behavior
    from ..ledger import open_ledger

    with open_ledger(ledger, create=False) as opened:
        recording = opened.load(run)
    found = power_behavior(recording, method)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.power import render_power

    render_power(found, Console(highlight=False))
