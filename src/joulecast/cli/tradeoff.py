"""`joulecast tradeoff`: what correctness costs, and what may be saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..analysis.table.load import by_columns, load_table
from ..errors import UsageError
from . import options

if TYPE_CHECKING:
    from ..analysis.table.columns import Table
    from ..analysis.tradeoff.front import Tradeoff

SCHEMA = "joulecast/tradeoff/1"


def parse_tolerance(text: str) -> float:
    """`2%`, `2 %` or `0.02` as 0.02. Raises `UsageError`."""
    bare = text.strip().removesuffix("%").strip()
    try:
        value = float(bare) / (100 if "%" in text else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"{text!r} is no tolerance: write 2% or 0.02")
    return value


@click.command("tradeoff")
@options.table
@click.option("--cost", default="energy_j", show_default=True, metavar="COLUMN", help="Of runs.")
@click.option(
    "--quality", default="accuracy", show_default=True, metavar="COLUMN", help="Of correctness."
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN,...",
    help="Runs that share these are one configuration. [default: architecture, else name]",
)
@click.option("--minimize", is_flag=True, help="Less quality is better: it is a loss.")
@click.option(
    "--tolerance",
    default="2%",
    show_default=True,
    callback=options.parsed(parse_tolerance),
    help="What the cheapest may lack of the best quality.",
)
@click.option("--against", metavar="NAME", help="The configuration to compare with. [the best]")
@click.option("--within", metavar="COLUMN", help="Once for each value of this column.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    source: tuple[str, ...],
    tags: dict[str, str],
    where: dict[str, set[str]],
    ledger: str | None,
    cost: str,
    quality: str,
    by: tuple[str, ...],
    minimize: bool,
    tolerance: float,
    against: str | None,
    within: str | None,
    as_json: bool,
) -> None:
    """Weigh configurations by cost and quality: the Pareto front, savings, returns, labels.

    DATA.csv has a row for each run; its columns are named with --cost, --quality and --by. Of
    recorded runs, the columns are their figures, metrics and tags.
    """
    from ..analysis.tradeoff.front import tradeoff

    table = load_table(source, tags=tags, where=where, ledger=ledger)
    columns = by_columns(by, table, ("architecture", "name"))
    parts = [(None, table)] if within is None else _parts(table, within)
    found: list[tuple[str | None, Tradeoff]] = []
    for level, part in parts:
        result = tradeoff(part, cost, quality, columns, not minimize, tolerance, against)
        result.notes.extend(table.notes)
        found.append((level, result))
    if as_json:
        if within is None:
            click.echo(json.dumps(found[0][1].to_json(), allow_nan=False))
            return
        groups = [{"group": level} | _body(result) for level, result in found]
        document = {"schema": SCHEMA, "within": within, "groups": groups}
        click.echo(json.dumps(document, allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.tradeoff import render_tradeoff

    console = Console(highlight=False)
    for i, (_, result) in enumerate(found):
        if i:
            console.print()
            console.rule(style="dim")
        render_tradeoff(result, console)


def _parts(table: Table, column: str) -> list[tuple[str | None, Table]]:
    from dataclasses import replace

    import numpy as np

    labels = table.labels(column)
    levels = list(dict.fromkeys(label for label in labels if label is not None))
    if not levels:
        raise UsageError(f"--within {column}: it has no values")
    return [
        (
            level,
            replace(
                table.rows(np.array([label == level for label in labels])),
                name=f"{table.name}, {column} {level}",
            ),
        )
        for level in levels
    ]


def _body(result: Tradeoff) -> dict[str, object]:
    return {key: value for key, value in result.to_json().items() if key != "schema"}
