"""What a study is: its plan, its trials and what came of them. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..analysis.table.columns import Table

Level = str | int | float | bool


def level_text(level: Level) -> str:
    """A level as tables, tags and reports say it: `32`, `0.001`, `true`."""
    if isinstance(level, bool):
        return str(level).lower()
    return level if isinstance(level, str) else f"{level:.15g}"


class TrialStatus(StrEnum):
    """How far a trial is, or how it ended."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"  # with an error; the study goes on
    OUT_OF_MEMORY = "out_of_memory"  # a result: this configuration does not fit


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is done around trials so that they can be compared."""

    warm_up_s: float = 0.0  # the first trial's work, done once before it and thrown away
    cool_down_s: float = 0.0  # of rest between trials
    cool_to_c: float | None = None  # or: rest until every GPU is at this temperature
    cool_longest_s: float = 600.0  # and no longer


@dataclass(frozen=True, slots=True)
class Study:
    """A plan: every combination of the factors' levels, each repeated.

    Attributes:
        name: of the study, one in the ledger.
        entry: `FILE.py:function`, called with the factors (and `seed`), which yields or logs
            metrics per epoch.
        factors: levels by factor, in the order written.
        repetitions: of each configuration.
        seed: of the order; trial seeds come from it, one per repetition, the same for each
            configuration.
        order: `randomized` (all trials shuffled) or `blocked` (shuffled within each repetition).
        early_stopping: `val_loss:patience=5`, or None.
        exclude: combinations that are left out: levels by factor, of some or of all factors.
        max_energy_j: of the whole study, after which no trial goes on; None: no bound.
        max_duration_s: likewise.
        quality: the metric of correctness that the analysis weighs against energy.
        maximize: whether more of it is better.
    """

    name: str
    entry: str
    factors: Mapping[str, tuple[Level, ...]]
    repetitions: int = 1
    seed: int = 0
    order: str = "randomized"
    epochs: int | None = None
    early_stopping: str | None = None
    conditions: Conditions = field(default_factory=Conditions)
    max_energy_j: float | None = None
    max_duration_s: float | None = None
    quality: str | None = None
    maximize: bool = True
    exclude: tuple[Mapping[str, Level], ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a study, done or to do. `order` counts from 0 in the order they are started."""

    trial_id: str
    order: int
    factors: Mapping[str, Level]
    repetition: int
    seed: int
    status: TrialStatus = TrialStatus.PENDING
    run_id: str | None = None  # of its recording
    error: str | None = None  # of one that failed
    started_at: float | None = None  # seconds since 1970
    ended_at: float | None = None
    host: str | None = None  # that ran it

    @property
    def configuration(self) -> str:
        """`architecture=cnn, batch=32`."""
        return ", ".join(f"{name}={level_text(level)}" for name, level in self.factors.items())


@dataclass(frozen=True, slots=True)
class StudyResults:
    """A study as the ledger has it now.

    `table` has a row for each trial that ended (finished, failed, out of memory): its factors,
    `repetition`, `seed`, `order`, `status`, `run_id`, `host`, `provenance` (of its energy), and
    the figures of its run (`analysis.runs_table`); figures of failed trials are kept, and `status`
    tells.
    """

    study: Study
    trials: tuple[Trial, ...]
    table: Table
