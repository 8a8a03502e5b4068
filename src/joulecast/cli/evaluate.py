"""`joulecast evaluate`: how good every online forecaster is, on runs that are over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..forecasting.scoring.methods import METHODS, Known
from ..late_bar import LateBar
from ..units import one_line, parse_power
from . import options
from .evaluate_static import SCHEMA, STATIC, Recorded, evaluate_static

if TYPE_CHECKING:
    from ..forecasting.scoring.scoreboard import Subject


def parse_counts(text: str) -> list[int]:
    """`1,2,5` as numbers of epochs. Raises `UsageError`."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise UsageError(f"--at {text}: write numbers of epochs from 1 on, as in 1,2,5")
    return sorted(set(counts))


@click.command("evaluate")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE.csv]")
@click.option("--static", is_flag=True, help="Forecasts made before the runs; FILE is of runs.")
@click.option(
    "--at",
    metavar="N,N,...",
    default="1,2,3,5,10,15",
    show_default=True,
    callback=options.parsed(parse_counts),
    help="Numbers of epochs seen.",
)
@click.option(
    "--method",
    "names",
    multiple=True,
    type=click.Choice(list(dict.fromkeys([*METHODS, *STATIC]))),
    metavar="NAME",
    help=f"Only this one; may be given many times. One of {', '.join(METHODS)}; "
    f"with --static, of {', '.join(STATIC)}.",
)
@click.option("--by", metavar="COLUMN", help="Scores for each value of a column of FILE, too.")
@click.option(
    "--tdp",
    metavar="POWER",
    callback=options.parsed(parse_power),
    help="Rated power of all devices of a run together: 700 W. [default: tdp_w in FILE, the "
    "hardware of a recorded run]",
)
@click.option("--ram", type=click.FloatRange(0), metavar="GB", help="Memory of the machine.")
@click.option(
    "--utilization",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Of the devices, for green-algorithms.",
)
@click.option("--name", metavar="GLOB", help="Of recorded runs; * and ? as in a shell.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="The newest N recorded runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.ledger
def command(
    file: Path | None,
    static: bool,
    at: list[int],
    names: tuple[str, ...],
    by: str | None,
    tdp: float | None,
    ram: float | None,
    utilization: float,
    name: str | None,
    limit: int,
    as_json: bool,
    ledger: str | None,
) -> None:
    """Score the forecasters on runs that are over: the online ones, or --static.

    FILE.csv has a row for each epoch: run_id,epoch,duration_s,energy_j and, where known,
    planned_epochs and tdp_w; other columns are passed over. Without it, the finished runs of the
    ledger that have epochs are taken.

    With --static, FILE.csv has a row for each run: architecture,gpu,energy_j,duration_s and what
    was known of it before: batch, epochs, training_size, gflops, ... (docs/methods/scoring.md); of
    recorded runs, that is in their tags.
    """
    kind, known = ("static", STATIC) if static else ("online", tuple(METHODS))
    strange = [method for method in names if method not in known]
    if strange:
        raise UsageError(f"--method {strange[0]} is not {kind}: use one of {', '.join(known)}")
    if file is not None and (ledger is not None or name is not None):
        raise UsageError("FILE or recorded runs (--ledger, --name): not both")
    if file is None and by is not None:
        raise UsageError("--by needs a FILE: recorded runs have no columns")
    given = Known(tdp, ram, utilization)
    if static:
        recorded = Recorded(ledger, name, limit)
        evaluate_static(file, names or STATIC, by, given, as_json, recorded)
        return
    from ..forecasting.scoring.scoreboard import score_all

    title, subjects, left_out, notes = (
        _of_ledger(ledger, name, limit, given) if file is None else _of_table(file, by, given)
    )
    with LateBar("scoring", len(subjects)) as bar:
        board = score_all(subjects, at, names or tuple(METHODS), lambda: bar.advance(1))
    board = replace(board, left_out=(*left_out, *board.left_out), notes=(*notes, *board.notes))
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA} | board.to_json()))
        return
    from rich.console import Console

    from ..reports.terminal.evaluation import render_evaluation

    render_evaluation(board, title, Console(highlight=False))


_Found = tuple[str, list["Subject"], list[tuple[str, str]], list[str]]
"""What it is of, the runs, those left out and why, and notes."""


def _of_table(file: Path, by: str | None, given: Known) -> _Found:
    from ..forecasting.scoring.epochs_csv import read_epochs
    from ..forecasting.scoring.scoreboard import Subject

    size = file.stat().st_size if file.is_file() and file.suffix != ".gz" else None
    with LateBar("reading", size) as bar:
        runs = read_epochs(file, [by] if by else [], bar.advance)
    subjects = [Subject(run.history, _or(given, run.tdp_w), run.group) for run in runs]
    gapped = [run for run in runs if run.absent]
    notes = []
    if gapped:
        first = one_line(gapped[0].history.run_id)
        notes.append(
            f"{len(gapped)} of {len(runs)} runs lack epochs between others ({first}: "
            f"{gapped[0].absent}): what those cost is in neither forecast nor truth"
        )
    return str(file), subjects, [], notes


def _of_ledger(ledger: str | None, name: str | None, limit: int, given: Known) -> _Found:
    from ..forecasting.online.histories import histories
    from ..forecasting.scoring.rated import known_of
    from ..forecasting.scoring.scoreboard import Subject
    from ..ledger import open_ledger

    left_out: list[tuple[str, str]] = []
    subjects = []
    with open_ledger(ledger, create=ledger is None) as opened:
        found = histories(
            opened, limit=limit, name=name, left_out=lambda *run: left_out.append(run)
        )
        for i, history in enumerate(found):
            rated = known_of(opened.load(history.run_id).header)
            known = _or(given, rated.tdp_w, rated.ram_gb)
            past = found[i + 1 :]  # newest first: those that came before it
            subjects.append(Subject(history, replace(known, past=past)))
        title = f"finished runs in {opened.location}"
    return title, subjects, left_out, []


def _or(given: Known, tdp_w: float | None, ram_gb: float | None = None) -> Known:
    """What the user said, and else what was found out."""
    return replace(
        given,
        tdp_w=tdp_w if given.tdp_w is None else given.tdp_w,
        ram_gb=ram_gb if given.ram_gb is None else given.ram_gb,
    )
