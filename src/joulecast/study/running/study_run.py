"""What a runner did, and why it ended: the result of `joulecast.run_study`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ...estimate import Estimate
from ...ledger.study_model import TrialStatus
from ...result import Result
from .study_progress import EndedTrial


class EndReason(StrEnum):
    """Why a runner ended."""

    # Every trial is over.
    COMPLETE = "complete"
    # The remaining trials run at other runners.
    ELSEWHERE = "elsewhere"
    # By the user.
    STOPPED = "stopped"
    ENERGY = "energy limit"
    DURATION = "time limit"


@dataclass(frozen=True, slots=True, repr=False)
class StudyRun(Result):
    """The trials that a runner ran, why it ended, and the state of the study then.

    Attributes:
        name: of the study.
        ended: why the runner ended.
        text: the same for people.
        counts: of all trials by status.
        energy: of all runs of the study, by all runners, J; None where its interval is unknown.
        energy_j: the same, as limits count it.
        duration_s: of the same runs.
        trials: that this runner ran.
        notes: warnings.
    """

    SCHEMA: ClassVar[str] = "joulecast/study-run/1"

    name: str
    ended: EndReason
    text: str
    counts: Mapping[TrialStatus, int]
    energy: Estimate | None
    energy_j: float
    duration_s: float
    trials: tuple[EndedTrial, ...]
    notes: tuple[str, ...] = ()
