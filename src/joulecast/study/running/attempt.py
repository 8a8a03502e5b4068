"""One go at a trial: its process, recorded from the call of its function to the call's end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...forecasting.early_stopping import rule as early_stopping
from ...recording.distributed import Job
from ...recording.model import Status
from ...recording.summary import Summary
from ...run.run_options import RunOptions
from ...run.run_state import RunState
from ...run.session import Session
from ...units import Estimate
from ..entry import place
from ..model import Level, Study, TrialStatus, level_text
from . import oom
from .process import TrialProcess, how_it_ended

GRACE_S = 10.0  # what a trial that is stopped gets to end by itself
LOOK_S = 1.0  # between two looks at how it stands
_JOB = Job(None, 0, None, False)  # a study is no rank of a distributed job
_UNHEARD = ("JOULECAST_JOIN",)  # of a run around the study: each trial is a run of its own


@dataclass(frozen=True, slots=True)
class Attempt:
    """How it went. `status` None: it was stopped, by whom `why` says, and is no result."""

    status: TrialStatus | None
    error: str | None
    why: str | None
    run_id: str | None
    summary: Summary | None  # of the run, where it came so far
    log: str

    @property
    def energy(self) -> Estimate | None:
        """Of the run; None where nothing was measured."""
        return self.summary.total if self.summary is not None else None

    @property
    def duration_s(self) -> float | None:
        """Of the run."""
        return None if self.summary is None else self.summary.duration_s


@dataclass(frozen=True, slots=True)
class Watcher:
    """What an attempt asks and tells while it goes on.

    Attributes:
        stops: given how the run stands (None before it begins), why it is to stop, or None.
        began: told the id of the run.
        seen: told how it stands, about once a second.
        say: told what the user should know.
        output: handed what the trial prints, or None.
    """

    stops: Callable[[RunState | None], str | None]
    began: Callable[[str], None] = lambda run_id: None
    seen: Callable[[RunState], None] = lambda snapshot: None
    say: Callable[[str], None] = lambda text: None
    output: Callable[[bytes], None] | None = None


def attempt(
    study: Study,
    factors: Mapping[str, Level],
    seed: int,
    *,
    tags: Mapping[str, str],
    folder: Path,
    ledger: str | Path | None,
    env: Mapping[str, str],
    watcher: Watcher,
    root: Path = Path("/"),
) -> Attempt:
    """Run the study's function with these factors in a process of its own, and record it."""
    file, function = place(study, folder)
    epochs = planned_epochs(study, factors)
    levels = {factor: level_text(level) for factor, level in factors.items()}
    name = f"{study.name}/{','.join(levels.values())}"
    spec = {
        "name": name,
        "file": str(file.absolute()),
        "function": function,
        "factors": dict(factors),
        "seed": seed,
        "epochs": epochs,
        "early_stopping": study.early_stopping,
    }
    rule = study.early_stopping
    options = RunOptions(
        name=name,
        epochs=epochs,
        tags={**levels, **tags},
        ledger=ledger,
        early_stopping=None if rule is None else early_stopping.parse(rule),
    )
    command = [sys.executable, study.entry, *(f"{f}={level}" for f, level in levels.items())]
    before = oom.kills(root)
    inner = {key: value for key, value in env.items() if key not in _UNHEARD}
    watch: Session | None = None
    summary: Summary | None = None
    with TrialProcess(spec, folder, inner, watcher.output) as process:
        try:
            said, why = _wait(process, watcher, lambda: None)
            if why is None and "ready" in said:
                watch = Session(options, command, process.pid, _JOB, inner, notify=watcher.say)
                watch.start()
                process.send({"join": watch.join_file.variable})
                watcher.began(watch.recorder.header.run_id)
                said, why = _wait(process, watcher, watch.monitor.state)
            if why is not None:
                process.stop(GRACE_S)
            status, error = _judged(said, why, lambda: oom.killed(before, oom.kills(root)))
        except BaseException:
            process.stop(0.0)
            if watch is not None:
                watch.stop(Status.STOPPED)
            raise
        if watch is not None:
            if why is not None:
                watch.recorder.warn(f"stopped, and no part of the study's results: {why}")
            summary = watch.stop(_STATUS[status], _exit_code(said))
    return Attempt(
        status=status,
        error=error,
        why=why,
        run_id=None if summary is None else summary.recording.header.run_id,
        summary=summary,
        log=process.log,
    )


def planned_epochs(study: Study, factors: Mapping[str, Level]) -> int | None:
    """The epochs of a trial: a factor of that name counts before the study's own."""
    epochs = factors.get("epochs", study.epochs)
    return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else study.epochs


_STATUS = {
    TrialStatus.FINISHED: Status.FINISHED,
    TrialStatus.FAILED: Status.FAILED,
    TrialStatus.OUT_OF_MEMORY: Status.FAILED,
    None: Status.STOPPED,
}


def _wait(
    process: TrialProcess, watcher: Watcher, snapshot: Callable[[], RunState | None]
) -> tuple[dict[str, Any], str | None]:
    """What the process says next; or nothing, and why it is to stop."""
    due = time.monotonic() + LOOK_S
    while True:
        said = process.next(LOOK_S / 5)
        if said is not None:
            return said, None
        seen = None
        if time.monotonic() >= due:
            due = time.monotonic() + LOOK_S
            process.tend()
            seen = snapshot()
            if seen is not None:
                watcher.seen(seen)
        why = watcher.stops(seen)
        if why is not None:
            return {}, why


def _judged(
    said: Mapping[str, Any], why: str | None, killed: Callable[[], bool]
) -> tuple[TrialStatus | None, str | None]:
    if why is not None:
        return None, None
    if "done" in said:
        status, error = TrialStatus(said["done"]["status"]), said["done"]["error"]
        # A data loader that the kernel killed: the training itself only sees it gone.
        if status is TrialStatus.FAILED and "kill" in str(error).lower() and killed():
            status = TrialStatus.OUT_OF_MEMORY
        return status, error
    code = int(said.get("ended", 1))
    if code == -9 and killed():
        return TrialStatus.OUT_OF_MEMORY, "killed by the kernel, which had run out of memory"
    return TrialStatus.FAILED, how_it_ended(code)


def _exit_code(said: Mapping[str, Any]) -> int | None:
    if "ended" in said:
        code = int(said["ended"])
        return code if code >= 0 else 128 - code
    if "done" in said:
        return 0 if said["done"]["status"] == TrialStatus.FINISHED else 1
    return None
