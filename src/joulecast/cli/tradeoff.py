"""`joulecast tradeoff`: cost against quality, and training against inference."""

from typing import Any

import click

from ..result import Result
from . import options
from .verb import verb


@verb("tradeoff")
@options.table
@options.column(
    "--cost",
    default="energy_j",
    help="Column to minimize. Its unit is read from its name: energy_j, energy (MJ).",
)
@options.column(
    "--quality", default="accuracy", help="Column of quality, such as a metric of the runs."
)
@options.by
@options.minimize
@options.tolerance
@options.baseline
@options.column(
    "--within", help="Column whose values get a trade-off each. [default: one for all rows]"
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
@options.column(
    "--training-column",
    default="training_j",
    help="Column of the energy of a training, with --requests.",
)
@options.column(
    "--inference-column",
    default="inference_j",
    help="Column of the energy of one inference, with --requests.",
)
@options.column(
    "--requests-column",
    default="requests",
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
