"""The results of a study: its trials, and their figures as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from .._version import __version__
from ..analysis.table.columns import Cell, Table
from ..analysis.table.runs_table import runs_table
from ..errors import LedgerError
from ..ledger import studies
from ..ledger.study_model import ENDED, Level, Study, Trial, level_text
from ..recording.summary import Summary, summarize
from ..result import Result

if TYPE_CHECKING:
    from ..ledger import Ledger

_OF_TRIAL = ("trial", "repetition", "seed", "order", "status", "run_id", "host", "provenance")


@dataclass(frozen=True, slots=True, repr=False)
class StudyResults(Result):
    """A study as the ledger has it now.

    Attributes:
        plan: the study.
        trials: all of them, in their order.
        table: a row for each trial that ended (finished, failed, out of memory): its factors,
            `repetition`, `seed`, `order`, `status`, `run_id`, `host`, `provenance` (of its energy),
            and the figures of its run (`analysis.runs_table`), those of failed trials too.
    """

    SCHEMA: ClassVar[str] = "joulecast/study-results/1"

    plan: Study
    trials: tuple[Trial, ...]
    table: Table


def load_results(ledger: Ledger, name: str, *, refresh: bool = False) -> StudyResults:
    """The results of the study called `name`.

    Figures stored with a trial when it ended are used; those of another version of joulecast, or
    all with `refresh`, are computed again from the recording. A recording that was deleted leaves
    its figures unknown.

    Raises `StudyNotFoundError`, with the nearest names, where there is no such study.
    """
    plan = studies.load(ledger, name).plan
    trials = studies.trials(ledger, name)
    stored = studies.figures(ledger, name)
    ended = [trial for trial in trials if trial.status in ENDED]
    figures = [_figures(ledger, t, stored.get(t.trial_id, {}), refresh) for t in ended]
    return StudyResults(plan, tuple(trials), _table(name, ended, figures))


def figures_of(summary: Summary | None) -> dict[str, Any] | None:
    """The figures of a run that are stored with its trial; `None` of a trial without a run."""
    if summary is None:
        return None
    recording = summary.recording
    untagged = replace(recording, header=replace(recording.header, tags={}))
    columns = runs_table([replace(summary, recording=untagged)], "trial").columns
    return {"version": __version__, "row": {name: cells[0] for name, cells in columns.items()}}


def _figures(
    ledger: Ledger, trial: Trial, stored: Mapping[str, Any], refresh: bool
) -> Mapping[str, Cell]:
    row: Mapping[str, Cell] = stored.get("row", {})
    if trial.run_id is None or (not refresh and stored.get("version") == __version__):
        return row
    try:
        fresh = figures_of(summarize(ledger.load(trial.run_id)))
    except LedgerError:
        # The recording was deleted, or is damaged.
        return row
    return {} if fresh is None else fresh["row"]


def _table(name: str, trials: Sequence[Trial], figures: Sequence[Mapping[str, Cell]]) -> Table:
    rows = [_row(trial, own) for trial, own in zip(trials, figures, strict=True)]
    columns = dict.fromkeys(column for row in rows for column in row)
    return Table(name, {column: [row.get(column) for row in rows] for column in columns})


def _row(trial: Trial, figures: Mapping[str, Cell]) -> dict[str, Cell]:
    row = {factor: _cell(level) for factor, level in trial.factors.items()}
    row |= {
        "trial": trial.trial_id,
        "repetition": float(trial.repetition),
        "seed": float(trial.seed),
        "order": float(trial.order),
        "status": str(trial.status),
        "run_id": trial.run_id,
        "host": trial.host,
        "provenance": str(trial.energy.provenance) if trial.energy else None,
    }
    for column, cell in figures.items():
        # The trial's own status, seed, ... are more precise than the run's.
        if column not in _OF_TRIAL:
            row[f"run:{column}" if column in row else column] = cell
    return row


def _cell(level: Level) -> Cell:
    number = isinstance(level, int | float) and not isinstance(level, bool)
    return float(level) if number else level_text(level)
