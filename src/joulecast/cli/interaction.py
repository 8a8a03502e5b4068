"""`joulecast interaction`: whether the effect of one factor depends on another."""

from __future__ import annotations

import json

import click

from ..analysis.table.load import by_columns, load_table
from ..errors import UsageError
from . import options


@click.command("interaction")
@options.table
@click.option("--value", default="energy_j", show_default=True, metavar="COLUMN", help="Of runs.")
@click.option(
    "--by", multiple=True, required=True, metavar="A,B", help="Two factors: architecture,device."
)
@click.option(
    "--test",
    type=click.Choice(["auto", "anova", "art"]),
    default="auto",
    show_default=True,
    help="Analysis of variance, or aligned rank transform; auto: by the assumptions.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of all tests.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    source: tuple[str, ...],
    tags: dict[str, str],
    where: dict[str, set[str]],
    ledger: str | None,
    value: str,
    by: tuple[str, ...],
    test: str,
    alpha: float,
    as_json: bool,
) -> None:
    """Say whether the effect of one factor (an architecture) depends on another (a GPU).

    DATA.csv has a row for each run. Of recorded runs, the columns are their figures and tags.
    """
    from ..analysis.statistics.interaction import interaction

    table = load_table(source, tags=tags, where=where, ledger=ledger)
    factors = by_columns(by, table)
    if len(factors) != 2:
        raise UsageError(f"--by {','.join(by)}: an interaction is of two factors, as in --by a,b")
    found = interaction(table, value, *factors, method=test, alpha=alpha)
    found.notes.extend(table.notes)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.interaction import render_interaction

    render_interaction(found, Console(highlight=False))
