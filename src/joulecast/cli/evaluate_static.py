"""`joulecast evaluate --static`: how good every static forecaster is, on runs that are over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BadInputError
from ..forecasting.scoring.methods import Known
from ..late_bar import LateBar

if TYPE_CHECKING:
    from ..forecasting.past_run import Facts, StaticRun
    from ..forecasting.scoring.static_workloads import Workloads
    from ..workload.model import Workload

SCHEMA = "joulecast/evaluate/1"
STATIC = (
    *("physical", "layerwise", "pre-power", "pre-energy"),
    *("green-algorithms", "mlco2", "flops-tdp"),
)
"""Names of the methods, our own first."""
LIBRARIES = ("torchvision:", "timm:", "transformers:")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Which recorded runs are meant."""

    ledger: str | None
    name: str | None
    limit: int


def evaluate_static(
    file: Path | None,
    names: Sequence[str],
    by: str | None,
    given: Known,
    as_json: bool,
    recorded: Recorded,
) -> None:
    """Score the methods in `names`, on a table or on recorded runs, and print what was found.

    `given` is what the user said of the machine, which goes before what runs say.
    """
    from ..forecasting.scoring import static_evaluate as science
    from ..forecasting.scoring.static_methods import static_methods

    title, runs, left_out = _recorded(recorded) if file is None else _of_table(file, by)
    runs = [_told(run, given) for run in runs]
    known = static_methods(_workloads("physical" in names))
    methods = {name: known[name] for name in names}
    with LateBar("scoring", None) as bar:  # counting models may be what takes long
        bar.expect(science.work(runs, methods))
        board = science.evaluate_static(runs, methods, done=lambda: bar.advance(1))
    board = replace(board, left_out=tuple(left_out))
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA} | board.to_json()))
        return
    from rich.console import Console

    from ..reports.terminal.evaluation import render_static

    render_static(board, title, Console(highlight=False))


_Found = tuple[str, list["StaticRun"], list[tuple[str, str]]]
"""What it is of, the runs, those left out and why."""


def _of_table(file: Path, by: str | None) -> _Found:
    from ..forecasting.scoring.static_csv import read_static

    size = file.stat().st_size if file.is_file() and file.suffix != ".gz" else None
    with LateBar("reading", size) as bar:
        return str(file), read_static(file, [by] if by else [], bar.advance), []


def _recorded(recorded: Recorded) -> _Found:
    from ..forecasting.scoring.static_ledger import static_runs
    from ..ledger import open_ledger

    left_out: list[tuple[str, str]] = []
    with open_ledger(recorded.ledger, create=recorded.ledger is None) as opened:
        runs = static_runs(
            opened,
            limit=recorded.limit,
            name=recorded.name,
            left_out=lambda *run: left_out.append(run),
        )
        return f"finished runs in {opened.location}", runs, left_out


def _told(run: StaticRun, given: Known) -> StaticRun:
    """The run with what the user said of the machine."""
    facts = run.facts
    tdp_w, ram_gb, utilization = given.tdp_w, given.ram_gb, facts.utilization
    facts = replace(
        facts,
        tdp_w=facts.tdp_w if tdp_w is None else tdp_w,
        ram_gb=facts.ram_gb if ram_gb is None else ram_gb,
        utilization=given.utilization if utilization is None else utilization,
    )
    return replace(run, facts=facts)


def _workloads(physical: bool) -> Workloads:
    """What looks into models; `physical` reads its constants, so only where it is wanted."""
    from ..forecasting.scoring.static_workloads import Workloads

    if not physical:
        return Workloads(_build)
    from ..forecasting.physical.forecaster import Physical

    return Workloads(_build, [Physical()])


def _build(facts: Facts, training: bool) -> Workload:
    """The workload that a run names. Raises `JoulecastError`.

    A table may come from anyone: a model in it may be one of a library, and no code to be run.
    """
    from ..workload import analyze

    if not facts.model.startswith(LIBRARIES):
        raise BadInputError(f"a model in a table must be one of {', '.join(LIBRARIES)}")
    shape = None
    if facts.image_height is not None and facts.image_width is not None:
        shape = (3, int(facts.image_height), int(facts.image_width))
    return analyze(
        facts.model,
        shape,
        batch=int(facts.batch or 1),
        training=training,
        optimizer=facts.optimizer or "adam",
        precision=facts.precision,
    )
