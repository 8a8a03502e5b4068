"""The count of epochs: each place is reached once, each epoch begins and ends once."""

from collections.abc import Callable
from math import floor
from typing import Generic, NamedTuple, TypeVar

from .position import Counted, Position
from .sighting import ALMOST

T = TypeVar("T")

TINY = 1e-9


class Extent(NamedTuple):
    """The extent of the whole training: its epochs (None: unknown), and those before this run."""

    total: float | None
    before: float
    unit: Counted

    @property
    def planned(self) -> float | None:
        """Epochs planned for this run, or 1 where only its fraction as a whole is known."""
        return None if self.total is None else max(self.total - self.before, 0.0)


class EpochCount(Generic[T]):
    """The place of the run, in epochs of the whole training; positions count those of this run.

    Args:
        extent: of the training, as it is known now.
        turn: is called where a new epoch begins.
    """

    def __init__(self, extent: Callable[[], Extent], turn: Callable[[], None]) -> None:
        self._extent, self._turn = extent, turn
        self.restarts = -1
        self.new: list[Position[T]] = []
        """Positions since the last sighting."""
        self.at = 0.0
        self.restart()

    def restart(self) -> None:
        """Count from the beginning: another loop started, or others lines are followed."""
        self.restarts += self.at >= 0
        self.at = -1.0
        # Epochs of folds that have ended.
        self.carried = 0.0
        # Whether the last epoch has ended; where its last step was printed, before that is clear.
        self.ended = False
        self._full: T | None = None
        # Whether something else than an epoch has followed it.
        self.paused = False

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return floor(self.at + TINY)

    def move(self, at: float, stamp: T, *, over: bool = False, full: bool = False) -> None:
        """The run is at a place. There an epoch is `over`, or its steps are all done (`full`)."""
        base, self.paused = floor(at + TINY), False
        if base > self.epoch:
            self._full = None
            self._turn()
        if self.ended and not over and base == self.at:
            self.reach(self.at, stamp, begins=True)
            self.ended = False
        if self.reach(at, stamp):
            self.ended = over and self.at > 0
            if (full or at - base >= ALMOST) and not self.ended:
                self._full = self._full or stamp

    def reach(self, at: float, stamp: T, *, begins: bool = False) -> bool:
        """A position, unless the run was there; where it `begins` an epoch, there too."""
        extent = self._extent()
        if extent.total is not None:
            at = min(at, max(extent.total, extent.before))
        if at < self.at - TINY or (at <= self.at + TINY and not begins):
            return False
        self.at = at
        done = max(at - extent.before, 0.0)
        self.new.append(Position(done, extent.planned, stamp, extent.before, extent.unit))
        return True

    def pause(self, stamp: T, *, ends: bool) -> None:
        """Validation, a checkpoint: where that `ends` epochs, one with all its steps is over.

        The next epoch does not begin before the end of the pause.
        """
        if ends and self._full is not None and not self.ended:
            self.move(self.epoch + 1.0, self._full, over=True)
        self.paused = self.ended
        if self.ended:
            self.reach(self.at, stamp, begins=True)

    def finish(self, stamp: T, last: float | None) -> None:
        """The run has succeeded: its last epoch, or the whole run, is complete at `last`."""
        if self.at >= 0 and not self.ended:
            if last is not None:
                self.move(last, stamp if self._full is None else self._full, over=True)
            self.ended = True
