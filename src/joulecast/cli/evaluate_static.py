"""`joulecast evaluate --static`: how good every static forecaster is, on runs that are over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..forecast.methods import Known
from .late_bar import LateBar

if TYPE_CHECKING:
    from ..forecast.static_run import Facts, StaticRun
    from ..forecast.static_workloads import Workloads
    from ..workload.model import Workload

SCHEMA = "joulecast/evaluate/1"
STATIC = (
    *("physical", "layerwise", "pre-power", "pre-energy"),
    *("green-algorithms", "mlco2", "flops-tdp"),
)
"""Names of the methods, our own first."""


def evaluate_static_file(
    file: Path | None,
    names: Sequence[str],
    by: str | None,
    given: Known,
    as_json: bool,
    recorded: str | None,
) -> None:
    """Score the methods in `names` on the runs of a table, and print what was found.

    `given` is what the user said of the machine, which goes before the table; `recorded` is an
    option that asks for recorded runs, which have no such table. Raises `UsageError`.
    """
    from ..forecast.static_csv import read_static
    from ..forecast.static_evaluate import evaluate_static, work
    from ..forecast.static_methods import static_methods

    if file is None or recorded is not None:
        raise UsageError("--static needs a FILE.csv, a row for each run; recorded runs are not one")
    size = file.stat().st_size if file.is_file() and file.suffix != ".gz" else None
    with LateBar("reading", size) as bar:
        runs = [_told(run, given) for run in read_static(file, by, bar.advance)]
    known = static_methods(_workloads("physical" in names))
    methods = {name: known[name] for name in names}
    with LateBar("scoring", None) as bar:  # counting models may be what takes long
        bar.expect(work(runs, methods))
        board = evaluate_static(runs, methods, done=lambda: bar.advance(1))
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA} | board.to_json()))
        return
    from rich.console import Console

    from ..report.evaluation import render_static

    render_static(board, str(file), Console(highlight=False))


def _told(run: StaticRun, given: Known) -> StaticRun:
    """The run with what the user said of the machine."""
    facts = run.facts
    tdp_w, ram_gb, utilisation = given.tdp_w, given.ram_gb, facts.utilisation
    facts = replace(
        facts,
        tdp_w=facts.tdp_w if tdp_w is None else tdp_w,
        ram_gb=facts.ram_gb if ram_gb is None else ram_gb,
        utilisation=given.utilisation if utilisation is None else utilisation,
    )
    return replace(run, facts=facts)


def _workloads(physical: bool) -> Workloads:
    """What looks into models; `physical` reads its constants, so only where it is wanted."""
    from ..forecast.static_workloads import Workloads

    if not physical:
        return Workloads(_build)
    from ..forecast.physical import Physical

    return Workloads(_build, [Physical()])


def _build(facts: Facts, training: bool) -> Workload:
    """The workload that a run names. Raises `JoulecastError`."""
    from ..workload import analyze

    shape = None
    if facts.image_height is not None and facts.image_width is not None:
        shape = (3, int(facts.image_height), int(facts.image_width))
    batch = int(facts.batch or 1)
    how = {"batch": batch, "training": training, "precision": facts.precision}
    return analyze(facts.model, shape, optimizer=facts.optimizer or "adam", **how)
