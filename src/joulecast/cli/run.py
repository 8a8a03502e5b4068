"""`joulecast run -- CMD`: the command as it is, its energy beside it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import JoulecastError, UsageError
from ..recording.command import (
    CommandNotFoundError,
    Exit,
    HeldSignals,
    hold_signals,
    run_command,
)
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
    "--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures."
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
    if shutil.which(command[0]) is None:
        raise CommandNotFoundError(command[0], "no such program", 127)
    held = hold_signals()  # before anything that starts threads is imported
    try:
        watch = _watch(command, given)
    except JoulecastError:
        raise
    except Exception as error:  # a fault of ours must not cost the user the training
        _say(f"not recording, because of a fault: {type(error).__name__}: {error}")
        watch = None
    if watch is None:
        _become(command, held)
    _record(watch, command, held, json_file, quiet)


def _watch(command: tuple[str, ...], given: dict[str, Any]) -> Watch | None:
    """The recording to be, or None where another process of this node records the job."""
    from ..recording.distributed import detect_job
    from ..run.watch import Options, Watch

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
    return Watch(run_options, list(command), None, job)


def _idle_power(texts: tuple[str, ...]) -> dict[str, float] | None:
    found = {}
    for text in texts:
        domain, equals, watts = text.rpartition("=")
        found[domain if equals else "total"] = parse_power(watts)
    if "total" in found and len(found) > 1:
        raise UsageError("--idle-power: give one figure for the whole machine, or one per domain")
    return found or None


def _become(command: tuple[str, ...], held: HeldSignals) -> NoReturn:
    run_command(command, os.environ, held, lambda _: None, lambda _: None).leave()


def _record(
    watch: Watch, command: tuple[str, ...], held: HeldSignals, json_file: Path | None, quiet: bool
) -> NoReturn:
    from ..recording import join
    from ..recording.model import Status

    env = os.environ | {join.VARIABLE: str(watch.join_path)}

    def at_end(ended: Exit) -> None:
        status = Status.FINISHED if ended.shell_code == 0 else Status.FAILED
        try:
            _tell(watch, watch.stop(status, ended.shell_code), json_file, quiet)
        except Exception as error:  # the command's exit code comes through whatever happens here
            _say(f"the recording could not be ended: {type(error).__name__}: {error}")

    watch.start()
    try:
        ended = run_command(command, env, held, watch.follow, at_end)
    except JoulecastError as error:
        watch.stop(Status.FAILED, error.exit_code)
        raise
    ended.leave()


def _tell(watch: Watch, summary: Summary, json_file: Path | None, quiet: bool) -> None:
    from ..report.lines import summary_lines

    if json_file is not None:
        try:
            json_file.write_text(json.dumps(summary.to_json(), indent=2) + "\n")
        except OSError as error:
            _say(f"cannot write {json_file}: {error.strerror}")
    if not quiet:
        lines = summary_lines(summary, said=watch.said, ledger=watch.ledger)
        click.echo("\n".join(lines), err=True)


def _say(text: str) -> None:
    click.echo(f"joulecast: {text}", err=True)
