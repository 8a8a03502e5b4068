"""One attempt at a trial: its process, recorded from the call of its function to the call's end."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import serialize
from ...estimate import Estimate
from ...ledger.study_model import TrialStatus
from ...recording.distributed import Job
from ...recording.model import Status
from ...recording.summary import Summary
from ...run.run_state import RunState
from ...run.session import Session
from . import oom_kills
from .leftovers import runner_variable
from .process import TrialProcess, exit_text
from .trial_spec import TrialSpec

# Time between SIGTERM and SIGKILL.
GRACE_S = 10.0
# The state of the run is polled once in so many seconds.
POLL_S = 1.0
# A study is no rank of a distributed job.
_JOB = Job(None, 0, None, False)
# Variables of a run around the study: each trial is a run of its own.
_NOT_INHERITED = ("JOULECAST_JOIN",)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended.

    Attributes:
        status: None: it was stopped, and is no result.
        error: of one that failed.
        summary: of its run; None where none began.
        log: the end of what it printed.
    """

    status: TrialStatus | None
    error: str | None
    summary: Summary | None
    log: str

    @property
    def run_id(self) -> str | None:
        """Of its recording."""
        return None if self.summary is None else self.summary.recording.header.run_id

    @property
    def energy(self) -> Estimate | None:
        """Of the run; None where nothing was measured."""
        return None if self.summary is None else self.summary.total

    @property
    def duration_s(self) -> float | None:
        """Of the run."""
        return None if self.summary is None else self.summary.duration_s


@dataclass(frozen=True, slots=True)
class AttemptHooks:
    """Functions that an attempt calls while it runs.

    Attributes:
        stops: with the state of the run (None before it begins); returns why to stop it, or None.
        began: with the id of the run.
        state: with the state of the run, about once a second.
        message: with a message for the user.
        output: with what the trial prints; None: nothing is shown.
    """

    stops: Callable[[RunState | None], str | None]
    began: Callable[[str], None] = lambda run_id: None
    state: Callable[[RunState], None] = lambda state: None
    message: Callable[[str], None] = lambda text: None
    output: Callable[[bytes], None] | None = None


def attempt(
    spec: TrialSpec,
    entry: str,
    *,
    tags: Mapping[str, str],
    folder: Path,
    ledger: str | Path | None,
    env: Mapping[str, str],
    hooks: AttemptHooks,
    root: Path = Path("/"),
) -> Attempt:
    """Run a trial in a process of its own, and record it.

    Args:
        spec: of the trial.
        entry: of the study, for the command line that the recording shows.
        tags: of the recording, in addition to the levels.
        folder: in which it runs.
        ledger: that the recording goes to.
        env: the environment of the process.
        hooks: functions to call while it runs.
        root: of the system's files, in which out-of-memory kills are counted.
    """
    options = spec.run_options(tags={**spec.levels, **tags}, ledger=ledger)
    command = [sys.executable, entry, *(f"{f}={level}" for f, level in spec.levels.items())]
    before = oom_kills.kills(root)
    inner = {key: value for key, value in env.items() if key not in _NOT_INHERITED}
    inner |= runner_variable()
    session: Session | None = None
    summary: Summary | None = None
    with TrialProcess(serialize.to_builtins(spec), folder, inner, hooks.output) as process:
        try:
            message, why = _wait(process, hooks, lambda: None)
            if why is None and "ready" in message:
                session = Session(options, command, process.pid, _JOB, inner, notify=hooks.message)
                session.start()
                process.send({"join": session.join_file.variable})
                hooks.began(session.recorder.header.run_id)
                message, why = _wait(process, hooks, session.monitor.state)
            if why is not None:
                process.stop(GRACE_S)
            status, error = _result(
                message, why, lambda: oom_kills.killed(before, oom_kills.kills(root))
            )
        except BaseException:
            process.stop(0.0)
            if session is not None:
                session.stop(Status.STOPPED)
            raise
        if session is not None:
            if why is not None:
                session.recorder.warn(f"stopped, and no part of the study's results: {why}")
            summary = session.stop(_STATUS[status], _exit_code(message))
    return Attempt(status, error, summary, process.log)


_STATUS = {
    TrialStatus.FINISHED: Status.FINISHED,
    TrialStatus.FAILED: Status.FAILED,
    TrialStatus.OUT_OF_MEMORY: Status.FAILED,
    None: Status.STOPPED,
}


def _wait(
    process: TrialProcess, hooks: AttemptHooks, read_state: Callable[[], RunState | None]
) -> tuple[dict[str, Any], str | None]:
    """The next message of the process; or an empty one, and why the process is to be stopped."""
    due = time.monotonic() + POLL_S
    while True:
        message = process.next(POLL_S / 5)
        if message is not None:
            return message, None
        state = None
        if time.monotonic() >= due:
            due = time.monotonic() + POLL_S
            process.tend()
            state = read_state()
            if state is not None:
                hooks.state(state)
        why = hooks.stops(state)
        if why is not None:
            return {}, why


def _result(
    message: Mapping[str, Any], why_stopped: str | None, killed: Callable[[], bool]
) -> tuple[TrialStatus | None, str | None]:
    """The status and the error of a trial, from the last message of its process."""
    if why_stopped is not None:
        return None, None
    if "done" in message:
        status, error = TrialStatus(message["done"]["status"]), message["done"]["error"]
        # A data loader that the kernel killed: the training only sees that it is gone.
        if status is TrialStatus.FAILED and "kill" in str(error).lower() and killed():
            status = TrialStatus.OUT_OF_MEMORY
        return status, error
    code = int(message.get("ended", 1))
    if code == -9 and killed():
        return TrialStatus.OUT_OF_MEMORY, "killed by the kernel: out of memory"
    return TrialStatus.FAILED, exit_text(code)


def _exit_code(message: Mapping[str, Any]) -> int | None:
    if "ended" in message:
        code = int(message["ended"])
        return code if code >= 0 else 128 - code
    if "done" in message:
        return 0 if message["done"]["status"] == TrialStatus.FINISHED else 1
    return None
