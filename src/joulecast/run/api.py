"""The Python interface: `joulecast.record`."""

from __future__ import annotations

import atexit
import os
import shlex
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ContextDecorator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..recording import join
from ..recording.distributed import detect_job
from ..recording.events import Events, NoEvents, Tracker
from ..recording.model import Status
from ..recording.summary import Summary
from ..units import Estimate, format_duration, format_estimate, parse_duration
from .watch import Options, Watch, say

_active: weakref.WeakSet[Run] = weakref.WeakSet()


class Run(ContextDecorator, AbstractContextManager["Run"]):
    """A training under watch. Made by `joulecast.record`; see there."""

    def __init__(self, options: Options, *, quiet: bool) -> None:
        self._options, self._quiet = options, quiet
        self._pid = os.getpid()
        self._watch: Watch | None = None  # None where another run holds the recording
        self._tracker = Tracker(NoEvents())
        self._span: AbstractContextManager[None] | None = None
        self.summary: Summary | None = None

    def _recreate_cm(self) -> Run:  # a decorated function opens a new run each time it is called
        return Run(self._options, quiet=self._quiet)

    # starting and stopping

    def start(self) -> Run:
        """Begin; for notebooks, where a `with` block cannot span cells. Ends with `stop`."""
        self._pid = os.getpid()
        job = detect_job(os.environ)
        if not job.records:
            return self
        around = next((run for run in _active if run._pid == self._pid), None)
        outside = _outer_recording(os.environ.get(join.VARIABLE))
        if around is not None:
            self._tracker = around._tracker
        elif outside is not None:
            self._tracker = Tracker(outside)
        else:
            command = [sys.executable, *sys.argv]
            self._watch = Watch(self._options, command, job.tree_root(), job)
            self._tracker = Tracker(self._watch.recorder)
            os.environ[join.VARIABLE] = str(self._watch.join_path)
            self._watch.start()
        if self._watch is None:
            self._span = self._tracker.span(self._options.name, "run")
            self._span.__enter__()
        _active.add(self)
        return self

    def stop(self, *, failed: bool = False) -> Summary | None:
        """End the run; its figures, or None where an outer run holds them. Safe to call twice."""
        if os.getpid() != self._pid:  # a forked worker leaves its parent's run alone
            return None
        _active.discard(self)
        if self._span is not None:
            self._span.__exit__(None, None, None)
            self._span = None
        if self._watch is not None:
            os.environ.pop(join.VARIABLE, None)
            watch, self._watch = self._watch, None
            self.summary = watch.stop(Status.FAILED if failed else Status.FINISHED)
            self._tracker.events = NoEvents()
            if not self._quiet:
                say(_last_line(self.summary, watch.ledger))
        return self.summary

    def __enter__(self) -> Run:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._warn(f"ended by {kind.__name__}")
        self.stop(failed=kind is not None)

    # what a training says

    def epochs(self, n: int | None = None, *, start: int = 0) -> Iterator[int]:
        """Yields epoch numbers, each recorded as a span.

        `n` defaults to the `epochs` given to `record`; endless where neither is known. `start` is
        the first number, for a training that was resumed.
        """
        return self._tracker.epochs(self._options.epochs if n is None else n, start)

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
        """Energy of all planned epochs, J, or None before it can be told."""
        return self._watch.forecast() if self._watch and self.recording else None

    def _warn(self, text: str) -> None:
        if self._watch is not None and os.getpid() == self._pid:
            self._watch.recorder.warn(text)

    def _after_fork(self) -> None:
        """In a forked child: its events travel to the parent, which alone records."""
        if self._watch is not None:
            path, self._watch = str(self._watch.join_path), None
            self._tracker.restart(_outer_recording(path) or NoEvents())


def _outer_recording(path: str | None) -> Events | None:
    """The way into the recording around this process; None where there is none any more."""
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
        f"{header.name}: {energy}{how}, in {format_duration(summary.duration_s)} "
        f"(joulecast show {header.run_id[:8]}{where})"
    )


def _fork_all() -> None:
    for run in list(_active):
        run._after_fork()


def _stop_all() -> None:
    for run in list(_active):
        run.stop()


os.register_at_fork(after_in_child=_fork_all)
atexit.register(
    _stop_all
)  # a notebook that was never told to stop keeps its recording all the same


def record(
    name: str | None = None,
    *,
    epochs: int | None = None,
    tags: Mapping[str, str] | None = None,
    interval: float | str = 0.1,
    scope: str = "process",
    ledger: str | Path | None = None,
    idle: float | str = 0.0,
    idle_power: float | Mapping[str, float] | None = None,
    live: bool = False,
    quiet: bool = False,
) -> Run:
    """Record the energy of a training.

    As a context manager or a decorator::

        with joulecast.record("digits", epochs=30) as run:
            for epoch in run.epochs():
                train(...)
                with run.span("validate"):
                    run.log(accuracy=validate(...))

    Inside a process that is itself recorded (by `joulecast run`, or by another `record`), it joins
    that run: its spans and metrics appear there.

    Args:
        name: what the run is called; the script's name by default.
        epochs: how many are planned; lets the run be forecast.
        tags: any words to find the run by.
        interval: seconds between readings, 0.01 to 1, or text (`"100ms"`).
        scope: `"process"` (the GPUs visible to this process and its tree's share of the CPU) or
            `"machine"`.
        ledger: a file or a PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        idle: measure the idle baseline for so many seconds (or text, `"10s"`) before the run.
        idle_power: or give it: watts of the whole machine, or by domain `{"gpu:0": 25.0}`.
        live: print a line for each epoch, with a forecast of the whole, on stderr.
        quiet: print nothing at the end.

    Raises:
        UsageError: for figures that make no sense. Trouble with meters or the ledger never raises:
            it is said on stderr and in the recording's warnings, and the training goes on.
    """
    watts: Any = {"total": float(idle_power)} if isinstance(idle_power, int | float) else idle_power
    options = Options(
        name=name or (Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"),
        epochs=epochs,
        tags=tags or {},
        interval_s=parse_duration(interval) if isinstance(interval, str) else float(interval),
        scope=scope,
        ledger=ledger,
        idle_s=parse_duration(idle) if isinstance(idle, str) else float(idle),
        idle_power_w=watts,
        live=live,
    )
    return Run(options, quiet=quiet)
