"""`joulecast study`: plan, run and analyze studies. Each verb is loaded when it is called."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from .. import options
from ..lazy_group import LazyGroup
from ..verb import json_option, show

if TYPE_CHECKING:
    from ...ledger.study_model import Study
    from ...study.running.study_run import StudyRun
    from .progress import StudyReporter

SECTIONS = {
    "Verbs": {
        "run": ("group:run", "Plan the study in a TOML file, and run its trials."),
        "status": ("status", "Show trials, energy and forecast of studies."),
        "resume": ("group:resume", "Continue a study that was stopped."),
        "report": ("report", "Write the results of a study as an HTML page."),
    }
}


@click.group("study", cls=LazyGroup, sections=SECTIONS, package=__package__)
def command() -> None:
    """Run and analyze many trainings over factors, with repetitions, under controlled conditions.

    \b
        joulecast study run study.toml
    """


_VERBOSE = options.flag("--verbose", "-v", help="Show on stderr what the trials print.")


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@_VERBOSE
@json_option
@options.ledger
def run(file: Path, verbose: bool, as_json: bool, ledger: str | None) -> None:
    """Plan the study in FILE, run its pending trials, and print how it ended.

    \b
        joulecast study run study.toml

    A study that is in the ledger already is continued; repetitions and levels may have been added.
    Trials that fail do not stop it. Exit code: 0; 1 if a trial has failed, or none has finished; 3
    at the limit of energy.
    """
    from ...study.plan import read_study

    _work(read_study(file), file.parent, str(file), ledger, verbose, as_json)


@click.command("resume")
@click.argument("which", metavar="NAME|FILE")
@options.flag("--retry-failed", help="Run failed trials again, too.")
@_VERBOSE
@json_option
@options.ledger
def resume(
    which: str, retry_failed: bool, verbose: bool, as_json: bool, ledger: str | None
) -> None:
    """Continue a study that was stopped: finished trials are not repeated, and none is lost.

    \b
        joulecast study resume digits

    Exit codes are those of joulecast study run.
    """
    from ...ledger import open_ledger, studies
    from ...study.plan import read_study

    # Path.is_file raises for a name of 300 characters.
    is_file = which.endswith(".toml") or os.path.isfile(which)  # noqa: PTH113
    plan = read_study(which) if is_file else None
    with open_ledger(ledger, create=False) as opened:
        stored = studies.load(opened, which if plan is None else plan.name)
    folder = Path(which).parent if is_file else Path(stored.folder)
    if not folder.is_dir():
        raise UsageError(
            f"study {stored.plan.name} was planned in {folder} on {stored.host}, which does not "
            "exist here: pass its file instead: joulecast study resume FILE"
        )
    _work(plan or stored.plan, folder, which, ledger, verbose, as_json, retry_failed)


def _work(
    study: Study,
    folder: Path,
    source: str,
    ledger: str | None,
    verbose: bool,
    as_json: bool,
    retry_failed: bool = False,
) -> None:
    from ...study.api import run_in_ledger
    from ...study.running.runner import RunnerContext
    from .progress import StudyReporter

    with StudyReporter() as reporter, _stopped_by_signals(reporter) as (stop, received):
        context = RunnerContext(stop=stop, listener=reporter, verbose=verbose)
        outcome = run_in_ledger(
            study, ledger, folder, context, source=source, retry_failed=retry_failed
        )
    show(outcome, as_json)
    sys.exit(_exit_code(outcome, received))


def _exit_code(outcome: StudyRun, received: list[int]) -> int:
    from ...errors import BudgetExceeded
    from ...ledger.study_model import TrialStatus
    from ...study.running.study_run import EndReason

    if outcome.ended is EndReason.STOPPED and received:
        return 128 + received[0]
    if outcome.ended is EndReason.ENERGY:
        return BudgetExceeded.exit_code
    # Out of memory is a result of its configuration, unless there is no other.
    count = outcome.counts.get
    only_memory = count(TrialStatus.OUT_OF_MEMORY) and not count(TrialStatus.FINISHED)
    return 1 if count(TrialStatus.FAILED) or only_memory else 0


@contextmanager
def _stopped_by_signals(reporter: StudyReporter) -> Iterator[tuple[threading.Event, list[int]]]:
    """The first Ctrl-C (or similar signal) ends the study in order, a second one at once."""
    stop = threading.Event()
    received: list[int] = []
    watched = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

    def end(number: int, _: FrameType | None) -> None:
        if received:
            # A library that is interrupted would log where.
            logging.disable()
            raise KeyboardInterrupt
        received.append(number)
        stop.set()
        reporter.message(
            "stopping: finished trials are kept, the running one becomes pending again"
        )

    def stay(number: int, _: FrameType | None) -> None:
        reporter.message(
            "a study cannot be suspended: Ctrl-C stops it, joulecast study resume continues"
        )

    # A signal that the parent process ignores (nohup) stays ignored.
    before = {n: signal.getsignal(n) for n in (*watched, signal.SIGTSTP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stay if number == signal.SIGTSTP else end)
    try:
        yield stop, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
