"""The state of studies in the ledger: what `joulecast study status` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..estimate import Estimate
from ..ledger import claims, studies
from ..ledger.study_model import Study, Trial, TrialStatus, counts_by_status
from ..result import Result
from .order import configurations
from .running.study_forecast import StudyForecast

if TYPE_CHECKING:
    from ..ledger import Ledger


@dataclass(frozen=True, slots=True)
class EnergyState:
    """Energy of a study.

    Attributes:
        used: by all runs so far; None where its interval is unknown.
        used_j: the same, as limits count it, J.
        forecast: of the whole study; None before a trial has ended.
        limit_j: None: no limit.
    """

    used: Estimate | None
    used_j: float
    forecast: Estimate | None
    limit_j: float | None


@dataclass(frozen=True, slots=True)
class DurationState:
    """Duration of the runs of a study.

    Attributes:
        used_s: of all runs so far.
        remaining: until the end, by one runner; None before a trial has ended.
        limit_s: None: no limit.
    """

    used_s: float
    remaining: Estimate | None
    limit_s: float | None


@dataclass(frozen=True, slots=True, repr=False)
class StudyStatus(Result):
    """A study as the ledger has it.

    Attributes:
        plan: the study.
        folder: that its entry is relative to.
        created_at: seconds since 1970, UTC.
        configurations: number of combinations of levels.
        counts: of trials by status.
        energy: used and forecast.
        duration: used and remaining.
        trials: in their order.
        orphans: ids of running trials whose runner is gone.
    """

    SCHEMA: ClassVar[str] = "joulecast/study-status/1"

    plan: Study
    folder: str
    created_at: float
    configurations: int
    counts: Mapping[TrialStatus, int]
    energy: EnergyState
    duration: DurationState
    trials: tuple[Trial, ...]
    orphans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study in a list, with its trials by status."""

    name: str
    created_at: float
    counts: Mapping[TrialStatus, int]


@dataclass(frozen=True, slots=True, repr=False)
class StudyList(Result):
    """All studies of a ledger, newest first."""

    SCHEMA: ClassVar[str] = "joulecast/studies/1"

    studies: tuple[StudySummary, ...]


@dataclass(frozen=True, slots=True, repr=False)
class TrialLog(Result):
    """One trial of a study, and the end of what it printed."""

    SCHEMA: ClassVar[str] = "joulecast/study-trial/1"

    study: str
    trial: Trial
    log: str


def status_of(ledger: Ledger, name: str) -> StudyStatus:
    """The state of the study called `name`.

    Raises `StudyNotFoundError`, with the nearest names, where there is no such study.
    """
    planned = studies.load(ledger, name)
    plan, trials = planned.plan, studies.trials(ledger, name)
    energy_j, duration_s = studies.used(ledger, name)
    forecast = StudyForecast()
    forecast.update(trials, energy_j)
    return StudyStatus(
        plan=plan,
        folder=planned.folder,
        created_at=planned.created_at,
        configurations=sum(1 for _ in configurations(plan)),
        counts=counts_by_status(trials),
        energy=EnergyState(forecast.used(), energy_j, forecast.energy(), plan.max_energy_j),
        duration=DurationState(duration_s, forecast.remaining(), plan.max_duration_s),
        trials=tuple(trials),
        orphans=tuple(i for i, alive in claims.runners(ledger, name).items() if not alive),
    )
