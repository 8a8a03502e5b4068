"""The progress of a run, read from what its command prints."""

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
    """Reads a command's output; calls `on_position` with its progress, and records its epochs.

    Does nothing where the training reports its epochs itself.
    """

    def __init__(
        self,
        recorder: Recorder,
        on_position: Callable[[RunPosition], None],
        planned: int | None = None,
        pattern: str | None = None,
    ) -> None:
        """Raises `UsageError` for a pattern that is not valid."""
        self._recorder, self._on_position = recorder, on_position
        self._reader = Reader(pattern)
        self._tracker: ProgressTracker[Instant] = ProgressTracker(
            planned, lambda instant: instant.t_s
        )
        self._lock = threading.Lock()
        # The last position, until it is confirmed.
        self._waiting: Position[Instant] | None = None
        # Of the restarts.
        self._count = 0
        # Planned steps of the current loop.
        self._planned: float | None = None
        # The current epoch, and its start.
        self._began: tuple[int, Instant] | None = None

    def feed(self, stream: int, data: bytes, t: float) -> None:
        """The command wrote `data` to descriptor `stream` at the clock's time `t`."""
        if self._recorder.counts_epochs:
            return
        t_s = self._recorder.since_start(t)
        for sighting in self._reader.feed(stream, data):
            self._recorder.when_read(t_s, partial(self._see, sighting))

    def settle(self) -> None:
        """Accept the last position once `_AT_ONCE_S` has passed without another."""
        with self._lock:
            waiting = self._waiting
            if waiting is not None and self._recorder.now() - waiting.stamp.t_s > _AT_ONCE_S:
                self._accept(waiting)

    def finish(self) -> None:
        """The command has succeeded, so that its last epoch is complete."""
        self._recorder.when_read(self._recorder.now(), self._end)

    def _see(self, sighting: Sighting, instant: Instant) -> None:
        with self._lock:
            self._queue(self._tracker.see(sighting, instant))

    def _end(self, instant: Instant) -> None:
        with self._lock:
            self._queue(self._tracker.finish(instant))
            if self._waiting is not None:
                self._accept(self._waiting)

    def _queue(self, positions: list[Position[Instant]]) -> None:
        """Of lines that arrive at once (a program that buffers its output) only the last counts.

        Epochs between them would have a duration of zero.
        """
        for position in positions:
            waiting = self._waiting
            if waiting is not None and position.stamp.t_s - waiting.stamp.t_s > _AT_ONCE_S:
                self._accept(waiting)
            self._waiting = position

    def _accept(self, position: Position[Instant]) -> None:
        self._waiting = None
        if self._recorder.counts_epochs:
            return
        count = self._tracker.restarts
        if count != self._count:
            self._end_loop(position.stamp)
            self._count, self._began = count, None
        self._planned = position.planned
        self._report(position.done, position.stamp, self._epoch(position))

    def _end_loop(self, at: Instant) -> None:
        """Another loop starts: if the previous one was in its last epoch, that is complete."""
        planned, began = self._planned, self._began
        if began is not None and planned is not None and 1 < planned == began[0] + 1:
            self._report(planned, at, self._keep(*began, at))

    def _report(self, done: float, at: Instant, epoch: SpanEnergy | None) -> None:
        source = self._tracker.source or "what it prints"
        self._on_position(
            RunPosition(done, self._planned, at.t_s, at.energy, epoch, source, self._count)
        )

    def _epoch(self, position: Position[Instant]) -> SpanEnergy | None:
        """The epoch that ended here, which is added to the recording.

        Where only the ends of epochs are printed, the first includes everything before it.
        """
        number = math.floor(position.done)
        if self._began is None and number == 1 and not self._count:
            self._began = (0, self._recorder.beginning)
        began, ended = self._began, None
        if began is not None and number == began[0]:
            return None
        if began is not None and number == began[0] + 1:
            ended = self._keep(*began, position.stamp)
        self._began = (number, position.stamp)
        return ended

    def _keep(self, index: int, start: Instant, end: Instant) -> SpanEnergy:
        metrics = self._tracker.metrics_of(index + 1)
        return self._recorder.add_epoch(index, start, end, metrics)
