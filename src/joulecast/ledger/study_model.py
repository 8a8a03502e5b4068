"""A study's plan and its trials: plain data, which the ledger stores and `study` runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from ..estimate import Estimate
from ..result import Result

Level = str | int | float | bool


def level_text(level: Level) -> str:
    """A level as tables, tags and reports show it: `32`, `0.001`, `true`."""
    if isinstance(level, bool):
        return str(level).lower()
    return level if isinstance(level, str) else f"{level:.15g}"


class TrialStatus(StrEnum):
    """How far a trial is, or how it ended."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    # With an error; the study continues.
    FAILED = "failed"
    # A result: this configuration does not fit into memory.
    OUT_OF_MEMORY = "out_of_memory"


ENDED = (TrialStatus.FINISHED, TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY)
"""The statuses of trials that are over."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is done around trials so that they can be compared.

    Attributes:
        warm_up_s: the first trial is run for so many seconds before it counts.
        cool_down_s: pause between trials, s.
        cool_to_c: and until every GPU is at this temperature, degrees Celsius; None: no such wait.
        cool_longest_s: upper bound of that wait, s.
    """

    warm_up_s: float = 0.0
    cool_down_s: float = 0.0
    cool_to_c: float | None = None
    cool_longest_s: float = 600.0


@dataclass(frozen=True, slots=True, repr=False)
class Study(Result):
    """A plan: every combination of the factors' levels, each repeated.

    Attributes:
        name: of the study, unique in a ledger.
        entry: `FILE.py:function`, called with the factors (and `seed`), which yields or logs
            metrics per epoch.
        factors: levels by factor, in the order written.
        repetitions: of each configuration.
        seed: of the order; the seeds of trials come from it, one per repetition, the same for each
            configuration.
        order: `randomized` (all trials shuffled) or `blocked` (shuffled within each repetition).
        epochs: of each trial; None: as the entry chooses.
        early_stopping: `val_loss:patience=5`, or None.
        conditions: warm-up and pauses.
        max_energy_j: of the whole study, J; no trial continues beyond it. None: no limit.
        max_duration_s: likewise, s.
        quality: the metric of correctness that the analysis weighs against energy.
        maximize: whether more of it is better.
        exclude: combinations that are left out: levels by factor, of some or of all factors.
    """

    SCHEMA: ClassVar[str] = "joulecast/study-plan/1"

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
class PlannedStudy:
    """A plan in the ledger.

    Attributes:
        plan: the study.
        folder: that `plan.entry` is relative to, on `host`.
        host: where it was planned.
        code: SHA-256 of the entry's file.
        created_at: seconds since 1970, UTC.
        other_energy_j: used by warm-ups and interrupted trials, which are in no result, J.
        other_duration_s: likewise, s.
    """

    plan: Study
    folder: str
    host: str
    code: str
    created_at: float = 0.0
    other_energy_j: float = 0.0
    other_duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a study, done or to do.

    Attributes:
        trial_id: names it within its study.
        order: counts from 0 in the order trials are started.
        factors: its levels.
        repetition: counts from 0.
        seed: passed to the entry.
        status: how far it is.
        run_id: of its recording.
        error: the last line of the error of one that failed.
        host: that ran it, or runs it.
        started_at: seconds since 1970, UTC.
        ended_at: likewise.
        energy: of its run, J; None where it is unknown.
        duration_s: of its run.
    """

    trial_id: str
    order: int
    factors: Mapping[str, Level]
    repetition: int
    seed: int
    status: TrialStatus = TrialStatus.PENDING
    run_id: str | None = None
    error: str | None = None
    host: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    energy: Estimate | None = None
    duration_s: float | None = None

    @property
    def configuration(self) -> str:
        """`architecture=cnn, batch=32`."""
        return ", ".join(f"{name}={level_text(level)}" for name, level in self.factors.items())


def counts_by_status(trials: Sequence[Trial]) -> dict[TrialStatus, int]:
    """The number of trials of every status."""
    counts = Counter(trial.status for trial in trials)
    return {status: counts[status] for status in TrialStatus}
