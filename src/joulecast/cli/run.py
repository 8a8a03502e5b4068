"""`joulecast run -- CMD`: a command as it is, and the energy it uses."""

from __future__ import annotations

import os
import resource
import shlex
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import serialize
from ..errors import UsageError
from ..output_file import write_whole
from ..recording.wrap.command import CommandNotFoundError, Exit, become_command, check_command
from ..recording.wrap.signals import HeldSignals, hold_signals
from ..units import parse_power, printable
from . import options

if TYPE_CHECKING:
    from ..forecasting.early_stopping.rule import EarlyStopping
    from ..recording.summary import Summary
    from ..recording.wrap.relay import Relay
    from ..run.budget import Budget
    from ..run.run_options import RunOptions
    from ..run.run_state import RunState
    from ..run.session import Session
    from ..run.wrapped_command import WrappedCommand

# Address space that recording needs, in bytes: numpy ends the process where it finds less.
_ADDRESS_SPACE = 300_000_000
# With any of these options the command's output is read for its progress.
_READS_OUTPUT = ("epochs", "pattern", "budget", "early_stopping", "live")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", metavar="TEXT", help="Name of the run. [default: the command]")
@options.tags
@options.count(
    "--epochs",
    metavar="N",
    help="Planned epochs of the command; its progress is read and the whole run is forecast.",
)
@click.option(
    "--json-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the run's figures to this file as JSON. [default: no file]",
)
@options.duration(
    "--interval", default="100ms", help="Time between readings of the meters, 10ms to 1s."
)
@click.option(
    "--scope",
    type=click.Choice(["process", "machine"]),
    default="process",
    help="Count the command's GPUs and share of the CPU, or the whole machine.",
)
@options.duration(
    "--idle",
    default="0s",
    help="Time to measure the idle machine before the command, for energy above idle: 30s.",
)
@click.option(
    "--idle-power",
    multiple=True,
    metavar="[DOMAIN=]WATTS",
    help="Idle power of the machine instead of --idle: 40W, or by domain: gpu:0=25W.",
)
@click.option(
    "--progress-pattern",
    "pattern",
    metavar="REGEX",
    help="How the command prints its progress, if joulecast does not recognize it: a regular "
    "expression with (?P<epoch>\\d+), and (?P<epochs>), (?P<step>), (?P<steps>) or (?P<percent>).",
)
@click.option(
    "--budget",
    metavar="AMOUNT",
    help="Limit of the run: 50kJ, 0.3kWh, 30gCO2, or 5EUR with --tariff. [default: no limit]",
)
@click.option(
    "--on-budget",
    type=click.Choice(["stop", "warn"]),
    default="stop",
    help="When the budget is exceeded, stop the command (exit code 3), or only warn.",
)
@options.duration(
    "--grace",
    "grace_s",
    default="10s",
    help="Time between SIGTERM and SIGKILL when the budget stops the command.",
)
@options.site
@click.option(
    "--early-stopping",
    metavar="METRIC[:patience=N]",
    help="Rule that may end the training early: val_loss:patience=5. The forecast includes it.",
)
@click.option(
    "--live/--no-live",
    default=None,
    help="Show progress and forecast during the run: a status line on a terminal, else one line "
    "per epoch. [default: on a terminal, with any of --epochs, --budget, --progress-pattern]",
)
@options.flag("--quiet", "-q", help="Do not print the summary at the end.")
@options.ledger
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def command(command: tuple[str, ...], json_file: Path | None, quiet: bool, **options_: Any) -> None:
    """Record the energy of a command, and print a summary when it has ended.

    The command's output, input, terminal, signals and exit code are unchanged.

        joulecast run --name resnet --tag lr=0.1 -- python train.py

    With the number of epochs, its progress is read from its output and the whole run is forecast.

        joulecast run --epochs 30 --budget 0.2kWh -- python train.py
    """
    if command[0].startswith("-"):
        raise click.NoSuchOption(command[0].partition("=")[0], ctx=click.get_current_context())
    # Before anything that starts threads is imported.
    held = hold_signals()
    env = dict(os.environ)
    # The arrays here are small, and each of its threads takes memory and time to start.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    relay: Relay | None = None
    try:
        check_command(command[0])
        relay = _start_relay(options_)
        wrapped = _start(command, held, relay, json_file, options_)
        if wrapped is None:
            if relay is not None:
                relay.cancel()
            become_command(command, env, held)
        report = partial(_report, wrapped.session, relay, json_file, quiet)
        wrapped.run(env, report).leave()
    except CommandNotFoundError as error:
        _notify(str(error))
        Exit(error.exit_code, None).leave()
    except UsageError:
        if relay is not None:
            relay.cancel()
        raise


def _start_relay(options_: Mapping[str, Any]) -> Relay | None:
    """Reads the command's output, where that is needed. Forked, and so before any thread starts."""
    if not any(options_[name] not in (None, False) for name in _READS_OUTPUT):
        return None
    from ..recording.wrap import relay

    return relay.start(status_line=options_["live"] is not False, env=os.environ)


def _start(
    command: tuple[str, ...],
    held: HeldSignals,
    relay: Relay | None,
    json_file: Path | None,
    options_: Mapping[str, Any],
) -> WrappedCommand | None:
    """The recording, started; None where nothing is recorded. Raises `UsageError`."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if 0 <= limit < _ADDRESS_SPACE:
        _notify(f"not recording: ulimit -v allows {limit / 1e6:.0f} MB, and recording needs 300 MB")
        return None
    from ..recording import join
    from ..recording.distributed import detect_job

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise UsageError(f"--json-file {json_file}: its folder does not exist: create it first")
    try:
        job = detect_job(os.environ)
        run_options = _run_options(command, relay, options_)
        if not job.records:
            return None
        if join.outer_file(os.environ) is not None:
            unwritten = "" if json_file is None else f"; {json_file} is not written"
            _notify(f"part of the run already being recorded{unwritten}")
            return None
        from ..run.wrapped_command import WrappedCommand

        wrapped = WrappedCommand(
            command, run_options, job, held, relay, _live_line, options_["grace_s"]
        )
        wrapped.session.start()
        return wrapped
    except UsageError:
        raise
    except Exception as error:
        # A fault of joulecast must not end the user's command.
        _notify(f"not recording, because of a fault: {type(error).__name__}: {error}")
        return None


def _live_line(state: RunState, budget: str | None) -> str:
    from ..reports.terminal.live import live_line

    return live_line(state, budget)


def _run_options(
    command: tuple[str, ...], relay: Relay | None, options_: Mapping[str, Any]
) -> RunOptions:
    """Raises `UsageError`."""
    from ..run.run_options import RunOptions

    return RunOptions(
        name=options_["name"] or shlex.join(command)[:200],
        epochs=options_["epochs"],
        tags=options_["tags"],
        interval_s=options_["interval"],
        scope=options_["scope"],
        ledger=options_["ledger"],
        idle_s=options_["idle"],
        idle_power_w=_idle_power(options_["idle_power"]),
        live=bool(options_["live"]) and not (relay and relay.has_line),
        reads_output=relay is not None,
        pattern=options_["pattern"],
        early_stopping=_early_stopping(options_["early_stopping"]),
        budget=_budget(options_),
    )


def _early_stopping(rule: str | None) -> EarlyStopping | None:
    if rule is None:
        return None
    from ..forecasting.early_stopping import rule as early_stopping

    return early_stopping.parse(rule)


def _budget(options_: Mapping[str, Any]) -> Budget | None:
    if options_["budget"] is None:
        return None
    from ..run.budget import Budget

    site = {name: options_[name] for name in ("tariff", "region", "carbon_intensity", "pue")}
    return Budget(options_["budget"], options_["on_budget"], **site)


def _idle_power(texts: tuple[str, ...]) -> dict[str, float] | None:
    power_w = {}
    for text in texts:
        domain, equals, watts = text.rpartition("=")
        power_w[domain if equals else "total"] = parse_power(watts)
    if "total" in power_w and len(power_w) > 1:
        raise UsageError("--idle-power: give one value for the whole machine, or one per domain")
    return power_w or None


def _report(
    session: Session, relay: Relay | None, json_file: Path | None, quiet: bool, summary: Summary
) -> None:
    from ..recording.epochs import OWN
    from ..reports.terminal.summary import summary_lines

    if json_file is not None:
        try:
            write_whole(json_file, [serialize.dumps(summary.to_json(), indent=2) + "\n"])
        except OSError as error:
            run = summary.recording.header.run_id
            _notify(f"cannot write {json_file}: {error.strerror} (see joulecast show {run} --json)")
    if quiet:
        return
    follower = session.follower
    source = None if follower is None else follower.source
    lines = summary_lines(
        summary,
        messages=session.messages,
        ledger=session.ledger,
        epochs_from=None if source == OWN else source,
    )
    if follower is not None and follower.remark is not None:
        lines.insert(-1, f"  {follower.remark}")
    # A bar that was broken off has no line feed.
    below = "\n" if relay is not None and relay.ends_within_a_line else ""
    _write(below + "\n".join(lines))


def _notify(text: str) -> None:
    _write(f"joulecast: {text}")


def _write(text: str) -> None:
    # stderr may be closed, or its terminal gone.
    with suppress(OSError, ValueError):
        click.echo(printable(text), err=True)
