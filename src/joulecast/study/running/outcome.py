"""What a runner did, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ...units import Estimate
from ..model import Study, TrialStatus
from .progress import Ended


class End(StrEnum):
    """Why a runner has stopped working on a study."""

    COMPLETE = "complete"  # every trial is over
    ELSEWHERE = "elsewhere"  # what is left runs at other runners
    STOPPED = "stopped"  # by the user
    ENERGY = "energy limit"
    DURATION = "time limit"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a runner did: the trials it ran, why it ended, and how the study stands."""

    study: Study
    end: End
    text: str  # the same for people
    ended: tuple[Ended, ...]
    counts: Mapping[TrialStatus, int]
    energy_j: float  # of all that was run for the study, by all runners: what limits count
    spent: Estimate | None  # the same with its interval; None where that is not known
    duration_s: float  # of the same
    notes: tuple[str, ...] = ()
