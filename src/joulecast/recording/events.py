"""What a training reports: spans that open and close, metrics, planned epochs."""

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeVar

from ..errors import UsageError

T = TypeVar("T")

# Steps are reported no more often, because they only serve the forecast.
_STEP_S = 0.1


class Events(Protocol):
    """Where events go: to the recorder of this process, or to that of an outer run."""

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """A span opens now; returns its id."""

    def end(self, span: int) -> None:
        """A span closes now."""

    def leave(self) -> None:
        """The loop over the epochs is left within the open one, by `break` or an exception."""

    def metric(self, name: str, value: float, span: int | None) -> None:
        """A value was logged in a span, or in none."""

    def plan(self, epochs: int) -> None:
        """The number of epochs that follow."""

    def step(self, part: float) -> None:
        """A fraction, 0 to 1, of the current epoch is done; of the run where it has no epochs."""

    def warn(self, text: str) -> None:
        """A warning for readers of the recording."""


class NoEvents:
    """Drops all events: where another process of the job records."""

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """Nothing."""
        return 0

    def end(self, span: int) -> None:
        """Nothing."""

    def leave(self) -> None:
        """Nothing."""

    def metric(self, name: str, value: float, span: int | None) -> None:
        """Nothing."""

    def plan(self, epochs: int) -> None:
        """Nothing."""

    def step(self, part: float) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


class EventTracker:
    """Turns the calls of a training (`epochs`, `span`, `log`) into events; safe in any thread.

    Spans nest by thread. A thread without open spans is in the span that the first thread has
    open: the metrics of a logger thread belong to the current epoch.
    """

    def __init__(self, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.restart(events)

    def restart(self, events: Events) -> None:
        """Forget the open spans and send to `events` from now on: in a forked child."""
        self.events = events
        self._main: list[int] = []
        self._own = threading.local()
        self._main_thread = threading.get_ident()

    def redirect(self, events: Events) -> None:
        """Send to `events` from now on, which has the first thread's open spans already."""
        open_spans = self._main
        self.restart(events)
        self._main = open_spans

    @property
    def _stack(self) -> list[int]:
        if threading.get_ident() == self._main_thread:
            return self._main
        if not hasattr(self._own, "stack"):
            self._own.stack = []
        stack: list[int] = self._own.stack
        return stack

    def _current(self) -> int | None:
        stack = self._stack or self._main
        return stack[-1] if stack else None

    @contextmanager
    def span(self, name: str, kind: str = "phase", index: int | None = None) -> Iterator[None]:
        """A named segment of the run; nests."""
        span = self.events.begin(kind, str(name), index, self._current())
        stack = self._stack
        stack.append(span)
        try:
            yield
        finally:
            if span in stack:
                stack.remove(span)
            self.events.end(span)

    def epochs(
        self,
        n: int | None = None,
        start: int = 0,
        between: Callable[[], None] = lambda: None,
    ) -> Iterator[int]:
        """Yields epoch numbers `start` to `n - 1`, each a span; endless where `n` is unknown.

        `between` is called before each but the first, and may raise.
        """
        if n is not None:
            if n < 0 or start < 0:
                raise UsageError(f"epochs={n}, start={start}: neither can be negative")
            self.events.plan(max(0, n - start))
        for index in itertools.count(start) if n is None else range(start, n):
            if index > start:
                between()
            with self.span(f"epoch {index}", "epoch", index):
                try:
                    yield index
                except GeneratorExit:
                    self.events.leave()
                    raise

    def steps(self, batches: Iterable[T], n: int | None = None) -> Iterator[T]:
        """Yields the batches of an epoch, and reports how many of them are done.

        `n` is their number where `len(batches)` is not defined; without both nothing is reported.
        """
        if n is None:
            n = len(batches) if isinstance(batches, Sized) else None
        reported_s = self._clock()
        for done, batch in enumerate(batches, start=1):
            yield batch
            if n and done < n and (now := self._clock()) - reported_s >= _STEP_S:
                reported_s = now
                self.events.step(done / n)

    def log(self, **metrics: float) -> None:
        """Stores numbers (accuracy, loss) with the span that is open here."""
        span = self._current()
        for name, value in metrics.items():
            # A tensor that requires gradients warns when it is converted to a number.
            try:
                number = float(value.detach() if hasattr(value, "detach") else value)
            except (TypeError, ValueError, OverflowError):
                raise UsageError(f"log({name}=...): not a number: {_brief(value)}") from None
            if math.isfinite(number):
                self.events.metric(name, number, span)
            else:
                self.events.warn(f"metric {name} was {number}: not stored")


def _brief(value: object) -> str:
    """A value in a message; Python refuses to print huge integers."""
    return "too large" if isinstance(value, int) else repr(value)[:80]
