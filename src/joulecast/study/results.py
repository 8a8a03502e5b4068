"""What came of a study: its trials, and their figures as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..analysis.table.columns import Cell, Table
from ..analysis.table.runs_table import runs_table
from ..errors import LedgerError
from ..ledger import studies
from ..recording.summary import Summary, summarize
from .model import Level, StudyResults, TrialStatus, level_text
from .stored_plan import stored_plan, trial_of

if TYPE_CHECKING:
    from ..ledger import Ledger
    from ..ledger.studies import StoredTrial

OVER = (TrialStatus.FINISHED, TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY)
_OF_TRIAL = ("trial", "repetition", "seed", "order", "status", "run_id", "host", "provenance")


def results(ledger: Ledger, name: str, *, refresh: bool = False) -> StudyResults:
    """The study called `name`, as the ledger has it now.

    Figures that were kept with a trial when it ended are used; those of another version of
    joulecast, or all with `refresh`, are worked out again from the recording. A recording that is
    gone leaves its figures unknown.

    Raises `StudyNotFoundError`, with the nearest names, where there is no such study.
    """
    study = stored_plan(studies.load(ledger, name))
    rows = studies.trials(ledger, name, figures=True)
    over = [row for row in rows if row.status in OVER]
    figures = [_figures(ledger, row, refresh) for row in over]
    return StudyResults(study, tuple(map(trial_of, rows)), _table(name, over, figures))


def figures_of(summary: Summary | None) -> dict[str, Any] | None:
    """The figures of a run that are kept with its trial; `None` of a trial without a run."""
    if summary is None:
        return None
    recording = summary.recording
    untagged = replace(recording, header=replace(recording.header, tags={}))
    columns = runs_table([replace(summary, recording=untagged)], "trial").columns
    return {"version": __version__, "row": {name: cells[0] for name, cells in columns.items()}}


def _figures(ledger: Ledger, row: StoredTrial, refresh: bool) -> Mapping[str, Cell]:
    kept = row.figures or {}
    if not refresh and kept.get("version") == __version__:
        found: Mapping[str, Cell] = kept["row"]
        return found
    if row.run_id is None:
        return {}
    try:
        fresh = figures_of(summarize(ledger.load(row.run_id)))
    except LedgerError:  # deleted, or damaged: the others are still worth a table
        return dict(kept.get("row", {}))
    return {} if fresh is None else fresh["row"]


def _table(name: str, rows: list[StoredTrial], figures: list[Mapping[str, Cell]]) -> Table:
    columns: dict[str, list[Cell]] = {}
    for factor in dict.fromkeys(factor for row in rows for factor in row.factors):
        columns[factor] = [_cell(row.factors.get(factor)) for row in rows]
    columns |= {
        "trial": [row.trial_id for row in rows],
        "repetition": [float(row.repetition) for row in rows],
        "seed": [float(row.seed) for row in rows],
        "order": [float(row.position) for row in rows],
        "status": [row.status for row in rows],
        "run_id": [row.run_id for row in rows],
        "host": [row.host for row in rows],
        "provenance": [row.provenance for row in rows],
    }
    for column in dict.fromkeys(column for row in figures for column in row):
        if column in _OF_TRIAL:
            continue  # the run's own status says less
        key = f"run:{column}" if column in columns else column
        columns[key] = [row.get(column) for row in figures]
    return Table(name, columns)


def _cell(level: Level | None) -> Cell:
    if level is None:
        return None
    number = isinstance(level, int | float) and not isinstance(level, bool)
    return float(level) if number else level_text(level)
