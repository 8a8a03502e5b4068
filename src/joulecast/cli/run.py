"""`joulecast run -- CMD`: the command as it is, its energy beside it."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..recording.command import (
    CommandNotFoundError,
    Exit,
    become_command,
    check_command,
    run_command,
)
from ..recording.signals import HeldSignals, hold_signals
from ..units import parse_duration, parse_power
from . import options

if TYPE_CHECKING:
    from ..recording.distributed import Job
    from ..recording.summary import Summary
    from ..run.watch import Watch


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", help="What the run is called. [default: the command]")
@options.tags
@click.option("--epochs", type=click.IntRange(min=0), help="How many are planned, to forecast by.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures to this file, as JSON.",
)
@click.option(
    "--interval",
    default="100ms",
    show_default=True,
    metavar="DURATION",
    callback=options.parsed(parse_duration),
    help="Time between readings, 10ms to 1s.",
)
@click.option(
    "--scope",
    type=click.Choice(["process", "machine"]),
    default="process",
    show_default=True,
    help="The command's own GPUs and share of the CPU, or all of the machine.",
)
@click.option(
    "--idle",
    metavar="DURATION",
    default="0s",
    callback=options.parsed(parse_duration),
    help="First measure the idle machine for so long; tells the energy above idle.",
)
@click.option(
    "--idle-power",
    multiple=True,
    metavar="[DOMAIN=]WATTS",
    help="Or give its power: of the whole machine, or by domain (gpu:0=25W).",
)
@click.option("--live", is_flag=True, help="Print each epoch's energy and a forecast, on stderr.")
@click.option("--quiet", "-q", is_flag=True, help="Print no summary.")
@options.ledger
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def command(command: tuple[str, ...], json_file: Path | None, quiet: bool, **given: Any) -> None:
    """Run a command and record the energy it uses.

    The command's streams, terminal, signals and exit code are its own. A summary follows on stderr.

        joulecast run --name resnet --tag lr=0.1 -- python train.py
    """
    held = hold_signals()  # before anything that starts threads is imported
    try:
        check_command(command[0])
        watch = _started(command, held, json_file, given)
        if watch is None:
            become_command(command, os.environ, held)
        _record(watch, command, held, json_file, quiet).leave()
    except CommandNotFoundError as error:
        _say(str(error))
        Exit(error.exit_code, None).leave()


def _started(
    command: tuple[str, ...], held: HeldSignals, json_file: Path | None, given: dict[str, Any]
) -> Watch | None:
    """The recording under way, or None where there is to be none. Raises `UsageError`."""
    try:
        watch = _watch(command, held, json_file, given)
        if watch is not None:
            watch.start()
        return watch
    except UsageError:
        raise
    except Exception as error:  # a fault of ours must not cost the user the training
        _say(f"not recording, because of a fault: {type(error).__name__}: {error}")
        return None


def _watch(
    command: tuple[str, ...], held: HeldSignals, json_file: Path | None, given: dict[str, Any]
) -> Watch | None:
    """The recording to be, or None where another process records this one too."""
    from ..recording import join
    from ..recording.distributed import detect_job
    from ..run.watch import Options, Watch

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise UsageError(f"--json {json_file}: there is no such folder: create it first")
    job: Job = detect_job(os.environ)
    run_options = Options(
        name=given["name"] or shlex.join(command)[:200],
        epochs=given["epochs"],
        tags=options.parse_tags(given["tags"]),
        interval_s=given["interval"],
        scope=given["scope"],
        ledger=given["ledger"],
        idle_s=given["idle"],
        idle_power_w=_idle_power(given["idle_power"]),
        live=given["live"],
    )
    if not job.records:
        return None
    if join.outer_file(os.environ) is not None:
        unwritten = "" if json_file is None else f"; {json_file} is not written"
        _say(f"part of the run already being recorded{unwritten}")
        return None
    return Watch(run_options, list(command), None, job, sleep=held.act)


def _idle_power(texts: tuple[str, ...]) -> dict[str, float] | None:
    found = {}
    for text in texts:
        domain, equals, watts = text.rpartition("=")
        found[domain if equals else "total"] = parse_power(watts)
    if "total" in found and len(found) > 1:
        raise UsageError("--idle-power: give one figure for the whole machine, or one per domain")
    return found or None


def _record(
    watch: Watch, command: tuple[str, ...], held: HeldSignals, json_file: Path | None, quiet: bool
) -> Exit:
    from ..recording import join
    from ..recording.model import Status

    def follow(pid: int) -> None:
        try:
            watch.follow(pid)
        except Exception as error:  # the command runs, and is not to be left alone
            _say(f"the command's CPU time is not recorded: {type(error).__name__}: {error}")

    def at_end(ended: Exit) -> None:
        status = Status.FINISHED if ended.shell_code == 0 else Status.FAILED
        try:
            _tell(watch, watch.stop(status, ended.shell_code), json_file, quiet)
        except Exception as error:  # the command's exit code comes through whatever happens here
            _say(f"the recording could not be ended: {type(error).__name__}: {error}")

    if (number := held.deadly()) is not None:  # Ctrl-C before the command was started
        watch.stop(Status.FAILED, 128 + number)
        return Exit(None, number)
    env = os.environ | {join.VARIABLE: watch.join_file.variable}
    try:
        return run_command(command, env, held, follow, at_end)
    except CommandNotFoundError as error:
        watch.stop(Status.FAILED, error.exit_code)
        raise


def _tell(watch: Watch, summary: Summary, json_file: Path | None, quiet: bool) -> None:
    from ..report.lines import summary_lines

    if json_file is not None:
        try:
            json_file.write_text(json.dumps(summary.to_json(), indent=2) + "\n")
        except OSError as error:
            run = summary.recording.header.run_id
            _say(f"cannot write {json_file}: {error.strerror} (joulecast show {run} --json has it)")
    if not quiet:
        lines = summary_lines(summary, said=watch.said, ledger=watch.ledger)
        _write("\n".join(lines))


def _say(text: str) -> None:
    _write(f"joulecast: {text}")


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody listens: stderr is closed, its terminal gone
        click.echo(text, err=True)
