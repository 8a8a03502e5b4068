"""`joulecast calibrate`: this machine's own constants, and its power at the wall."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..units import parse_duration
from . import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..calibration.stored_constants import Calibrated
    from ..hardware.environment import Environment
    from ..wall.side_by_side import SideBySide
    from ..wall.wall_energy import WallFit

SCHEMA = "joulecast/calibrate/1"
_LEAST_S = 5.0
_LEAST_LIVE_S = 90.0  # of a plug, which tells little in less
_LIVE_IDLE_SHARE = 0.35  # of the time of a plug: the fit needs idle as much as load


def parse_shift(text: str) -> float:
    """Seconds from `37s` or `-1.5 min`. Raises `UsageError`."""
    text = text.strip()
    return -parse_duration(text[1:]) if text[:1] == "-" else parse_duration(text)


@click.command("calibrate")
@click.option(
    "--device",
    metavar="NAME",
    help="Only this one: cpu, gpu:0. [default: each GPU and the CPU]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=_LEAST_S),
    default=120.0,
    show_default=True,
    help="For all of it together; the tests of a CPU need some 40 at least.",
)
@click.option(
    "--wall",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Fit wall power on recorded runs instead: columns t (ISO time, or seconds since 1970) "
    "and power_w or energy_wh.",
)
@click.option(
    "--shift",
    metavar="DURATION",
    default="0s",
    callback=options.parsed(parse_shift),
    help="Add to the times of FILE.csv, where its clock is off: -37s.",
)
@click.option(
    "--plug",
    metavar="URL",
    help="Fit wall power on a smart plug while the tests run: shelly://192.168.1.20, "
    "tasmota://host.",
)
@click.option("--show", is_flag=True, help="Show what is known of this machine.")
@click.option("--forget", is_flag=True, help="Drop it; with --device, of that device only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@options.ledger
def command(
    device: str | None,
    seconds: float,
    wall: Path | None,
    shift: float,
    plug: str | None,
    show: bool,
    forget: bool,
    as_json: bool,
    ledger: str | None,
) -> None:
    """Measure this machine's own constants, for forecasts on it, in two minutes.

    Nothing else should run meanwhile. The constants are kept in the ledger; the newest count.

        joulecast calibrate --wall readings.csv

    fits wall power on what was metered in the runs recorded at the same time; with --plug, a smart
    plug is asked while the tests run. Totals of runs then show the energy at the wall, too.
    """
    from ..hardware.environment import Environment

    wishes = [name for name, on in (("--wall", wall), ("--plug", plug)) if on]
    wishes += [name for name, on in (("--show", show), ("--forget", forget)) if on]
    if len(wishes) > 1:
        raise UsageError(f"{' and '.join(wishes)}: give one of them")
    if shift and wall is None:
        raise UsageError("--shift goes with --wall")
    if plug is not None and seconds < _LEAST_LIVE_S:
        raise UsageError(f"--plug needs --seconds {_LEAST_LIVE_S:g} or more")
    environment = Environment.detect()
    if show:
        _show(ledger, environment, as_json)
    elif forget:
        _forget(ledger, environment, device, as_json)
    elif wall is not None:
        _fit_recordings(ledger, environment, wall, shift, as_json)
    else:
        _calibrate(ledger, environment, device, seconds, plug, as_json)


def _calibrate(
    ledger: str | None,
    environment: Environment,
    device: str | None,
    seconds: float,
    plug: str | None,
    as_json: bool,
) -> None:
    from ..calibration import microbench
    from ..calibration.calibrate import calibrate, input_pipeline, input_seconds
    from ..calibration.targets import targets
    from ..forecasting.physical.forecaster import Physical
    from ..ledger import calibrations, open_ledger
    from ..wall.regression import WallFitError, fit_wall

    torch = microbench.framework()
    chosen = targets(torch, environment, device, lambda why: click.echo(why, err=True))
    found: list[Calibrated] = []
    fits: list[WallFit] = []
    refused: WallFitError | None = None
    plain = environment.to_json()
    with ExitStack() as stack:
        opened = stack.enter_context(open_ledger(ledger))  # before minutes of work
        beside = _beside(plug, environment, stack)
        told = stack.enter_context(_progress(seconds))
        if beside is not None:
            told("the idle machine, at the wall")
            idle_s = _LIVE_IDLE_SHARE * seconds
            time.sleep(idle_s)
            seconds -= idle_s
        input_s, _ = input_pipeline(input_seconds(seconds), told=told)
        each = (seconds - input_seconds(seconds)) / len(chosen)
        for target in chosen:
            found.append(
                calibrate(
                    target,
                    Physical(),
                    environment,
                    input_s,
                    seconds=each,
                    told=_prefixed(told, target.device, len(chosen)),
                )
            )
            calibrations.save(opened, plain, target.device, found[-1].to_json(), time.time())
        if beside is not None:
            fits, refused = _fit_live(beside, fit_wall)
            for fit in fits:
                _save(opened, plain, fit)
        where = str(opened.location)
    document = {
        "schema": SCHEMA,
        "ledger": where,
        "devices": [{"device": one.device} | one.to_json() for one in found],
        "wall": [fit.to_json() for fit in fits],
    }
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        from ..reports.terminal.calibration import render_calibrated, render_fit

        console = _console()
        for one in found:
            render_calibrated(one.device, one.to_json(), console)
        for fit in fits:
            render_fit(fit, console)
    if refused is not None:
        raise refused


def _beside(plug: str | None, environment: Environment, stack: ExitStack) -> SideBySide | None:
    if plug is None:
        return None
    from ..wall.plug import Plug, parse_plug
    from ..wall.side_by_side import SideBySide

    asked = Plug(parse_plug(plug))
    return stack.enter_context(SideBySide(asked, f"plug {asked.address}", environment))


def _fit_live(beside: SideBySide, fit_wall: Callable[..., WallFit]) -> tuple[list[WallFit], Any]:
    """The fits, one for each scope that has one; why there is none, if there is none at all."""
    from ..wall.regression import WallFitError

    fits, refused = [], None
    try:
        readings = beside.readings()
        for metered in beside.metered():
            try:
                fits.append(fit_wall(readings, [metered]))
            except WallFitError as error:
                refused = error
    except WallFitError as error:
        refused = error
    return fits, None if fits else refused


def _fit_recordings(
    ledger: str | None, environment: Environment, wall: Path, shift: float, as_json: bool
) -> None:
    from ..ledger import open_ledger
    from ..wall.csv_file import read_readings
    from ..wall.regression import fit_recordings

    plain = environment.to_json()
    readings = read_readings(wall).shifted(shift)
    with open_ledger(ledger, create=False) as opened:
        fit = fit_recordings(readings, opened, plain)
        _save(opened, plain, fit)
        where = str(opened.location)
    if as_json:
        document = {"schema": SCHEMA, "ledger": where, "devices": [], "wall": [fit.to_json()]}
        click.echo(json.dumps(document, indent=2))
        return
    from ..reports.terminal.calibration import render_fit

    render_fit(fit, _console())


def _save(opened: Any, environment: Mapping[str, Any], fit: WallFit) -> None:
    from ..wall.wall_energy import save_fit

    save_fit(opened, environment, fit, time.time())


def _show(ledger: str | None, environment: Environment, as_json: bool) -> None:
    from ..ledger import calibrations, open_ledger

    with open_ledger(ledger) as opened:
        stored = calibrations.listed(opened, environment.to_json())
        where = str(opened.location)
    newest = {one.device: one for one in reversed(stored)}  # newest first: it comes last
    if as_json:
        parts: dict[str, list[dict[str, Any]]] = {"devices": [], "wall": []}
        for one in newest.values():
            part = "wall" if one.device.startswith(calibrations.WALL) else "devices"
            about = {"device": one.device, "made_at": one.made_at, "machine": one.machine}
            parts[part].append(about | one.document)
        click.echo(json.dumps({"schema": SCHEMA, "ledger": where} | parts, indent=2))
        return
    if not newest:
        click.echo("nothing is known of this machine yet: joulecast calibrate", err=True)
        return
    from ..reports.terminal.calibration import render_stored

    render_stored(list(newest.values()), _console())


def _forget(
    ledger: str | None, environment: Environment, device: str | None, as_json: bool
) -> None:
    from ..ledger import calibrations, open_ledger

    with open_ledger(ledger) as opened:
        count = calibrations.forget(opened, environment.to_json(), device)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "forgotten": count}))
    else:
        of = "" if device is None else f" of {device}"
        click.echo(
            f"{count} calibrations{of} forgotten" if count != 1 else "1 calibration forgotten"
        )


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _prefixed(told: Callable[[str], None], name: str, count: int) -> Callable[[str], None]:
    return told if count == 1 else lambda what: told(f"{name}: {what}")


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[str], None]]:
    """A bar of the time on a terminal; gives what is told the next piece of work."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda what: None
        return
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    bar: AbstractContextManager[Progress] = Progress(
        *columns, console=Console(stderr=True), transient=True
    )
    with bar as shown:
        task = shown.add_task("begins", total=seconds)
        over = threading.Event()
        begun = time.monotonic()

        def move() -> None:
            while not over.wait(0.5):
                shown.update(task, completed=min(seconds, time.monotonic() - begun))

        mover = threading.Thread(target=move, daemon=True)
        mover.start()
        try:
            yield lambda what: shown.update(task, description=what)
        finally:
            over.set()
            mover.join()
