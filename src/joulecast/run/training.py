"""A training under watch, as Python sees it: `joulecast.Run`."""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ContextDecorator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from ..errors import BudgetExceeded, UsageError
from ..recording import join
from ..recording.distributed import Job, detect_job
from ..recording.events import EventTracker, NoEvents
from ..recording.model import Status
from ..recording.summary import Summary
from ..units import Estimate, format_duration, format_estimate, one_line
from .run_options import RunOptions
from .run_state import RunState
from .session import Session, say

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_active: set[Run] = set()  # started in this process and not stopped yet
_starting = threading.RLock()  # two threads that start at once must not both record


class Run(ContextDecorator, AbstractContextManager["Run"]):
    """A training under watch. Made by `joulecast.record`; see there."""

    def __init__(self, options: RunOptions, *, quiet: bool) -> None:
        self._options, self._quiet = options, quiet
        self._pid = os.getpid()
        self._watch: Session | None = None  # None where another run holds the recording
        self._around: Run | None = None  # that holds it, in this process
        self._outside: join.EventWriter | None = None  # the way into the run around this process
        self._tracker = EventTracker(NoEvents())
        self._span: AbstractContextManager[None] | None = None
        self._by_hand = False  # started by `start`, in a notebook
        self.summary: Summary | None = None

    def _recreate_cm(self) -> Run:  # a decorated function opens a new run each time it is called
        return Run(self._options, quiet=self._quiet)

    def __call__(self, function: F) -> F:
        """The function as it was, each call of it a run; coroutine functions too."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"record() cannot decorate the generator {function.__name__}: "
                "write `with joulecast.record(...)` inside it"
            )
        if not inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        async def watched(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        return cast(F, watched)

    # starting and stopping

    def start(self) -> Run:
        """Begin; for notebooks, where a `with` block cannot span cells. Ends with `stop`.

        A run that an earlier cell began like this, and never ended, is ended first.
        """
        self._by_hand = True
        for run in [run for run in _active if run._by_hand and run.recording and run is not self]:
            say(f"{run._options.name} was still being recorded: it ends here")
            run.stop()
        return self._begin()

    def _begin(self) -> Run:
        self._pid = os.getpid()
        job = detect_job(os.environ)
        if job.records:
            with _starting:
                try:
                    self._record_or_join(job)
                except UsageError:
                    raise
                except Exception as error:  # a fault of ours must not cost the user the training
                    say(f"not recording, because of a fault: {type(error).__name__}: {error}")
                    self._watch, self._tracker = None, EventTracker(NoEvents())
        return self

    def _record_or_join(self, job: Job) -> None:
        around = next((run for run in _active if run._pid == self._pid), None)
        if around is not None:
            self._around, self._tracker = around._around or around, around._tracker
        elif (outside := _writer(join.outer_file(os.environ))) is not None:
            self._outside, self._tracker = outside, EventTracker(outside)
        else:
            from ..ledger import store  # noqa: F401 - loaded before the run, not charged to it

            command = [sys.executable, *sys.argv]
            self._watch = Session(self._options, command, job.tree_root(), job)
            self._watch.start()
            self._tracker = EventTracker(self._watch.recorder)
            os.environ[join.VARIABLE] = self._watch.join_file.variable
        if self._watch is None and self._options.budget is not None:
            say(f"the budget of {self._options.budget} is not kept: give it to the run around this")
        if self._watch is None:
            self._span = self._tracker.span(self._options.name, "run")
            self._span.__enter__()
        _active.add(self)

    def stop(self, *, failed: bool = False) -> Summary | None:
        """End the run; its figures, or None where an outer run holds them. Safe to call twice."""
        return self._stop(Status.FAILED if failed else Status.FINISHED)

    def _stop(self, status: Status) -> Summary | None:
        if os.getpid() != self._pid:  # a forked worker leaves its parent's run alone
            return None
        _active.discard(self)
        if self._span is not None:
            self._span.__exit__(None, None, None)
            self._span = None
        if self._outside is not None:
            self._outside.close()
        if self._watch is not None:
            os.environ.pop(join.VARIABLE, None)
            watch, self._watch = self._watch, None
            self._finish(watch, status)
        return self.summary

    def _finish(self, watch: Session, status: Status) -> None:
        try:
            self.summary = watch.stop(status)
        except Exception as error:
            say(f"the recording could not be ended: {type(error).__name__}: {error}")
            return
        finally:
            self._tracker.events = NoEvents()
        if not self._quiet:
            say(_last_line(self.summary, watch.ledger))

    def __enter__(self) -> Run:
        return self._begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self._stop(Status.FINISHED)
        elif isinstance(error, BudgetExceeded):
            self._stop(Status.STOPPED)
        else:
            self._tracker.events.warn(f"ended by {kind.__name__}")
            self._stop(Status.FAILED)

    # what a training says

    def epochs(self, n: int | None = None, *, start: int = 0) -> Iterator[int]:
        """Yields epoch numbers, each recorded as a span.

        `n` defaults to the `epochs` given to `record`; endless where neither is known. `start` is
        the first number, for a training that was resumed. Raises `BudgetExceeded` between two
        epochs where the budget is spent.
        """
        count = self._options.epochs if n is None else n
        return self._tracker.epochs(count, start, self.check_budget)

    def steps(self, batches: Iterable[T], n: int | None = None) -> Iterator[T]:
        """Yields the batches of an epoch, and tells the forecast how many are done.

        `for batch in run.steps(loader)` lets the run be forecast within its first epoch. `n` is
        their number where `len(batches)` does not know it. Without epochs they are the whole run.
        """
        return self._tracker.steps(batches, n)

    def check_budget(self) -> None:
        """Raises `BudgetExceeded` where the budget is spent and the run is not to go on.

        `epochs` calls it after each epoch; a training with a loop of its own calls it there.
        """
        if self._watch is not None and self.recording:
            self._watch.lookout.check_budget()
        elif self._around is not None:
            self._around.check_budget()

    def span(self, name: str) -> AbstractContextManager[None]:
        """A named stretch of time, `with run.span("validate"): ...`; spans nest."""
        return self._tracker.span(name)

    def log(self, **metrics: float) -> None:
        """Keeps numbers with the span that is open, `run.log(accuracy=0.9)`.

        Raises `UsageError` for what is no number; NaN and infinity are not kept, with a warning.
        """
        self._tracker.log(**metrics)

    @property
    def recording(self) -> bool:
        """Whether this process records; False in workers, other ranks, and inside an outer run."""
        return self._watch is not None and os.getpid() == self._pid

    @property
    def energy(self) -> Estimate | None:
        """Energy of the run so far, J; None where this process does not record."""
        if self.summary is not None:
            return self.summary.total
        return self._watch.recorder.energy if self._watch and self.recording else None

    @property
    def forecast(self) -> Estimate | None:
        """Energy of the whole run, J, or None before it can be told."""
        seen = self.snapshot
        return seen.total_energy if seen else None

    @property
    def snapshot(self) -> RunState | None:
        """How the run stands: energy, power, progress, forecasts; None where it is not recorded."""
        return self._watch.snapshot() if self._watch and self.recording else None

    def _after_fork(self) -> None:
        """In a forked child: its events travel to the parent, which alone records."""
        if self._watch is not None:
            path, self._watch = self._watch.join_file.path, None
            self._tracker.restart(_writer(path) or NoEvents())


def _writer(path: Path | None) -> join.EventWriter | None:
    try:
        return join.EventWriter(path) if path else None
    except OSError:
        return None


def _last_line(summary: Summary, ledger: str | None) -> str:
    header = summary.recording.header
    energy = format_estimate(summary.total) if summary.total else "energy not measured"
    how = f", {summary.total.provenance}" if summary.total else ""
    where = f" --ledger {shlex.quote(ledger)}" if ledger else ""
    return (
        f"{one_line(header.name)}: {energy}{how}, in {format_duration(summary.duration_s)} "
        f"(joulecast show {header.run_id[:8]}{where})"
    )


def _fork_all() -> None:
    global _starting
    _starting = threading.RLock()
    for run in list(_active):
        run._after_fork()
    _active.clear()  # they are the parent's; a run begun here joins it


def _stop_all() -> None:
    for run in list(_active):
        run.stop()


os.register_at_fork(after_in_child=_fork_all)
atexit.register(_stop_all)  # a notebook that was never told to stop keeps its recording
