"""The progress of a run, read from what its command prints."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..recording.epochs import RunPosition
from ..recording.live_energy import Instant
from ..recording.progress.formats import announced
from ..recording.progress.position import Counted, Position
from ..recording.progress.reader import Reader
from ..recording.progress.sighting import Moment, Sighting
from ..recording.progress.tracker import ProgressTracker
from ..recording.recorder import Recorder
from ..recording.summary import SpanEnergy

_AT_ONCE_S = 0.02
# Meters do not resolve the energy of a shorter phase.
_MIN_PHASE_S = 0.1


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
        for sighting in announced(recorder.header.command):
            self._tracker.see(sighting, recorder.beginning)
        # The phase that goes on, since when, and the time of the last line.
        self._phase = ""
        self._phase_s = self._seen_s = math.inf
        self._lock = threading.Lock()
        # The last position, until it is confirmed.
        self._waiting: Position[Instant] | None = None
        # Of the restarts.
        self._count = 0
        self._last: Position[Instant] | None = None
        # The current epoch, and its start.
        self._began: tuple[int, Instant] | None = None
        # Epochs that are recorded once it is sure that they are epochs.
        self._likely: list[tuple[int, Instant, Instant]] = []

    @property
    def steps(self) -> tuple[float, float] | None:
        """The last step, and steps per second, of lines that print no total."""
        if self._tracker.endless is None:
            return None
        (first, begin), (last, end) = self._tracker.endless
        duration_s = end.t_s - begin.t_s
        return (last, (last - first) / duration_s) if last > first and duration_s > 0 else None

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

    def finish(self, *, succeeded: bool = True) -> None:
        """The command has ended: its last epoch is complete where it `succeeded`."""
        then = self._end if succeeded else self._break_off
        self._recorder.when_read(self._recorder.now(), then)

    def _see(self, sighting: Sighting, instant: Instant) -> None:
        with self._lock:
            self._follow_phase(sighting, instant.t_s)
            self._queue(self._tracker.see(sighting, instant))

    def _follow_phase(self, sighting: Sighting, t_s: float) -> None:
        """A phase lasts to its last line, from the line before it where its first shows work."""
        name = sighting.shape if sighting.moment is Moment.PHASE else ""
        if name != self._phase:
            self._end_phase()
            self._phase, self._phase_s = name, t_s if sighting.step == 0 else self._seen_s
        self._seen_s = t_s

    def _end_phase(self) -> None:
        if self._phase and self._seen_s - self._phase_s >= _MIN_PHASE_S:
            span = self._recorder.begin("phase", self._phase, t_s=self._phase_s)
            self._recorder.end(span, t_s=self._seen_s)
        self._phase = ""

    def _end(self, instant: Instant) -> None:
        with self._lock:
            self._end_phase()
            if self._waiting is not None:
                self._accept(self._waiting)
            self._queue([self._before_exit(p) for p in self._tracker.finish(instant)])
            if self._waiting is not None:
                self._accept(self._waiting)
            if self._last is not None:
                self._keep_likely(self._last)

    def _break_off(self, instant: Instant) -> None:
        """The epoch that had begun stays open."""
        with self._lock:
            self._end_phase()
            if self._waiting is not None:
                self._accept(self._waiting)
            last, began = self._last, self._began
            if began is None or last is None or last.unit is not Counted.EPOCHS:
                return
            if not self._tracker.between_epochs and last.done != last.planned:
                self._keep(*began, instant, complete=False)

    def _before_exit(self, position: Position[Instant]) -> Position[Instant]:
        """The last epoch ends at the rate of its other steps; what follows is no part of it."""
        last, began = self._last, self._began
        if last is None or began is None or position.done <= last.done:
            return position
        part = last.done + last.before - began[0]
        at = last.stamp.t_s
        rest_s = (at - began[1].t_s) * (position.done - last.done) / part if part > 0 else math.inf
        if at + rest_s >= position.stamp.t_s:
            return position
        rest = rest_s / (position.stamp.t_s - at)
        return replace(position, stamp=_between(last.stamp, position.stamp, rest))

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
            # Other lines are followed now: epochs that were only likely are none.
            self._count, self._began, self._last, self._likely = count, None, None, []
        if position.unit is not Counted.RUN:
            self._advance(position)
        self._last = position
        if position.unit is not Counted.EPOCHS or not self._likely:
            self._report(position, None)
        if position.unit is Counted.EPOCHS:
            self._keep_likely(position)

    def _end_loop(self, at: Instant) -> None:
        """Another loop starts: if the previous one was in its last epoch, that is complete."""
        last, began = self._last, self._began
        if began is None or last is None or last.planned is None or last.unit is not Counted.EPOCHS:
            return
        total = last.planned + last.before
        if 1 < total == began[0] + 1:
            ended = Position(last.planned, last.planned, at, last.before)
            self._report(ended, self._keep(*began, at))

    def _report(self, position: Position[Instant], epoch: SpanEnergy | None) -> None:
        source = self._tracker.source or "what it prints"
        at = position.stamp
        self._on_position(
            RunPosition(
                *(position.done, position.planned, at.t_s, at.energy, epoch, source, self._count),
                before=math.floor(position.before),
            )
        )

    def _advance(self, position: Position[Instant]) -> None:
        """Note the epochs that ended since the last position.

        Where only the ends of epochs are printed, the first includes everything before it. Where
        several ended at once, only steps show when each did.
        """
        at = position.done + position.before + 1e-9
        number = math.floor(at)
        if self._last is not None and self._last.before != position.before:
            # It is clear only now that the run was resumed.
            self._began = None
        if self._began is None and number == 1 and not (self._count or position.before):
            self._began = (0, self._recorder.beginning)
        first, start = self._began or (number, position.stamp)
        by_steps = self._last is not None and (position.done % 1 > 0 or self._last.done % 1 > 0)
        for index in range(first, number) if by_steps or number == first + 1 else ():
            end = self._crossed(position, index + 1)
            self._likely.append((index, start, end))
            start = end
        # It begins here, or between the last position and this one.
        if at - number < 1e-8 or number != (self._began or (None,))[0]:
            begins = position.stamp if at - number < 1e-8 else self._crossed(position, number)
            self._began = (number, begins)

    def _crossed(self, position: Position[Instant], number: int) -> Instant:
        """When the run was at a whole number, between its last position and this one."""
        last = self._last
        if last is None or last.before != position.before or position.done <= last.done:
            return position.stamp
        part = max(0.0, (number - last.before - last.done) / (position.done - last.done))
        return _between(last.stamp, position.stamp, part)

    def _keep_likely(self, position: Position[Instant]) -> None:
        """They are epochs, as is sure at a later position."""
        likely, self._likely = self._likely, []
        for epoch in likely:
            self._report(position, self._keep(*epoch))

    def _keep(
        self, index: int, start: Instant, end: Instant, *, complete: bool = True
    ) -> SpanEnergy:
        metrics = self._tracker.metrics.get(index + 1, {})
        return self._recorder.add_epoch(index, start, end, metrics, complete=complete)


def _between(a: Instant, b: Instant, part: float) -> Instant:
    """An instant between two, at constant power."""
    mark = {name: a.mark[name] + part * (b.mark[name] - a.mark[name]) for name in b.mark}
    return Instant(a.t_s + part * (b.t_s - a.t_s), None, mark)
