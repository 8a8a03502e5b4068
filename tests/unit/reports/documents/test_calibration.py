"""The report of `joulecast calibrate`; its wording is in `tests/golden/calibration*.txt`."""

from dataclasses import replace

from fakes.golden import golden
from joulecast.calibration.calibrate import MachineCalibration
from joulecast.calibration.stored_constants import DeviceCalibration
from joulecast.estimate import Provenance
from joulecast.reports.documents.calibration import calibration_document
from joulecast.reports.terminal.render import to_text
from joulecast.wall.wall_energy import WallFit

CPU = DeviceCalibration(
    device="cpu",
    name="AMD EPYC 7763",
    values={
        "compute": 0.83,
        "memory": 1.12,
        "launch_s": 1.25e-5,
        "step_s": 2.1e-4,
        "idle_w": None,
        "busy_w": 181.0,
    },
    spreads={"compute": 0.021, "launch_s": None},
    reasons={"idle_w": "no meter of the device here"},
    input_s=(1e-4, 2e-9),
    power_provenance=Provenance.MODELLED,
    notes=["copy 64 MiB: not run: out of memory"],
    seconds=38.2,
    versions={"joulecast": "0.2.0", "torch": "2.9.1"},
    machine="AMD EPYC 7763, 64 threads",
)
WALL = WallFit(
    slope=1.11,
    offset_w=50.2,
    slope_error=0.012,
    offset_error_w=1.7,
    covariance=((1e-4, -0.01), (-0.01, 4.0)),
    r=0.991,
    rmse_w=3.4,
    bins=60,
    bin_s=10.0,
    metered_w=(60.0, 300.0),
    lag_s=2.0,
    scope="machine",
    domains=("cpu:0", "gpu:0"),
    origin="readings.csv",
)


def text(calibration: MachineCalibration) -> str:
    return to_text(calibration_document(calibration))


def test_devices_and_the_wall() -> None:
    warnings = ["gpu:0 is not in the catalog"]
    golden("calibration", text(MachineCalibration("ledger.sqlite", [CPU], [WALL], warnings)))


def test_a_calibration_of_an_older_version_asks_for_a_new_one() -> None:
    shown = text(MachineCalibration("ledger.sqlite", [replace(CPU, outdated=True)]))
    assert shown.count("joulecast calibrate") == 1


def test_nothing_stored_and_nothing_left() -> None:
    assert "joulecast calibrate" in text(MachineCalibration("ledger.sqlite"))
    assert "2 calibrations" in text(MachineCalibration("ledger.sqlite", forgotten=2))
