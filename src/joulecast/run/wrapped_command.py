"""A command under watch, from its start to its end, or to that of its budget."""

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
from .budget_watch import Policy
from .run_options import RunOptions
from .run_state import RunState
from .session import Session, say

if TYPE_CHECKING:
    from ..recording.wrap.relay import Relay

Line = Callable[[RunState, str | None], str]
"""Makes the status line of how the run stands, and of its budget."""


class WrappedCommand:
    """One command, run and recorded; with a `relay`, its output is read for progress.

    Its signals wait in `held`, see `recording.signals`. `grace_s` is what it gets to end by itself
    once its budget is spent.
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
        stops = options.budget is not None and options.on_budget is Policy.STOP
        self._stopper = Stopper() if stops else None
        self._started = threading.Event()  # the command has been; or never will be
        self._stopping: threading.Thread | None = None
        self._ended = False  # by itself: there is nothing left to stop
        self._ending = threading.Lock()
        self.watch = Session(
            *(options, self._command, None, job),
            talk=self._talk,
            sleep=held.act,
            show=self._show if stops or (relay is not None and relay.has_line) else None,
            over_budget=self._over_budget,
        )

    def run(self, env: Mapping[str, str], tell: Callable[[Summary], None]) -> Exit:
        """Run it to its end; `tell` is given the figures. Raises `CommandNotFoundError`."""
        if (number := self._held.deadly()) is not None:  # Ctrl-C before the command was started
            self._cancel(128 + number)
            return Exit(None, number)
        env = dict(env) | {join.VARIABLE: self.watch.join_file.variable}
        if self._relay is not None:
            env = self._relay.environment(env)
            self._relay.listen(self.watch.lookout.output)
        if self._stopper is not None:
            self._stopper.adopt_orphans()
        try:
            ended = run_command(
                *(self._command, env, self._held, self._follow),
                lambda how: self._end(how, tell),
                self._relay,
            )
        except CommandNotFoundError as error:
            self._cancel(error.exit_code)
            raise
        return Exit(BudgetExceeded.exit_code, None) if self._stopping else ended

    def _follow(self, pid: int) -> None:
        try:
            if self._stopper is not None:
                self._stopper.follow(pid)
            self.watch.follow(pid)
        except Exception as error:  # the command runs, and is not to be left alone
            self._talk(f"the command's CPU time is not recorded: {type(error).__name__}: {error}")
        self._started.set()

    def _end(self, how: Exit, tell: Callable[[Summary], None]) -> None:
        with self._ending:
            self._ended = self._stopping is None
        try:
            if self._stopping is not None:  # what it left behind ends too, and is still measured
                self._stopping.join()
                status = Status.STOPPED
            else:
                status = Status.FINISHED if how.shell_code == 0 else Status.FAILED
            if status is Status.FINISHED:
                self.watch.lookout.finish()
            tell(self._stopped(status, how.shell_code))
        except Exception as error:  # the command's exit code comes through whatever happens here
            say(f"the recording could not be ended: {type(error).__name__}: {error}")

    def _stopped(self, status: Status, exit_code: int) -> Summary:
        relay = self._relay
        if relay is None:
            return self.watch.stop(status, exit_code)
        if relay.fault is not None:
            self.watch.recorder.warn(f"its output was not read to the end: {relay.fault}")
        try:
            return self.watch.stop(status, exit_code)
        finally:
            relay.finish()  # after the recording: a slow reader of the output is no part of the run

    def _cancel(self, exit_code: int) -> None:
        self._started.set()
        if self._relay is not None:
            self._relay.cancel()
        self.watch.stop(Status.FAILED, exit_code)

    # told while it runs, by the recorder's thread

    def _show(self, seen: RunState, budget: str | None) -> None:
        if self._relay is not None and self._relay.has_line:
            self._relay.status(self._line(seen, budget))
        if self._stopper is not None:
            self._stopper.tend()

    def _talk(self, text: str) -> None:
        if self._relay is None or not self._relay.say(f"joulecast: {text}"):
            say(text)

    def _over_budget(self) -> None:
        with self._ending:
            if self._stopper is None or self._stopping is not None or self._ended:
                return
            stopping = threading.Thread(target=self._stop, name="joulecast-stop", daemon=True)
            with suppress(RuntimeError):  # no thread can be started: it goes on, and that was said
                stopping.start()
                self._stopping = stopping

    def _stop(self) -> None:
        self._started.wait()
        if self._stopper is not None:
            self._talk(f"stopping the command: {self._stopper.stop(self._grace_s)}")
