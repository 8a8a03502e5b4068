"""`joulecast tradeoff`: cost against quality, and training against inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from . import options
from .verb import verb

if TYPE_CHECKING:
    from ..result import Result


def parse_tolerance(text: str) -> float:
    """`2%`, `2 %` or `0.02` as 0.02. Raises `UsageError`."""
    bare = text.strip().removesuffix("%").strip()
    try:
        value = float(bare) / (100 if "%" in text else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"--tolerance {text}: write 2% or 0.02")
    return value


@verb("tradeoff")
@options.table
@click.option(
    "--cost",
    default="energy_j",
    show_default=True,
    metavar="COLUMN",
    help="Column to minimize. Its unit is read from its name: energy_j, energy (MJ).",
)
@click.option(
    "--quality",
    default="accuracy",
    show_default=True,
    metavar="COLUMN",
    help="Column of quality, such as a metric of the runs.",
)
@options.by
@click.option(
    "--minimize", is_flag=True, help="Treat lower values of --quality as better, as for a loss."
)
@click.option(
    "--tolerance",
    default="2%",
    show_default=True,
    callback=options.parsed(parse_tolerance),
    metavar="FRACTION",
    help="How far below the best quality the recommended configuration may be: 2% or 0.02.",
)
@options.baseline
@click.option(
    "--within",
    metavar="COLUMN",
    help="Column whose values get a trade-off each. [default: one for all rows]",
)
@click.option(
    "--requests",
    metavar="N|N/day|N/s",
    help="Compare the energy of training and inference for so many requests: a number in total, "
    "or a rate with --service-life.",
)
@click.option(
    "--service-life",
    metavar="TIME",
    help="Time a model is in service, for --requests as a rate: 365d, 2 years.",
)
@click.option(
    "--training-column",
    default="training_j",
    show_default=True,
    metavar="COLUMN",
    help="Column of the energy of a training, with --requests.",
)
@click.option(
    "--inference-column",
    default="inference_j",
    show_default=True,
    metavar="COLUMN",
    help="Column of the energy of one inference, with --requests.",
)
@click.option(
    "--requests-column",
    default="requests",
    show_default=True,
    metavar="COLUMN",
    help="Column of the number of requests that a recorded run served, with --requests; a run "
    "without it is a training.",
)
def command(**given: Any) -> Result:
    """Weigh models by cost and quality: Pareto front, savings, diminishing returns, labels.

        joulecast tradeoff "resnet*" "vgg*" --by name --quality accuracy

    DATA.csv has one row for each run. The columns of recorded runs are their figures, metrics and
    tags. With --requests, models are compared by the energy of training and inference together,
    and the number of requests from which on one needs less energy than another:

        joulecast tradeoff vgg16=950kJ,1.2J resnet50=700kJ,0.9J --requests 1e9
    """
    from ..analysis.tradeoff.tradeoff import tradeoff

    return tradeoff(**given)
