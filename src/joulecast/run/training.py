"""A training that is recorded: `joulecast.Run`."""

from __future__ import annotations

import atexit
import functools
import html
import inspect
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ContextDecorator
from pathlib import Path
from typing import Any, TypeVar, cast

from ..errors import BudgetExceeded, UsageError
from ..estimate import Estimate, format_estimate
from ..recording import join
from ..recording.distributed import Job, detect_job
from ..recording.events import EventTracker, NoEvents
from ..recording.model import Status
from ..recording.summary import Summary
from ..units import format_duration, one_line
from .run_options import RunOptions
from .run_state import RunState
from .session import Session, notify

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

# Runs that were started in this process and are not stopped yet.
_active: set[Run] = set()
# Locked while a run starts, so that of two threads only one records.
_starting = threading.RLock()


class Run(ContextDecorator, AbstractContextManager["Run"]):
    """A training that is recorded; made by `joulecast.record`, see there.

    Attributes:
        summary: the figures of the run once it has ended, where this process recorded it.
    """

    def __init__(self, options: RunOptions, *, quiet: bool) -> None:
        self._options, self._quiet = options, quiet
        self._pid = os.getpid()
        # At most one of the three is set: this run records, or joins another one in this process,
        # or one that another process records.
        self._session: Session | None = None
        self._outer: Run | None = None
        self._writer: join.EventWriter | None = None
        self._tracker = EventTracker(NoEvents())
        self._span: AbstractContextManager[None] | None = None
        self._by_hand = False
        self.summary: Summary | None = None

    def _recreate_cm(self) -> Run:
        # Each call of a decorated function is a new run.
        return Run(self._options, quiet=self._quiet)

    def __call__(self, function: F) -> F:
        """The function with each call recorded as a run; also of a coroutine function."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"record() cannot decorate the generator {function.__name__}: "
                "write `with joulecast.record(...)` inside it"
            )
        if not inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        async def recorded(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        return cast(F, recorded)

    def __repr__(self) -> str:
        if self.summary is not None:
            return repr(self.summary)
        name = one_line(self._options.name)
        if not self.recording:
            return f"{name}: not recorded here, or not started"
        state = self.state
        energy = format_estimate(state.energy) if state and state.energy else "energy unknown"
        return f"{name}: running, {energy} so far"

    def _repr_html_(self) -> str | None:
        return self.summary._repr_html_() if self.summary else f"<p>{html.escape(repr(self))}</p>"

    # --- starting and stopping -------------------------------------------------------------------

    def start(self) -> Run:
        """Start recording until `stop`; for notebooks, where a `with` block cannot span cells.

        A run that an earlier cell started like this and did not stop is stopped first.
        """
        self._by_hand = True
        for run in [run for run in _active if run._by_hand and run.recording and run is not self]:
            notify(f"{run._options.name} was still being recorded: it ends here")
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
                except Exception as error:
                    # A fault of joulecast must not end the user's training.
                    notify(f"not recording, because of a fault: {type(error).__name__}: {error}")
                    self._session, self._tracker = None, EventTracker(NoEvents())
        return self

    def _record_or_join(self, job: Job) -> None:
        outer = next((run for run in _active if run._pid == self._pid), None)
        if outer is not None:
            self._outer, self._tracker = outer._outer or outer, outer._tracker
        elif (writer := _event_writer(join.outer_file(os.environ))) is not None:
            self._writer, self._tracker = writer, EventTracker(writer)
        else:
            # Loaded before the run, so that its energy is not part of the run's.
            from ..ledger import store  # noqa: F401

            command = [sys.executable, *sys.argv]
            self._session = Session(self._options, command, job.tree_root(), job)
            self._session.start()
            self._tracker = EventTracker(self._session.recorder)
            os.environ[join.VARIABLE] = self._session.join_file.variable
        if self._session is None and self._options.budget is not None:
            notify(f"the budget of {self._options.budget} is ignored: pass it to the outer run")
        if self._session is None:
            self._span = self._tracker.span(self._options.name, "run")
            self._span.__enter__()
        _active.add(self)

    def stop(self, *, failed: bool = False) -> Summary | None:
        """End the run; its figures, or None where an outer run has them. Safe to call twice."""
        return self._stop(Status.FAILED if failed else Status.FINISHED)

    def _stop(self, status: Status) -> Summary | None:
        # A forked worker must not end its parent's run.
        if os.getpid() != self._pid:
            return None
        _active.discard(self)
        if self._span is not None:
            self._span.__exit__(None, None, None)
            self._span = None
        if self._writer is not None:
            self._writer.close()
        if self._session is not None:
            os.environ.pop(join.VARIABLE, None)
            session, self._session = self._session, None
            self._finish(session, status)
        return self.summary

    def _finish(self, session: Session, status: Status) -> None:
        try:
            self.summary = session.stop(status)
        except Exception as error:
            notify(f"the recording could not be ended: {type(error).__name__}: {error}")
            return
        finally:
            self._tracker.events = NoEvents()
        if not self._quiet:
            notify(_last_line(self.summary, session.ledger))

    def __enter__(self) -> Run:
        return self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self._stop(Status.FINISHED)
        elif isinstance(error, BudgetExceeded):
            self._stop(Status.STOPPED)
        else:
            self._tracker.events.warn(f"ended by {kind.__name__}")
            canceled = isinstance(error, KeyboardInterrupt)
            self._stop(Status.CANCELED if canceled else Status.FAILED)

    # --- what a training reports -----------------------------------------------------------------

    def epochs(self, n: int | None = None, *, start: int = 0) -> Iterator[int]:
        """Yields epoch numbers, each recorded as a span.

        Args:
            n: number of the epoch after the last; the `epochs` given to `record` by default,
                endless where neither is given.
            start: the first number, for a training that was resumed.

        Raises:
            BudgetExceeded: between two epochs, where the budget is exceeded.
        """
        count = self._options.epochs if n is None else n
        return self._tracker.epochs(count, start, self.check_budget)

    def steps(self, batches: Iterable[T], n: int | None = None) -> Iterator[T]:
        """Yields the batches of an epoch, so that the run can be forecast within its first epoch.

        Args:
            batches: of one epoch, or of the whole run where it has no epochs.
            n: their number, where `len(batches)` is not defined.
        """
        return self._tracker.steps(batches, n)

    def check_budget(self) -> None:
        """Raises `BudgetExceeded` where the budget is exceeded and the run is to stop.

        `epochs` calls it after each epoch; a training with its own loop calls it there.
        """
        if self._session is not None and self.recording:
            self._session.monitor.check_budget()
        elif self._outer is not None:
            self._outer.check_budget()

    def span(self, name: str) -> AbstractContextManager[None]:
        """A named segment of the run, `with run.span("validate"): ...`; spans nest."""
        return self._tracker.span(name)

    def log(self, **metrics: float) -> None:
        """Stores numbers with the span that is open, `run.log(accuracy=0.9)`.

        NaN and infinity are not stored, with a warning.

        Raises:
            UsageError: a value is not a number.
        """
        self._tracker.log(**metrics)

    @property
    def recording(self) -> bool:
        """Whether this process records; False in workers, other ranks, and inside an outer run."""
        return self._session is not None and os.getpid() == self._pid

    @property
    def energy(self) -> Estimate | None:
        """Energy of the run so far, J; None where this process does not record."""
        if self.summary is not None:
            return self.summary.total
        return self._session.recorder.energy if self._session and self.recording else None

    @property
    def forecast(self) -> Estimate | None:
        """Forecast energy of the whole run, J; None while it is unknown."""
        state = self.state
        return state.total_energy if state else None

    @property
    def state(self) -> RunState | None:
        """Energy, power, progress and forecasts now; None where the run is not recorded here."""
        return self._session.state() if self._session and self.recording else None

    def _after_fork(self) -> None:
        """In a forked child: its events are sent to the parent, which records."""
        if self._session is not None:
            path, self._session = self._session.join_file.path, None
            self._tracker.restart(_event_writer(path) or NoEvents())


def _event_writer(path: Path | None) -> join.EventWriter | None:
    try:
        return join.EventWriter(path) if path else None
    except OSError:
        return None


def _last_line(summary: Summary, ledger: str | None) -> str:
    header = summary.recording.header
    energy = format_estimate(summary.total) if summary.total else "energy not measured"
    mix = summary.total.mix if summary.total else {}
    shares = ", ".join(f"{share:.0%} {kind}".replace("%", " %") for kind, share in mix.items())
    how = f", {shares or summary.total.provenance}" if summary.total else ""
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
    # They are the parent's; a run that starts here joins it.
    _active.clear()


def _stop_all() -> None:
    for run in list(_active):
        run.stop()


os.register_at_fork(after_in_child=_fork_all)
# So that a notebook without `stop` keeps its recording.
atexit.register(_stop_all)
