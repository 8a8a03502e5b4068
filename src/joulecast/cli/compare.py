"""`joulecast compare`: do groups of runs differ, and by how much."""

from __future__ import annotations

import json

import click

from ..analysis.table.columns import Table
from ..analysis.table.load import load_table
from ..errors import UsageError
from ..units import one_line
from . import options

_OBVIOUS = ("architecture", "model", "method", "configuration", "name")
"""Columns that are groups where none is named: the first that has more than one label, or one."""

_MOST_LEVELS = 20  # of a column that an error proposes to group by


def grouping(table: Table) -> str:
    """The column that obviously groups the rows.

    Raises `UsageError`, with the candidates, where there is none.
    """
    there = {c: {*table.labels(c)} - {None} for c in _OBVIOUS if c in table.columns}
    for least in (2, 1):  # of one group there is something to say, too
        for column, labels in there.items():
            if len(labels) >= least:
                return column
    found = [one_line(column) for column in table.columns if _groups(table, column)]
    more = f" and {len(found) - 12} more" if len(found) > 12 else ""
    hint = f": it may be {', '.join(found[:12])}{more}" if found else ""
    raise UsageError(f"{table.name}: --by which column?{hint}")


def _groups(table: Table, column: str) -> bool:
    labels = [label for label in table.labels(column) if label is not None]
    levels = len(set(labels))
    return 1 < levels <= _MOST_LEVELS and levels < len(labels)


@click.command("compare")
@options.table
@click.option(
    "--value", default="energy_j", show_default=True, metavar="COLUMN", help="What to compare."
)
@click.option(
    "--by",
    metavar="COLUMN",
    help="Whose labels are the groups. [default: architecture, model or name]",
)
@click.option("--baseline", metavar="GROUP", help="Show only the pairs with this group.")
@click.option(
    "--with",
    "other",
    metavar="COLUMN",
    help="Instead: whether --value rises with this column (Spearman); in each group of --by, too.",
)
@click.option(
    "--test",
    type=click.Choice(("auto", "welch", "kruskal")),
    default="auto",
    show_default=True,
    help="Welch's ANOVA and Games-Howell, Kruskal-Wallis and Dunn, or what normality allows.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of every test.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    source: tuple[str, ...],
    tags: dict[str, str],
    where: dict[str, set[str]],
    ledger: str | None,
    value: str,
    by: str | None,
    baseline: str | None,
    other: str | None,
    test: str,
    alpha: float,
    as_json: bool,
) -> None:
    """Say whether groups of runs differ, and by how much: tests, effect sizes, each pair.

    DATA.csv has a row for each run. RUN is an id, a name (all runs of it), a pattern such as
    "resnet*", or last; their columns are energy_j, duration_s, power_w, ..., metrics and tags.
    """
    if other is not None and (baseline is not None or test != "auto"):
        raise UsageError("--with is a correlation, which has neither --baseline nor --test")
    table = load_table(source, tags=tags, where=where, ledger=ledger)
    remarks = table.notes
    if other is None:
        _compare(table, remarks, value, by or grouping(table), test, alpha, baseline, as_json)
        return
    from ..analysis.statistics.correlation import correlate

    found = correlate(table, value, other, by)
    if as_json:
        click.echo(
            json.dumps(found.to_json() | {"notes": [*remarks, *found.notes]}, allow_nan=False)
        )
        return
    from rich.console import Console

    from ..reports.terminal.compare import render_correlations

    render_correlations(found, remarks, Console(highlight=False))


def _compare(
    table: Table,
    remarks: tuple[str, ...],
    value: str,
    by: str,
    test: str,
    alpha: float,
    baseline: str | None,
    as_json: bool,
) -> None:
    from ..analysis.statistics.compare import compare

    found = compare(table, value, by, test=test, alpha=alpha, baseline=baseline)
    if as_json:
        document = found.to_json() | {"notes": [*remarks, *found.notes]}
        click.echo(json.dumps(document, allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.compare import render_comparison

    render_comparison(found, remarks, Console(highlight=False), baseline)
