"""A wrapped command that is recorded, until it ends or exceeds its budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import BudgetExceeded
from ..recording import join
from ..recording.distributed import Job
from ..recording.model import Status
from ..recording.summary import Summary
from ..recording.wrap.command import CommandNotFoundError, Exit, run_command
from ..recording.wrap.signals import HeldSignals
from ..recording.wrap.stop import GRACE_S, Stopper
from .run_options import RunOptions
from .session import Session, notify

if TYPE_CHECKING:
    from ..recording.wrap.relay import Relay
    from .run_state import RunState

Line = Callable[["RunState", str | None], str]
"""Makes the status line of a run's state and of its budget."""


class WrappedCommand:
    """One command, run and recorded.

    Args:
        command: with its arguments.
        options: how it is recorded.
        job: the place of this process in a distributed job.
        held: signals that wait, see `recording.wrap.signals`.
        relay: reads the command's output, for its progress; None where it is not read.
        line: makes the status line.
        grace_s: time between SIGTERM and SIGKILL once the budget is exceeded.
    """

    def __init__(
        self,
        command: Sequence[str],
        options: RunOptions,
        job: Job,
        held: HeldSignals,
        relay: Relay | None,
        line: Line,
        grace_s: float = GRACE_S,
    ) -> None:
        self._command, self._held, self._relay = list(command), held, relay
        self._line, self._grace_s = line, grace_s
        stops = options.budget is not None and options.budget.on_exceeded == "stop"
        self._stopper = Stopper() if stops else None
        # Set, too, where the command is never started.
        self._started = threading.Event()
        self._stopping: threading.Thread | None = None
        # By itself, so that there is nothing to stop.
        self._ended = False
        self._ending = threading.Lock()
        self.session = Session(
            *(options, self._command, None, job),
            notify=self._notify,
            sleep=held.act,
            show=self._show if stops or (relay is not None and relay.has_line) else None,
            on_exceeded=self._on_exceeded,
        )

    def run(self, env: Mapping[str, str], report: Callable[[Summary], None]) -> Exit:
        """Run it to its end; `report` is given the figures. Raises `CommandNotFoundError`."""
        # Ctrl-C before the command was started.
        if (number := self._held.deadly()) is not None:
            self._cancel(Status.CANCELED, 128 + number)
            return Exit(None, number)
        env = dict(env) | {join.VARIABLE: self.session.join_file.variable}
        if self._relay is not None:
            env = self._relay.environment(env)
            self._relay.listen(self.session.monitor.read_output)
        if self._stopper is not None:
            self._stopper.adopt_orphans()
        try:
            ended = run_command(
                *(self._command, env, self._held, self._follow),
                lambda how: self._end(how, report),
                self._relay,
            )
        except CommandNotFoundError as error:
            self._cancel(Status.FAILED, error.exit_code)
            raise
        return Exit(BudgetExceeded.exit_code, None) if self._stopping else ended

    def _follow(self, pid: int) -> None:
        try:
            if self._stopper is not None:
                self._stopper.follow(pid)
            self.session.follow(pid)
        except Exception as error:
            # The command runs already and must not be left without its wrapper.
            self._notify(f"the command's CPU time is not recorded: {type(error).__name__}: {error}")
        self._started.set()

    def _end(self, how: Exit, report: Callable[[Summary], None]) -> None:
        with self._ending:
            self._ended = self._stopping is None
        try:
            # What the command left behind is stopped, too, and is measured until then.
            if self._stopping is not None:
                self._stopping.join()
                status = Status.STOPPED
            elif how.is_canceled:
                status = Status.CANCELED
            else:
                status = Status.FINISHED if how.shell_code == 0 else Status.FAILED
            if self.session.follower is not None:
                self.session.follower.finish(succeeded=status is Status.FINISHED)
            report(self._stopped(status, how.shell_code))
        except Exception as error:
            # The command's exit code must be passed on whatever happens here.
            notify(f"the recording could not be ended: {type(error).__name__}: {error}")

    def _stopped(self, status: Status, exit_code: int) -> Summary:
        relay = self._relay
        if relay is None:
            return self.session.stop(status, exit_code)
        if relay.fault is not None:
            self.session.recorder.warn(f"its output was not read to the end: {relay.fault}")
        try:
            return self.session.stop(status, exit_code)
        finally:
            # After the recording, because a slow reader of the output is no part of the run.
            relay.finish()

    def _cancel(self, status: Status, exit_code: int) -> None:
        self._started.set()
        if self._relay is not None:
            self._relay.cancel()
        self.session.stop(status, exit_code)

    # --- called by the recorder's thread ---------------------------------------------------------

    def _show(self, state: RunState, budget: str | None) -> None:
        if self._relay is not None and self._relay.has_line:
            self._relay.status(self._line(state, budget))
        if self._stopper is not None:
            self._stopper.tend()

    def _notify(self, text: str) -> None:
        if self._relay is None or not self._relay.notify(f"joulecast: {text}"):
            notify(text)

    def _on_exceeded(self) -> None:
        with self._ending:
            if self._stopper is None or self._stopping is not None or self._ended:
                return
            stopping = threading.Thread(target=self._stop, name="joulecast-stop", daemon=True)
            # Where no thread can be started the command goes on; that was reported.
            with suppress(RuntimeError):
                stopping.start()
                self._stopping = stopping

    def _stop(self) -> None:
        self._started.wait()
        if self._stopper is not None:
            self._notify(f"stopping the command: {self._stopper.stop(self._grace_s)}")
