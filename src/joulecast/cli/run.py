"""`joulecast run -- CMD`: the command as it is, its energy beside it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import serialize
from ..errors import UsageError
from ..recording.wrap.command import CommandNotFoundError, Exit, become_command, check_command
from ..recording.wrap.signals import HeldSignals, hold_signals
from ..units import parse_duration, parse_power
from . import options

if TYPE_CHECKING:
    from ..recording.summary import Summary
    from ..recording.wrap.relay import Relay
    from ..run.run_options import RunOptions
    from ..run.session import Session
    from ..run.wrapped_command import WrappedCommand

NO_PROGRESS = "no progress was found in what it printed: name it with --progress-pattern"
# Any of these, and the command's output is read for its progress.
_AHEAD = ("epochs", "pattern", "budget", "early_stopping", "live")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", help="What the run is called. [default: the command]")
@options.tags
@click.option("--epochs", type=click.IntRange(min=0), help="How many are planned, to forecast by.")
@click.option(
    "--json-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures to this file as JSON.",
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
@click.option(
    "--progress-pattern",
    "pattern",
    metavar="REGEX",
    help="How the command prints its progress, where that is not known: (?P<epoch>\\d+), and "
    "(?P<epochs>), (?P<step>), (?P<steps>) or (?P<percent>).",
)
@click.option(
    "--budget",
    metavar="AMOUNT",
    help="What the run may use: 50kJ, 0.3kWh, 30gCO2, or 5EUR with a tariff.",
)
@click.option(
    "--on-budget",
    type=click.Choice(["stop", "warn"]),
    default="stop",
    show_default=True,
    help="Once it is used up, stop the command (exit code 3), or only say so.",
)
@click.option(
    "--grace",
    "grace_s",
    metavar="DURATION",
    default="10s",
    show_default=True,
    callback=options.parsed(parse_duration),
    help="What a command that is stopped gets to end by itself.",
)
@options.site
@click.option(
    "--early-stopping",
    metavar="METRIC[:patience=N]",
    help="The rule that may end the training early; adds what it is expected to cost then.",
)
@click.option(
    "--live/--no-live",
    default=None,
    help="Show the run while it goes on: a line on a terminal, else one for each epoch. "
    "[default: on a terminal, with any of --epochs, --budget, --progress-pattern]",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no summary.")
@options.ledger
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def command(command: tuple[str, ...], json_file: Path | None, quiet: bool, **given: Any) -> None:
    """Run a command and record the energy it uses.

    The command's streams, terminal, signals and exit code are its own. A summary follows on stderr.

        joulecast run --name resnet --tag lr=0.1 -- python train.py

    With the number of epochs its progress is read from what it prints, and all of it is forecast.

        joulecast run --epochs 30 --budget 0.2kWh -- python train.py
    """
    held = hold_signals()  # before anything that starts threads is imported
    relay: Relay | None = None
    try:
        check_command(command[0])
        relay = _relay(given)
        wrapped = _wrapped(command, held, relay, json_file, given)
        if wrapped is None:
            if relay is not None:
                relay.cancel()
            become_command(command, os.environ, held)
        wrapped.run(os.environ, partial(_tell, wrapped.watch, json_file, quiet)).leave()
    except CommandNotFoundError as error:
        _say(str(error))
        Exit(error.exit_code, None).leave()
    except UsageError:
        if relay is not None:
            relay.cancel()
        raise


def _relay(given: Mapping[str, Any]) -> Relay | None:
    """What reads the command's output, where that is wanted: forked off, so before any thread."""
    if not any(given[wish] is not None and given[wish] is not False for wish in _AHEAD):
        return None
    from ..recording.wrap import relay

    return relay.start(status_line=given["live"] is not False, env=os.environ)


def _wrapped(
    command: tuple[str, ...],
    held: HeldSignals,
    relay: Relay | None,
    json_file: Path | None,
    given: Mapping[str, Any],
) -> WrappedCommand | None:
    """The recording under way, or None where there is to be none. Raises `UsageError`."""
    from ..recording import join
    from ..recording.distributed import detect_job

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise UsageError(f"--json-file {json_file}: its folder does not exist: create it first")
    try:
        job = detect_job(os.environ)
        run_options = _options(command, relay, given)
        if not job.records:
            return None
        if join.outer_file(os.environ) is not None:
            unwritten = "" if json_file is None else f"; {json_file} is not written"
            _say(f"part of the run already being recorded{unwritten}")
            return None
        from ..reports.terminal.live import live_line
        from ..run.wrapped_command import WrappedCommand

        wrapped = WrappedCommand(
            command, run_options, job, held, relay, live_line, given["grace_s"]
        )
        wrapped.watch.start()
        return wrapped
    except UsageError:
        raise
    except Exception as error:  # a fault of ours must not cost the user the training
        _say(f"not recording, because of a fault: {type(error).__name__}: {error}")
        return None


def _options(command: tuple[str, ...], relay: Relay | None, given: Mapping[str, Any]) -> RunOptions:
    """Raises `UsageError`."""
    from ..forecasting.early_stopping import rule as early_stopping
    from ..run.budget import parse_budget
    from ..run.budget_watch import Policy
    from ..run.run_options import RunOptions

    budget, rule = given["budget"], given["early_stopping"]
    if budget is not None:
        site = {name: given[name] for name in ("tariff", "region", "carbon_intensity", "pue")}
        budget = parse_budget(budget, **site)
    return RunOptions(
        name=given["name"] or shlex.join(command)[:200],
        epochs=given["epochs"],
        tags=given["tags"],
        interval_s=given["interval"],
        scope=given["scope"],
        ledger=given["ledger"],
        idle_s=given["idle"],
        idle_power_w=_idle_power(given["idle_power"]),
        live=bool(given["live"]) and not (relay and relay.has_line),
        reads_output=relay is not None,
        pattern=given["pattern"],
        early_stopping=None if rule is None else early_stopping.parse(rule),
        budget=budget,
        on_budget=Policy(given["on_budget"]),
    )


def _idle_power(texts: tuple[str, ...]) -> dict[str, float] | None:
    found = {}
    for text in texts:
        domain, equals, watts = text.rpartition("=")
        found[domain if equals else "total"] = parse_power(watts)
    if "total" in found and len(found) > 1:
        raise UsageError("--idle-power: give one figure for the whole machine, or one per domain")
    return found or None


def _tell(watch: Session, json_file: Path | None, quiet: bool, summary: Summary) -> None:
    from ..recording.epochs import OWN
    from ..reports.terminal.summary import summary_lines

    if json_file is not None:
        try:
            json_file.write_text(serialize.dumps(summary.to_json(), indent=2) + "\n")
        except OSError as error:
            run = summary.recording.header.run_id
            _say(f"cannot write {json_file}: {error.strerror} (joulecast show {run} --json has it)")
    if not quiet:
        source = watch.lookout.source
        told = None if source == OWN else source
        lines = summary_lines(
            summary, said=[*watch.said, *watch.lookout.said], ledger=watch.ledger, epochs_from=told
        )
        if watch.lookout.unheard:
            lines.insert(-1, f"  {NO_PROGRESS}")
        _write("\n".join(lines))


def _say(text: str) -> None:
    _write(f"joulecast: {text}")


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody listens: stderr is closed, its terminal gone
        click.echo(text, err=True)
