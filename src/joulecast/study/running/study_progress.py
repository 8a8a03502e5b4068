"""The state of a study while its trials run, and the listener that receives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...estimate import Estimate
from ...ledger.study_model import ENDED, Trial, TrialStatus
from ...run.run_state import RunState


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """A study at one instant.

    Attributes:
        name: of the study.
        counts: of trials by status.
        phase: `running`, `warming up`, `cooling down` or `between two trials`.
        trial: that runs here, or is used for the warm-up.
        run: the state of its run.
        energy: forecast of the whole study, J; None while nothing is known.
        remaining: until its end, s, if this runner alone continues; likewise.
    """

    name: str
    counts: Mapping[TrialStatus, int]
    phase: str
    trial: Trial | None = None
    run: RunState | None = None
    energy: Estimate | None = None
    remaining: Estimate | None = None

    @property
    def total(self) -> int:
        """Number of trials."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Number of trials that are over, however they ended."""
        return sum(self.counts.get(status, 0) for status in ENDED)


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """A trial that was run here, as it ended, with the last values of its metrics."""

    trial: Trial
    metrics: Mapping[str, float] = field(default_factory=dict)


class StudyListener:
    """Receives what happens in a study, and ignores it; subclasses override what they need.

    All methods but `output` are called from the runner's thread.
    """

    def message(self, text: str) -> None:
        """A message for the user."""

    def progress(self, progress: StudyProgress) -> None:
        """The state of the study, about once a second."""

    def ended(self, ended: EndedTrial, progress: StudyProgress) -> None:
        """A trial is over."""

    def output(self, data: bytes) -> None:
        """What a trial prints; called from another thread."""
