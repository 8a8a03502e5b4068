"""How a study stands while it is worked on, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...run.run_state import RunState
from ...units import Estimate
from ..model import Trial, TrialStatus


@dataclass(frozen=True, slots=True)
class Progress:
    """A study at one instant. Estimates are None while nothing is known."""

    name: str
    counts: Mapping[TrialStatus, int]
    phase: str  # "running", "warming up", "cooling down"
    trial: Trial | None = None  # that runs here, or is warmed up with
    seen: RunState | None = None  # of its run
    energy: Estimate | None = None  # of the whole study, J
    left: Estimate | None = None  # until its end, s, if this runner alone went on

    @property
    def total(self) -> int:
        """Of all trials."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Trials that are over, however they ended."""
        over = (TrialStatus.FINISHED, TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY)
        return sum(self.counts.get(status, 0) for status in over)


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that was run here, as it ended."""

    trial: Trial
    energy: Estimate | None
    duration_s: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)


class Listener(Protocol):
    """Who is told how it goes; called from the runner's thread, but for `output`."""

    def say(self, text: str) -> None:
        """Something the user should know."""

    def progress(self, at: Progress) -> None:
        """How it stands now."""

    def ended(self, ended: Ended, at: Progress) -> None:
        """A trial is over."""

    def output(self, data: bytes) -> None:
        """What a trial prints; called from another thread."""


class Silent:
    """Nobody is told anything."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, at: Progress) -> None:
        """Nothing."""

    def ended(self, ended: Ended, at: Progress) -> None:
        """Nothing."""

    def output(self, data: bytes) -> None:
        """Nothing."""
