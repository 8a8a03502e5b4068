"""`joulecast evaluate`: how accurate forecasts are, on finished runs."""

from collections.abc import Mapping
from typing import Any

import click

from ..errors import UsageError
from ..forecasting.scoring.names import ONLINE, STATIC
from ..result import Result
from ..units import parse_power
from . import options
from .verb import verb


def parse_counts(text: str) -> list[int]:
    """`1,2,5` as numbers of epochs. Raises `UsageError`."""
    try:
        counts = {int(part) for part in text.split(",")}
    except ValueError:
        counts = {0}
    if min(counts) < 1:
        raise UsageError(f"--at {text}: write numbers of epochs from 1 on, such as 1,2,5")
    return sorted(counts)


@verb("evaluate")
@click.argument("source", nargs=-1, metavar="[FILE|RUN...]")
@options.flag(
    "--static",
    help="Score forecasts made before the runs. [default: those made during the runs]",
)
@click.option(
    "--at",
    metavar="N,N,...",
    default="1,2,3,5,10,15",
    callback=options.parsed(parse_counts),
    help="Numbers of finished epochs after which the whole run is forecast.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(list(dict.fromkeys([*ONLINE, *STATIC]))),
    metavar="NAME",
    help="Score only this forecaster; repeat it for several. During a run: "
    f"{', '.join(ONLINE)}. With --static: {', '.join(STATIC)}. [default: all]",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN[,COLUMN]",
    help="Columns of FILE whose values make groups that are scored on their own, too. "
    "[default: no groups]",
)
@click.option(
    "--tdp",
    "tdp_w",
    metavar="POWER",
    callback=options.parsed(parse_power),
    help="Rated power of all devices of a run together, such as 700W. [default: the column tdp_w, "
    "or that of the recorded hardware]",
)
@click.option(
    "--ram",
    "ram_gb",
    type=click.FloatRange(0),
    metavar="GB",
    help="Memory of the machine in GB. [default: the column ram_gb with --static, or that of the "
    "recorded machine]",
)
@click.option(
    "--usage-factor",
    type=click.FloatRange(0, 1),
    default=1.0,
    help="Mean load of the devices, 0 to 1, for green-algorithms.",
)
@options.count("--limit", default=50, metavar="N", help="Use only the newest N recorded runs.")
@options.tags
@options.ledger
def command(tags: Mapping[str, str], **arguments: Any) -> Result:
    """Score forecasters on finished runs: mean errors, and how well their intervals hold.

        joulecast evaluate epochs.csv --at 1,5

    FILE is a CSV table with a row for each epoch: run_id,epoch,duration_s,energy_j and,
    where known, planned_epochs and tdp_w. RUN is an id, a name or a pattern of recorded runs;
    without both, all finished runs of the ledger are used.

    With --static, FILE has a row for each run: architecture,gpu,energy_j,duration_s and what was
    known before it: batch, epochs, training_size, gflops, ... Recorded runs have that in their
    tags.
    """
    from ..forecasting.scoring.api import evaluate

    return evaluate(tags=tags, **arguments)
