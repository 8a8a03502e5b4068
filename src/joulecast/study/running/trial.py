"""The process of a trial, which calls the study's function once.

It imports the user's file, reports that it is ready, waits for the recording to begin, calls the
function, and reports how that ended. So the run is the call, without the start of the interpreter.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

from ... import serialize
from ...forecasting.early_stopping.rule import EarlyStop
from ...recording import join
from ...run.run_options import RunOptions
from ...run.training import Run
from ..entry import load, signature_of
from .delayed_epochs import DelayedEpochs
from .trial_spec import TrialSpec

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_OOM_NAMES = frozenset({"OutOfMemoryError", "ResourceExhaustedError", "XlaRuntimeError"})
_OOM_WORDS = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory"
    r"|RESOURCE_EXHAUSTED|ALLOC_FAILED|OOM when allocating",
    re.IGNORECASE,
)


class TrialRun(Run):
    """The `run` that a study's function receives: joins the trial's recording, and stops early."""

    def __init__(self, options: RunOptions) -> None:
        super().__init__(options, quiet=True)
        rule = options.early_stopping
        self._rule = None if rule is None else EarlyStop(rule)
        # In the current epoch.
        self._logged: dict[str, float | None] = {}

    def __enter__(self) -> TrialRun:
        super().__enter__()
        return self

    def log(self, **metrics: Any) -> None:
        """As `Run.log`; a value of None is left out, with a warning."""
        for name, value in metrics.items():
            if value is None:
                self._tracker.events.warn(f"metric {name} was None: left out")
            else:
                super().log(**{name: value})
                self._logged[name] = float(value.detach() if hasattr(value, "detach") else value)

    def epochs(self, n: int | None = None, *, start: int = 0) -> Iterator[int]:
        """As `Run.epochs`, until the study's rule of early stopping applies."""
        inner = cast("Generator[int]", super().epochs(n, start=start))
        with closing(inner) as numbers:
            for number in numbers:
                self._logged = {}
                yield number
                if self.stops():
                    return

    def stops(self) -> bool:
        """Whether the rule applies after the current epoch; to be called once an epoch."""
        value = None if self._rule is None else self._logged.get(self._rule.rule.metric)
        return self._rule is not None and value is not None and self._rule.ends_after(value)

    def consume(self, epochs: Iterator[Any], planned: int | None) -> Any:
        """Run a generator of metrics, each `yield` of which ends an epoch; returns its value."""
        events = self._delayed()
        if planned is not None:
            self._tracker.events.plan(planned)
        for number in itertools.count():
            if events is not None:
                events.last = planned is not None and number >= planned
            self._logged = {}
            with self._tracker.span(f"epoch {number}", "epoch", number):
                try:
                    metrics = next(epochs)
                except StopIteration as stop:
                    if events is not None:
                        events.drop()
                    return stop.value
                self.take(metrics, "yield")
            if self.stops():
                close = getattr(epochs, "close", None)
                if close is not None:
                    close()
                return None
        raise AssertionError

    def take(self, metrics: Any, how: str) -> None:
        """Log metrics that came by `yield` or `return`. Raises `TypeError` for anything else."""
        if metrics is None:
            return
        if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
            raise TypeError(f"{how} a dictionary of metrics by name, not {type(metrics).__name__}")
        self.log(**metrics)

    def _delayed(self) -> DelayedEpochs | None:
        path = join.outer_file(os.environ)
        if path is None or self._writer is None:
            return None
        self._writer.close()
        self._writer = delayed = DelayedEpochs(path)
        # The span of the whole call is open already.
        self._tracker.redirect(delayed)
        return delayed


def call(function: Callable[..., Any], spec: TrialSpec) -> None:
    """Call the function for the trial `spec`; its epochs and metrics go to the run around it."""
    signature = signature_of(function)
    with TrialRun(spec.run_options()) as run:
        offered: dict[str, Any] = {"seed": spec.seed, "run": run}
        if spec.epochs is not None:
            offered["epochs"] = spec.epochs
        taken = {name: v for name, v in offered.items() if name in signature.parameters}
        result = function(**(taken | dict(spec.factors)))
        if isinstance(result, Iterator):
            result = run.consume(result, spec.epochs)
        if isinstance(result, Mapping):
            run.take(result, "return")


def failure(error: BaseException) -> dict[str, Any]:
    """How a trial ended that raised: its status, and the error's last line."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return {"status": "finished", "error": None}
    lines = traceback.format_exception_only(error)
    last = " ".join(lines[-1].split()) if lines else type(error).__name__
    return {"status": "out_of_memory" if is_out_of_memory(error) else "failed", "error": last}


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or its cause, means that memory ran out."""
    while error is not None:
        names = {kind.__name__ for kind in type(error).__mro__}
        if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        may_be = isinstance(error, RuntimeError) or names & _OOM_NAMES
        if may_be and _OOM_WORDS.search(str(error)):
            return True
        error = error.__cause__
    return False


def _die_with_parent(parent: int) -> None:
    """End with the runner: a trial whose runner was killed would disturb the next."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform != "linux":
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _main(descriptor: int, parent: int) -> None:
    _die_with_parent(parent)
    faulthandler.enable()
    os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=descriptor)
    lines = channel.makefile("rb")

    def report(**message: Any) -> None:
        # The runner may be gone; this process then ends soon, too.
        with suppress(OSError):
            channel.sendall((json.dumps(message) + "\n").encode())

    spec = serialize.read(json.loads(lines.readline()), TrialSpec)
    outcome: dict[str, Any] = {"status": "finished", "error": None}
    try:
        function = load(Path(spec.file), spec.function)
        report(ready=True)
        go = json.loads(lines.readline())
        os.environ[join.VARIABLE] = go["join"]
        call(function, spec)
    except BaseException as error:
        outcome = failure(error)
        if outcome["status"] != "finished":
            # There may be too little memory even for this.
            with suppress(Exception):
                traceback.print_exception(error)
        del error
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    report(done=outcome)
    # Wait until the runner has taken the last reading: a process that ended is not metered.
    lines.readline()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
