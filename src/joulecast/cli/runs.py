"""`joulecast runs`: the list of recorded runs."""

import sys
from typing import Any

import click

from ..result import Result
from . import options
from .verb import verb

SHOWN = 100
"""Runs that a terminal shows where no limit is given."""

_STATUSES = ("running", "finished", "failed", "canceled", "stopped", "interrupted")
_WHEN = "2026-01-31, 2026-01-31T14:30 (local time), or 7d or 12h (ago)"


@verb("runs")
@click.argument("patterns", nargs=-1, metavar="[RUN...]")
@options.tags
@click.option("--since", metavar="WHEN", help=f"List only runs started at or after {_WHEN}.")
@click.option(
    "--until",
    metavar="WHEN",
    help="List only runs started before this time, as for --since; a date includes its day.",
)
@click.option("--status", type=click.Choice(_STATUSES), help="List only runs with this status.")
@options.count(
    "--limit",
    metavar="N",
    help=f"List only the newest N runs. [default: {SHOWN} on a terminal, otherwise all]",
)
@options.ledger
def command(patterns: tuple[str, ...], **filters: Any) -> Result:
    """List the recorded runs with their energy, newest first.

    RUN is an id or a name; *, ? and [..] match as in a shell. Default: all runs.

        joulecast runs "resnet*" --tag lr=0.1 --since 7d
    """
    from ..run.runs import runs

    listing = runs(*patterns, **filters)
    whole = filters["limit"] is not None or click.get_current_context().params["as_json"]
    if whole or len(listing) <= SHOWN or not sys.stdout.isatty():
        return listing
    text = f"joulecast: the newest {SHOWN} of {len(listing):,} runs: --limit N lists more"
    click.echo(text, err=True)
    return type(listing)(listing[:SHOWN])
