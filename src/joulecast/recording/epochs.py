"""The epochs that a training reports, each with its energy, and the position of the run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..estimate import Estimate
from .live_energy import LiveEnergy, Mark
from .model import Span
from .summary import SpanEnergy

OWN = "the training itself"


@dataclass(frozen=True, slots=True)
class RunPosition:
    """The position of a run at one instant.

    Attributes:
        done: epochs, with the fraction of the current one; of the run where it has no epochs.
        planned: the same unit; None where unknown.
        t_s: since the start of the run.
        energy: up to then, J; None where nothing was read yet.
        epoch: the one that ended here.
        source: where the progress comes from, in words.
        count: the number of times that `done` started again from 0.
        before: epochs of the training that an earlier run did, which this one resumed.
    """

    done: float
    planned: float | None
    t_s: float
    energy: Estimate | None
    epoch: SpanEnergy | None = None
    source: str = OWN
    count: int = 0
    before: int = 0


AtMark = Callable[[Mark], None]
"""Called once the energy up to an instant is known."""


class Epochs:
    """Counts epochs, and calls `on_position` where they begin and end, and at steps in between.

    The energy up to such an instant is known a little later: each method returns the function to
    be called with it.
    """

    def __init__(
        self,
        planned: int | None,
        live: LiveEnergy,
        on_position: Callable[[RunPosition], None] | None = None,
    ) -> None:
        self.planned = planned  # in total
        self.begun = 0
        self._live, self._on_position = live, on_position
        # Only the epochs of this process are counted.
        self._counted: int | None = None
        # Numbers of the open spans; None for a span that is not counted.
        self._numbers: dict[int, int | None] = {}
        self._metrics: dict[int, dict[str, float]] = {}
        self._starts: dict[int, Mark] = {}

    def counts(self, process: int) -> bool:
        """Whether the epochs of a process count: all ranks of a job report the same ones."""
        return self._counted in (None, process)

    def plan(self, more: int, process: int) -> None:
        """The number of epochs that follow those that have begun."""
        if self.counts(process):
            self.planned = self.begun + more

    def begin(self, span: Span, process: int) -> AtMark:
        """An epoch begins; one beyond the plan extends the plan."""
        # Of epochs before it.
        number = None
        if self.counts(process):
            number, self._counted = self.begun, process
            self.begun += 1
            if self.planned is not None:
                self.planned = max(self.planned, self.begun)
        self._numbers[span.id], self._metrics[span.id] = number, {}
        return partial(self._has_begun, span, number)

    def end(self, span: Span) -> AtMark:
        """An epoch ends."""
        return partial(self._has_ended, span, self._numbers.pop(span.id))

    def step(self, part: float, t_s: float) -> AtMark:
        """A fraction, 0 to 1, of the current epoch is done; of the run where it has no epochs."""
        if not self.begun:
            return partial(self._report, part, 1.0, t_s)
        return partial(self._report, self.begun - 1 + part, None, t_s)

    def metric(self, span: int | None, name: str, value: float) -> None:
        """A number was logged in a span; it is kept where that is an epoch."""
        if span in self._metrics:
            self._metrics[span][name] = value

    def _has_begun(self, span: Span, number: int | None, mark: Mark) -> None:
        self._starts[span.id] = mark
        if number is not None:
            self._report(float(number), None, span.start_s, mark)

    def _has_ended(self, span: Span, number: int | None, mark: Mark) -> None:
        start, end_s = self._starts.pop(span.id, None), float(span.end_s or 0.0)
        duration = end_s - span.start_s
        energy = self._live.between(start, mark, duration) if start else None
        epoch = SpanEnergy(span, duration, energy, {}, self._metrics.pop(span.id, {}))
        if number is not None:
            self._report(float(number + 1), None, end_s, mark, epoch)

    def _report(
        self,
        done: float,
        planned: float | None,
        t_s: float,
        mark: Mark,
        epoch: SpanEnergy | None = None,
    ) -> None:
        if self._on_position is None:
            return
        of = self.planned if planned is None else planned
        self._on_position(RunPosition(done, of, t_s, self._live.up_to(mark, t_s), epoch))
