"""`joulecast calibrate`: this machine's own constants, and its power at the wall."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..errors import UsageError
from ..result import Result
from ..units import parse_duration
from . import options
from .verb import verb

_BAR_STEP_S = 0.5


def parse_shift(text: str) -> float:
    """Seconds from `37s` or `-1.5 min`. Raises `UsageError`."""
    text = text.strip()
    return -parse_duration(text[1:]) if text[:1] == "-" else parse_duration(text)


@verb("calibrate")
@click.option(
    "--device",
    metavar="NAME",
    help="Calibrate (or forget) only this device: cpu, gpu:0. [default: each GPU and the CPU]",
)
@options.duration(
    "--duration",
    "duration_s",
    help="Time for the tests of all devices together: 20s, 2min. [default: 40s, with --plug 120s]",
)
@click.option(
    "--wall",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Fit power at the wall on recorded runs, from a file with the columns t (ISO time, or "
    "seconds since 1970) and power_w (watts) or energy_wh.",
)
@click.option(
    "--shift",
    "shift_s",
    metavar="TIME",
    default="0s",
    callback=options.parsed(parse_shift),
    help="Time added to the times in the file of --wall, if its clock is wrong: -37s.",
)
@click.option(
    "--plug",
    metavar="URL",
    help="Also fit power at the wall on a smart plug, read during the tests: "
    "shelly://192.168.1.20, tasmota://192.168.1.21.",
)
@options.flag("--show", help="Show the stored calibration of this machine.")
@options.flag("--forget", help="Delete the stored calibration; with --device, of that device.")
@options.ledger
def command(
    device: str | None,
    duration_s: float | None,
    wall: Path | None,
    shift_s: float,
    plug: str | None,
    show: bool,
    forget: bool,
    ledger: str | None,
) -> Result:
    """Measure this machine's own constants, so that forecasts on it are more accurate.

        joulecast calibrate

    Takes 40 seconds; nothing else should run on the machine. The constants are stored in the
    ledger, and the latest are used. With --wall or --plug, power at the wall is fitted to the
    meters, and summaries of runs show energy at the wall from then on.
    """
    from ..calibration import calibrate as api

    modes = {"--wall": wall is not None, "--plug": plug is not None}
    modes |= {"--show": show, "--forget": forget}
    chosen = [name for name, is_set in modes.items() if is_set]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: use one of them")
    if shift_s and wall is None:
        raise UsageError("--shift has no effect without --wall: add --wall FILE.csv")
    if show:
        return api.stored_calibration(ledger)
    if forget:
        return api.forget_calibration(device, ledger=ledger)
    if wall is not None:
        return api.calibrate_wall(wall, shift_s=shift_s, ledger=ledger)
    expected_s = duration_s or (api.DURATION_S if plug is None else api.PLUG_DURATION_S)
    with _progress(expected_s) as progress:
        return api.calibrate(
            device, duration_s=duration_s, plug=plug, ledger=ledger, progress=progress
        )


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[str], None]]:
    """A bar of the time, on a terminal; yields a function that is called with each test's name."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda test: None
        return
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=seconds)
        finished = threading.Event()
        begun = time.monotonic()

        def move() -> None:
            while not finished.wait(_BAR_STEP_S):
                bar.update(task, completed=min(seconds, time.monotonic() - begun))

        mover = threading.Thread(target=move, daemon=True)
        mover.start()
        try:
            yield lambda test: bar.update(task, description=test)
        finally:
            finished.set()
            mover.join()
