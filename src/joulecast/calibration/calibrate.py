"""`joulecast.calibrate`: a machine's own constants, measured once and kept for its forecasts."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from .. import serialize
from ..errors import UsageError
from ..hardware.environment import Environment
from ..ledger import Ledger, calibrations, open_ledger
from ..result import Result
from ..wall.csv_file import read_readings
from ..wall.plug import Plug, parse_plug
from ..wall.regression import WallFitError, fit_recordings, fit_wall
from ..wall.side_by_side import SideBySide
from ..wall.wall_energy import WallFit, read_fit, save_fit
from ..workload.recipe import package
from . import microbench
from .calibrate_device import calibrate_device
from .constants_fit import input_constants
from .device_tests import input_tests
from .stored_constants import DeviceCalibration, read_stored
from .targets import Target, targets

DURATION_S, MIN_DURATION_S = 40.0, 5.0
# The fit of wall power needs idle as much as load, and for long enough.
PLUG_DURATION_S, MIN_PLUG_DURATION_S = 120.0, 90.0
_PLUG_IDLE_SHARE = 0.35
_INPUT_SHARE = 0.08


@dataclass(frozen=True, slots=True, repr=False)
class MachineCalibration(Result):
    """What is known of this machine itself, as `joulecast calibrate` prints it.

    Attributes:
        ledger: where it is kept.
        devices: the constants of each device, the latest.
        wall: how wall power follows the meters, by scope.
        warnings: devices that could not be calibrated, and why.
        forgotten: how many calibrations were dropped; None where none were to be.
    """

    SCHEMA: ClassVar[str] = "joulecast/calibrate/1"

    ledger: str
    devices: list[DeviceCalibration] = field(default_factory=list)
    wall: list[WallFit] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    forgotten: int | None = None


def calibrate(
    device: str | None = None,
    *,
    duration_s: float | None = None,
    plug: str | None = None,
    ledger: str | Path | None = None,
    progress: Callable[[str], None] = lambda test: None,
) -> MachineCalibration:
    """Measure this machine's constants with small tests, and keep them in the ledger.

    Forecasts on this machine use the latest ones. Nothing else should run during the tests.

    Args:
        device: only this one: `"cpu"` or `"gpu:0"`; by default each GPU and the CPU.
        duration_s: for all devices together, s: by default 40 and at least 5, with a plug 120 and
            at least 90.
        plug: address of a smart plug that this machine alone draws from
            (`"shelly://192.168.1.20"`), to fit power at the wall as well.
        ledger: file or URL; the default ledger if None.
        progress: is called with the name of each test.

    Returns:
        The constants of each device, and the fits of wall power.

    Raises:
        UsageError: the device is not here, or a duration is too short.
        UnknownHardwareError: the catalog does not have the named GPU.
        MissingExtraError: torch is not installed.
        WallFitError: power at the wall could not be fitted; the constants are kept.
        LedgerError: the ledger cannot be written.

    Examples:
        >>> calibration = joulecast.calibrate("cpu", duration_s=5)
        >>> calibration.devices[0].values["launch_s"] > 0
        True
    """
    plug_address = None if plug is None else parse_plug(plug)
    duration_s = _checked_duration(duration_s, plug is not None)
    torch = package("torch", "joulecast calibrate", "forecast")
    environment = Environment.detect()
    warnings: list[str] = []
    chosen = targets(torch, environment, device, warnings.append)
    wall: list[WallFit] = []
    with ExitStack() as stack:
        # Opened first: minutes of measuring would be lost if it could not be.
        opened = stack.enter_context(open_ledger(ledger))
        plugged = None
        if plug_address is not None:
            plug_meter = SideBySide(Plug(plug_address), f"plug {plug_address}", environment)
            plugged = stack.enter_context(plug_meter)
            progress("the idle machine, at the wall")
            time.sleep(_PLUG_IDLE_SHARE * duration_s)
            duration_s *= 1 - _PLUG_IDLE_SHARE
        measured = _calibrate_devices(torch, chosen, environment, duration_s, opened, progress)
        if plugged is not None:
            wall = _fit_plug(plugged)
            for each in wall:
                save_fit(opened, environment.to_json(), each, time.time())
        return MachineCalibration(str(opened.location), measured, wall, warnings)


def calibrate_wall(
    readings: str | Path, *, shift_s: float = 0.0, ledger: str | Path | None = None
) -> MachineCalibration:
    """Fit power at the wall on readings that were taken while runs of this machine were recorded.

    Args:
        readings: CSV file with a time `t` and `power_w` or `energy_wh`.
        shift_s: is added to the times of the file, s.
        ledger: file or URL; the default ledger if None.

    Returns:
        The fit, which the ledger keeps: summaries of runs show energy at the wall from then on.

    Raises:
        BadInputError: the file cannot be read, or wall power cannot be fitted (`WallFitError`).
        LedgerError: the ledger cannot be read or written.

    Examples:
        >>> joulecast.calibrate_wall("readings.csv")  # doctest: +SKIP
    """
    environment = Environment.detect().to_json()
    shifted = read_readings(Path(readings)).shifted(shift_s)
    with open_ledger(ledger, create=False) as opened:
        wall = fit_recordings(shifted, opened, environment)
        save_fit(opened, environment, wall, time.time())
        return MachineCalibration(str(opened.location), wall=[wall])


def stored_calibration(ledger: str | Path | None = None) -> MachineCalibration:
    """The latest constants of each device of this machine, and its fits of wall power.

    Args:
        ledger: file or URL; the default ledger if None.

    Raises:
        LedgerError: the ledger cannot be read, or what it keeps is damaged.

    Examples:
        >>> joulecast.stored_calibration(ledger="empty.sqlite").devices
        []
    """
    with open_ledger(ledger) as opened:
        stored = calibrations.listed(opened, Environment.detect().to_json())
        location = str(opened.location)
    # They come newest first, so that in reverse order the latest of each device replaces others.
    latest = {each.device: each for each in reversed(stored)}.values()
    walls = [each for each in latest if each.device.startswith(calibrations.WALL)]
    return MachineCalibration(
        location,
        devices=[read_stored(each) for each in latest if each not in walls],
        wall=[read_fit(each) for each in walls],
    )


def forget_calibration(
    device: str | None = None, *, ledger: str | Path | None = None
) -> MachineCalibration:
    """Drop the calibrations of this machine, or of one device of it.

    Args:
        device: `"cpu"`, `"gpu:0"` or `"wall:machine"`; all if None.
        ledger: file or URL; the default ledger if None.

    Returns:
        How many were dropped, in `forgotten`.

    Examples:
        >>> joulecast.forget_calibration("gpu:0").forgotten
        0
    """
    with open_ledger(ledger) as opened:
        count = calibrations.forget(opened, Environment.detect().to_json(), device)
        return MachineCalibration(str(opened.location), forgotten=count)


# --- devices -------------------------------------------------------------------------------------


def _calibrate_devices(
    torch: Any,
    chosen: list[Target],
    environment: Environment,
    duration_s: float,
    ledger: Ledger,
    progress: Callable[[str], None],
) -> list[DeviceCalibration]:
    """Calibrate each target and keep it at once."""
    input_duration_s = _INPUT_SHARE * duration_s
    tests = input_tests(torch)
    input_s = input_constants(
        list(microbench.measure_all(tests, lambda: None, input_duration_s, progress=progress))
    )
    each_s = (duration_s - input_duration_s) / len(chosen)
    devices = []
    for target in chosen:
        named = partial(_prefixed, progress, target.device) if len(chosen) > 1 else progress
        calibration = calibrate_device(
            torch, target, environment, input_s, duration_s=each_s, progress=named
        )
        made_at = time.time()
        calibrations.save(
            ledger,
            environment.to_json(),
            target.device,
            serialize.to_builtins(calibration),
            made_at,
        )
        devices.append(replace(calibration, made_at=made_at))
    return devices


def _prefixed(progress: Callable[[str], None], device: str, test: str) -> None:
    progress(f"{device}: {test}")


# --- the wall ------------------------------------------------------------------------------------


def _checked_duration(duration_s: float | None, with_plug: bool) -> float:
    """The duration to calibrate for. Raises `UsageError` where it is too short."""
    default_s = PLUG_DURATION_S if with_plug else DURATION_S
    duration_s = default_s if duration_s is None else duration_s
    min_s = MIN_PLUG_DURATION_S if with_plug else MIN_DURATION_S
    if duration_s < min_s:
        condition = " with a plug" if with_plug else ""
        raise UsageError(
            f"--duration {duration_s:g}s: calibrating{condition} takes {min_s:g} s or more"
        )
    return duration_s


def _fit_plug(plugged: SideBySide) -> list[WallFit]:
    """A fit for each scope that has one. Raises `WallFitError` where none has."""
    readings = plugged.readings()
    fits, refused = [], None
    for metered in plugged.metered():
        try:
            fits.append(fit_wall(readings, [metered]))
        except WallFitError as error:
            refused = error
    if refused is not None and not fits:
        raise WallFitError(f"{refused} (the constants of the devices are stored)")
    return fits
