"""The epochs that a training tells: counted, each with its energy, and how far the run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..units import Estimate
from .live_energy import LiveEnergy, Mark
from .model import Span
from .summary import SpanEnergy

OWN = "the training itself"


@dataclass(frozen=True, slots=True)
class RunPosition:
    """How far the run was at one instant, and the energy used up to then."""

    done: float  # epochs, with the part done of the one under way; of the run where it has none
    planned: float | None
    t_s: float
    energy: Estimate | None  # None where nothing was read yet
    epoch: SpanEnergy | None = None  # the epoch that ended here
    source: str = OWN  # who says so, in words
    count: int = 0  # another, and `done` begins afresh


Answer = Callable[[Mark], None]
"""What is to be done once the energy up to an instant is known."""


class Epochs:
    """Counts epochs, and tells `reached` where they begin and end, and of steps in between.

    The energy up to such an instant is known a little later: each method returns what is to be
    called with it.
    """

    def __init__(
        self,
        planned: int | None,
        live: LiveEnergy,
        reached: Callable[[RunPosition], None] | None = None,
    ) -> None:
        self.planned = planned  # in all, begun or to come
        self.begun = 0
        self._live, self._reached = live, reached
        self._teller: int | None = None  # the process that began the first
        self._numbers: dict[int, int | None] = {}  # of spans that are open; None: not counted
        self._metrics: dict[int, dict[str, float]] = {}  # of those not answered yet, too
        self._starts: dict[int, Mark] = {}

    def counts(self, process: int) -> bool:
        """Whether what a process tells counts: the ranks of one job all tell the same epochs."""
        return self._teller in (None, process)

    def plan(self, more: int, process: int) -> None:
        """So many epochs are still to come, after those that have begun."""
        if self.counts(process):
            self.planned = self.begun + more

    def begin(self, span: Span, process: int) -> Answer:
        """An epoch begins; beyond the plan it was not the last of them."""
        number = None  # how many came before it
        if self.counts(process):
            number, self._teller = self.begun, process
            self.begun += 1
            if self.planned is not None:
                self.planned = max(self.planned, self.begun)
        self._numbers[span.id], self._metrics[span.id] = number, {}
        return partial(self._has_begun, span, number)

    def end(self, span: Span) -> Answer:
        """An epoch that had begun is over."""
        return partial(self._has_ended, span, self._numbers.pop(span.id))

    def step(self, part: float, t_s: float) -> Answer:
        """So much is done, 0 to 1, of the epoch under way; of the run where it has none."""
        if not self.begun:
            return partial(self._tell, part, 1.0, t_s)
        return partial(self._tell, self.begun - 1 + part, None, t_s)

    def metric(self, span: int | None, name: str, value: float) -> None:
        """A number was logged in a span; of epochs it is kept."""
        if span in self._metrics:
            self._metrics[span][name] = value

    def _has_begun(self, span: Span, number: int | None, mark: Mark) -> None:
        self._starts[span.id] = mark
        if number is not None:
            self._tell(float(number), None, span.start_s, mark)

    def _has_ended(self, span: Span, number: int | None, mark: Mark) -> None:
        start, end_s = self._starts.pop(span.id, None), float(span.end_s or 0.0)
        duration = end_s - span.start_s
        energy = self._live.between(start, mark, duration) if start else None
        epoch = SpanEnergy(span, duration, energy, {}, self._metrics.pop(span.id, {}))
        if number is not None:
            self._tell(float(number + 1), None, end_s, mark, epoch)

    def _tell(
        self,
        done: float,
        planned: float | None,
        t_s: float,
        mark: Mark,
        epoch: SpanEnergy | None = None,
    ) -> None:
        if self._reached is None:
            return
        of = self.planned if planned is None else planned
        self._reached(RunPosition(done, of, t_s, self._live.up_to(mark, t_s), epoch))
