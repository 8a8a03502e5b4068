"""`joulecast study`: plan, run and look at studies. Each verb is loaded when it is called."""

from __future__ import annotations

import importlib
import json
import logging
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

if TYPE_CHECKING:
    from ...ledger import Ledger
    from ...study.model import Study
    from ...study.running.outcome import Outcome
    from .progress import StudyLines

VERBS = {  # where each is, and what `joulecast study --help` shows of it
    "run": ("group", "run", "Plan the study in a TOML file, and run its trials."),
    "status": ("status", "command", "Say how studies stand."),
    "resume": ("group", "resume", "Go on with a study that was stopped."),
    "report": ("report", "command", "Write what came of a study as an HTML page."),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of `VERBS`."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, or None."""
        if cmd_name not in VERBS:
            return None
        module, name, _ = VERBS[cmd_name]
        found: click.Command = getattr(
            importlib.import_module(f"joulecast.cli.study.{module}"), name
        )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with one line each."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, _, line) in VERBS.items()])


@click.group("study", cls=_Verbs)
def command() -> None:
    """Many trainings over factors, with repetitions, under controlled conditions."""


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@click.option("--verbose", "-v", is_flag=True, help="Show what the trials print.")
@options.ledger
def run(file: Path, as_json: bool, verbose: bool, ledger: str | None) -> None:
    """Plan the study in FILE, and run the trials that are left.

    A study that is in the ledger already goes on; repetitions and levels may have been added.

        joulecast study run study.toml
    """
    from ...study.plan import read_study

    study = read_study(file)
    _work(study, file.parent, str(file), ledger, as_json, verbose)


@click.command("resume")
@click.argument("which", metavar="NAME|FILE")
@click.option("--retry-failed", is_flag=True, help="Run those that failed again, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@click.option("--verbose", "-v", is_flag=True, help="Show what the trials print.")
@options.ledger
def resume(
    which: str, retry_failed: bool, as_json: bool, verbose: bool, ledger: str | None
) -> None:
    """Go on with a study: trials that are over are not repeated, and none is lost.

    \b
        joulecast study resume digits
    """
    from ...ledger import open_ledger, studies
    from ...study.plan import read_study
    from ...study.stored_plan import stored_plan

    is_file = which.endswith(".toml") or Path(which).is_file()
    given = read_study(which) if is_file else None
    with open_ledger(ledger, create=False) as opened:
        stored = studies.load(opened, which if given is None else given.name)
        folder = Path(which).parent if is_file else Path(stored.folder)
        study = stored_plan(stored) if given is None else given
        if not folder.is_dir():
            raise UsageError(
                f"study {stored.name} was planned in {folder} on {stored.host}, which is not here: "
                "name its file instead: joulecast study resume FILE"
            )
    _work(study, folder, which, ledger, as_json, verbose, retry_failed)


def _work(
    study: Study,
    folder: Path,
    source: str,
    ledger: str | None,
    as_json: bool,
    verbose: bool,
    retry_failed: bool = False,
) -> None:
    from ...ledger import claims, open_ledger
    from ...reports.terminal.study_progress import outcome_text
    from ...reports.terminal.study_status import outcome_json
    from ...study import entry
    from ...study.stored_plan import keep_plan
    from .progress import StudyLines

    with StudyLines() as lines, _stopped_by_signals(lines) as (stop, received):
        entry.check_entry(study, entry.ask(study, folder), source)
        with open_ledger(ledger) as opened:
            added = keep_plan(opened, study, folder)
            if added:
                lines.say(f"study {study.name}: {added} trials planned")
            if retry_failed:
                again = claims.again(opened, study.name, "failed")
                lines.say(f"{again} that had failed are run again")
            outcome = _run(opened, study, folder, lines, stop, verbose)
    code = _exit_code(outcome, received)
    for line in outcome_text(outcome):
        click.echo(line, err=True)
    if as_json:
        click.echo(json.dumps(outcome_json(outcome, code), indent=2))
    sys.exit(code)


def _run(
    ledger: Ledger,
    study: Study,
    folder: Path,
    lines: StudyLines,
    stop: threading.Event,
    verbose: bool,
) -> Outcome:
    from ...study.running.runner import Around, Runner

    around = Around(stop=stop, listener=lines, verbose=verbose)
    return Runner(ledger, study, folder, around).run()


def _exit_code(outcome: Outcome, received: list[int]) -> int:
    from ...errors import BudgetExceeded
    from ...study.model import TrialStatus
    from ...study.running.outcome import End

    if outcome.end is End.STOPPED and received:
        return 128 + received[0]
    if outcome.end is End.ENERGY:
        return BudgetExceeded.exit_code
    failed = any(outcome.counts.get(s) for s in (TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY))
    return 1 if failed and not outcome.counts.get(TrialStatus.FINISHED) else 0


@contextmanager
def _stopped_by_signals(lines: StudyLines) -> Iterator[tuple[threading.Event, list[int]]]:
    """Ctrl-C and its like end the study in order; a second one ends it at once."""
    stop = threading.Event()
    received: list[int] = []
    watched = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

    def end(number: int, _: FrameType | None) -> None:
        if received:
            logging.disable()  # a library that is cut short would log where
            raise KeyboardInterrupt
        received.append(number)
        stop.set()
        lines.say("stopping: what is over is kept, the trial under way is given back")

    def stay(number: int, _: FrameType | None) -> None:
        lines.say("a study cannot be suspended: Ctrl-C stops it, joulecast study resume goes on")

    # One that is ignored by whoever started us (nohup) stays ignored.
    before = {n: signal.getsignal(n) for n in (*watched, signal.SIGTSTP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stay if number == signal.SIGTSTP else end)
    try:
        yield stop, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
