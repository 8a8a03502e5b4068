"""`joulecast cycle`: training and inference together, and where one model overtakes another."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..analysis.table.load import by_columns, is_file, load_table
from ..errors import UsageError
from ..units import parse_duration, parse_energy
from . import options

if TYPE_CHECKING:
    from ..analysis.tradeoff.full_cycle import Figure, InferenceDemand, Model

_DAY = 86400.0
_PERIODS = {"s": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
_PERIODS |= {"d": _DAY, "day": _DAY, "week": 7 * _DAY, "month": 30.4375 * _DAY}
_PERIODS |= {"y": 365.25 * _DAY, "year": 365.25 * _DAY}
_RATE = re.compile(r"\s*([\d.,_]+(?:[eE][+-]?\d+)?)\s*(?:(?:/|per\s)\s*([a-z]+?))?\s*")
_MARGIN = re.compile(r"\s*(?:±|\+-|\+/-)\s*([\d.]+)\s*%\s*$")


def parse_requests(text: str) -> tuple[float, float | None]:
    """A number and the seconds it is served in: `1e6/day`, `50 per s`; or in all: `1e9` (None).

    Raises `UsageError`.
    """
    match = _RATE.fullmatch(text)
    period = match and match[2] and _PERIODS.get(match[2])
    try:
        number = float(match[1].replace(",", "")) if match and "_" not in match[1] else -1.0
    except ValueError:
        number = -1.0
    if match is None or (match[2] and not period) or not 0 <= number < 1e18:
        raise UsageError(
            f"{text!r} are no requests: write 1e6/day, 50/s, 2000/h, or a number in all"
        )
    return number, period or None


def parse_period(text: str) -> float:
    """Seconds from `365d`, `8h`, `2 years`, `6 months`. Raises `UsageError`."""
    match = re.fullmatch(r"\s*([\d.]+)\s*(week|month|year|day|hour|y)s?\s*", text)
    if match:
        try:
            return float(match[1]) * _PERIODS[match[2]]
        except ValueError:
            pass
    return parse_duration(text)


def usage_of(requests: tuple[float, float | None], duration_s: float | None) -> InferenceDemand:
    """Both options as one usage. Raises `UsageError` for a rate without an end."""
    from ..analysis.tradeoff.full_cycle import InferenceDemand

    number, period = requests
    if period is None:
        return InferenceDemand(number, number / duration_s if duration_s else None, duration_s)
    if not duration_s:
        raise UsageError("for how long? A rate needs --for: --requests 1e6/day --for 365d")
    return InferenceDemand(number / period * duration_s, number / period, duration_s)


def parse_model(text: str) -> Model:
    """`vgg16=950 kJ,1.2 J`, each with `±5%` where it is known. Raises `UsageError`."""
    from ..analysis.tradeoff.full_cycle import Model

    name, _, figures = text.rpartition("=")
    parts = figures.split(",")
    if not name.strip() or len(parts) != 2:
        raise UsageError(f"{text!r} is no model: write NAME=TRAINING,INFERENCE: vgg16=950kJ,1.2J")
    return Model(name.strip(), _figure(parts[0]), _figure(parts[1]))


def _figure(text: str) -> Figure:
    from ..analysis.tradeoff.full_cycle import Figure

    margin = _MARGIN.search(text)
    if margin is None:
        return Figure(parse_energy(text), why="given without a margin: 950kJ±5%")
    value = parse_energy(text[: margin.start()])
    try:
        share = float(margin[1]) / 100
    except ValueError:
        raise UsageError(f"{text!r}: {margin[1]} is no number of percent") from None
    return Figure(value, max(0.0, value * (1 - share)), value * (1 + share))


@click.command("cycle")
@click.argument("sources", nargs=-1, metavar="[DATA.csv|RUN...] [MODEL=TRAINING,INFERENCE]...")
@click.option(
    "--requests",
    required=True,
    callback=options.parsed(parse_requests),
    metavar="N[/day]",
    help="Inferences: 1e6/day, 50/s (with --for), or in all.",
)
@click.option(
    "--for",
    "duration",
    callback=options.parsed(parse_period),
    metavar="TIME",
    help="How long the model is in use: 365d, 2 years.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN,...",
    help="Rows of one model share these. [default: model, else architecture, else name]",
)
@click.option("--training", default="training_j", show_default=True, metavar="COLUMN")
@click.option("--inference", default="inference_j", show_default=True, metavar="COLUMN")
@click.option(
    "--served",
    default="requests",
    show_default=True,
    metavar="COLUMN",
    help="Of recorded runs: how many inferences one served; a run without it is a training.",
)
@options.tags
@options.where
@options.ledger
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    sources: tuple[str, ...],
    requests: tuple[float, float | None],
    duration: float | None,
    by: tuple[str, ...],
    training: str,
    inference: str,
    served: str,
    tags: dict[str, str],
    where: dict[str, set[str]],
    ledger: str | None,
    as_json: bool,
) -> None:
    """Say what models cost in training and inference together, and where two break even.

    DATA.csv has the energy of training (--training) and of one inference (--inference) of each
    model, in joules or as the column's name or the cells say: training (kWh), 50 kJ. Several rows
    of a model are repetitions. Of recorded runs, those that say how many inferences they served
    (run.log(requests=5000), --tag requests=5000) tell the energy of one, all others that of
    training. Models may also be given as they are: vgg16=950kJ±5%,1.2J
    """
    from ..analysis.table.runs_table import trainings_and_inferences
    from ..analysis.tradeoff.full_cycle import full_cycle, models_of

    usage = usage_of(requests, duration)
    given = [parse_model(s) for s in sources if "=" in s and not is_file(s)]
    read = [s for s in sources if "=" not in s or is_file(s)]
    if not (sources or tags):
        raise UsageError("of what? Name a CSV file, runs, or models: vgg16=950kJ,1.2J")
    models: Sequence[Model] = given
    rows: int | None = None
    left_out: dict[str, int] = {}
    remarks: Sequence[str] = ()
    title = "Training and inference"
    if read or tags:
        table = load_table(read, tags=tags, where=where, ledger=ledger)
        remarks = table.notes
        if not any(map(is_file, read)):
            table = trainings_and_inferences(table, served, training, inference)
        columns = by_columns(by, table, ("model", "architecture", "name"))
        found, left_out = models_of(table, columns, training, inference)
        models, rows, title = [*found, *given], len(table), table.name
    result = full_cycle(models, usage, rows, left_out)
    result.notes.extend(remarks)
    if as_json:
        click.echo(json.dumps(result.to_json(), allow_nan=False))
        return
    from rich.console import Console

    from ..reports.terminal.cycle import render_cycle

    render_cycle(result, title, Console(highlight=False))
