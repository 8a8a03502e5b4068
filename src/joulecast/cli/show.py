"""`joulecast show RUN`: one run in the terminal."""

from __future__ import annotations

import json

import click

from . import options


@click.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@options.ledger
def command(run: str, as_json: bool, ledger: str | None) -> None:
    """Show one run, by its id or name, in the terminal."""
    from ..ledger import open_ledger
    from ..recording.summary import Summary, summarize
    from ..wall.wall_energy import with_wall

    with open_ledger(ledger, create=False) as opened:
        summary: Summary = with_wall(summarize(opened.load(run)), opened)
    if as_json:
        click.echo(json.dumps(summary.to_json(), indent=2))
        return
    from rich.console import Console

    from ..reports.terminal.run import render_text

    render_text(summary, Console(highlight=False))
