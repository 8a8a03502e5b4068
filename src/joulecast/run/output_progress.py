"""The progress of a run whose training tells us nothing: read from what it prints."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial

from ..recording.epochs import RunPosition
from ..recording.live_energy import Instant
from ..recording.progress.reader import Reader
from ..recording.progress.sighting import Sighting
from ..recording.progress.tracker import Position, ProgressTracker
from ..recording.recorder import Recorder
from ..recording.summary import SpanEnergy

_AT_ONCE_S = 0.02


class OutputProgress:
    """Fed with a command's output; tells `reached` where the run is, and keeps its epochs.

    Steps aside where the training tells its epochs itself.
    """

    def __init__(
        self,
        recorder: Recorder,
        reached: Callable[[RunPosition], None],
        planned: int | None = None,
        pattern: str | None = None,
    ) -> None:
        """Raises `UsageError` for a pattern that is none."""
        self._recorder, self._reached = recorder, reached
        self._reader = Reader(pattern)
        self._tracker: ProgressTracker[Instant] = ProgressTracker(
            planned, lambda instant: instant.t_s
        )
        self._lock = threading.Lock()  # the last sightings may come from another thread
        self._waiting: Position[Instant] | None = None  # the last, until time has passed
        self._count = 0  # of the restarts
        self._planned: float | None = None  # of the loop under way
        self._began: tuple[int, Instant] | None = None  # the epoch under way, and since when

    def feed(self, stream: int, data: bytes, t: float) -> None:
        """The command wrote `data` to descriptor `stream` at the clock's time `t`."""
        if self._recorder.counts_epochs:
            return
        t_s = self._recorder.since_start(t)
        for sighting in self._reader.feed(stream, data):
            self._recorder.ask(t_s, partial(self._see, sighting))

    def settle(self) -> None:
        """A little time has passed: what was seen last stands."""
        with self._lock:
            waiting = self._waiting
            if waiting is not None and self._recorder.now() - waiting.stamp.t_s > _AT_ONCE_S:
                self._take(waiting)

    def finish(self) -> None:
        """The command has ended well: its last epoch is done."""
        self._recorder.ask(self._recorder.now(), self._end)

    def _see(self, sighting: Sighting, instant: Instant) -> None:
        with self._lock:
            self._go(self._tracker.see(sighting, instant))

    def _end(self, instant: Instant) -> None:
        with self._lock:
            self._go(self._tracker.finish(instant))
            if self._waiting is not None:
                self._take(self._waiting)

    def _go(self, positions: list[Position[Instant]]) -> None:
        """Lines that come at once (a program that held its output back) tell one place: the last.

        Epochs between them would have taken no time.
        """
        for place in positions:
            waiting = self._waiting
            if waiting is not None and place.stamp.t_s - waiting.stamp.t_s > _AT_ONCE_S:
                self._take(waiting)
            self._waiting = place

    def _take(self, place: Position[Instant]) -> None:
        self._waiting = None
        if self._recorder.counts_epochs:
            return
        count = self._tracker.restarts
        if count != self._count:
            self._end_loop(place.stamp)
            self._count, self._began = count, None
        self._planned = place.planned
        self._tell(place.done, place.stamp, self._epoch(place))

    def _end_loop(self, at: Instant) -> None:
        """Another loop begins: if the one before was in its last epoch, that is over."""
        planned, began = self._planned, self._began
        if began is not None and planned is not None and 1 < planned == began[0] + 1:
            self._tell(planned, at, self._keep(*began, at))

    def _tell(self, done: float, at: Instant, epoch: SpanEnergy | None) -> None:
        source = self._tracker.source or "what it prints"
        self._reached(
            RunPosition(done, self._planned, at.t_s, at.energy, epoch, source, self._count)
        )

    def _epoch(self, place: Position[Instant]) -> SpanEnergy | None:
        """The epoch that ended here, kept with the recording.

        Where only ends of epochs are printed, the first holds all that came before it.
        """
        number = math.floor(place.done)
        if self._began is None and number == 1 and not self._count:
            self._began = (0, self._recorder.beginning)
        began, ended = self._began, None
        if began is not None and number == began[0]:
            return None
        if began is not None and number == began[0] + 1:
            ended = self._keep(*began, place.stamp)
        self._began = (number, place.stamp)
        return ended

    def _keep(self, index: int, start: Instant, end: Instant) -> SpanEnergy:
        metrics = self._tracker.metrics_of(index + 1)
        return self._recorder.add_epoch(index, start, end, metrics)
