"""`joulecast calibrate`, as a person types it."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.command_line import joulecast as run_joulecast
from joulecast.calibration.stored_constants import calibration_of
from joulecast.errors import JoulecastError
from joulecast.estimate import Provenance
from joulecast.hardware.environment import Environment
from joulecast.ledger import calibrations, open_ledger
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Header, Recording, Samples, Status
from joulecast.wall.join import join
from joulecast.wall.plug import PlugError
from joulecast.wall.side_by_side import SideBySide

Joulecast = Callable[..., subprocess.CompletedProcess]
IDLE_W, LOAD_W = 10.0, 40.0
CPU_CONSTANTS = {"compute", "memory", "launch_s", "step_s", "idle_w", "busy_w"}


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess:
        env |= {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
        if arguments[0] != "run" and "--duration" not in arguments:
            return run_joulecast(*arguments, cwd=tmp_path, env=env, code=code)
        done = subprocess.run(
            [sys.executable, "-m", "joulecast", *arguments],
            env=os.environ | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            # A calibration takes long on a busy machine.
            timeout=400,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A sensor of the CPU: idle for two seconds, then under load."""
    return _trace(tmp_path, idle_s=2.0)


@pytest.fixture
def soon_loaded(tmp_path: Path) -> str:
    """The same, idle for half a second only, with enough readings to resolve short tests.

    The lowest of three means counts as idle power. The first of them ends before the load begins,
    and the tests of the memory run later.
    """
    return _trace(tmp_path, idle_s=0.5, hz=200)


def _trace(folder: Path, idle_s: float, hz: int = 50) -> str:
    rows = [f"{t / hz:.3f},{IDLE_W if t / hz < idle_s else LOAD_W}" for t in range(hz * 300)]
    path = folder / "trace.csv"
    path.write_text("t_s,power_w\n" + "\n".join(rows) + "\n")
    return f"{path}:cpu:0"


def test_the_constants_of_this_machine(
    joulecast: Joulecast, soon_loaded: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    arguments = ("calibrate", "--device", "cpu", "--duration", "5s")
    document = json.loads(joulecast(*arguments, "--json", JOULECAST_REPLAY=soon_loaded).stdout)
    assert next(iter(document.items())) == ("schema", "joulecast/calibrate/1")
    (device,) = document["devices"]
    values = device["values"]
    assert set(values) == CPU_CONSTANTS
    for name in ("compute", "memory", "launch_s", "step_s", "busy_w"):
        assert values[name] is not None, (name, device["reasons"])
        assert math.isfinite(values[name]) and values[name] > 0
    # Other processes may load the machine: then a reason replaces the idle power. Each reader
    # starts the trace at its beginning.
    assert values["idle_w"] == pytest.approx(IDLE_W) or device["reasons"]["idle_w"]
    assert values["busy_w"] == pytest.approx(LOAD_W, rel=0.1)
    assert device["power_provenance"] == "measured"
    late = [t for t in device["tests"] if t["name"].startswith("sum")]
    assert late and all(t["power_w"] == pytest.approx(LOAD_W, rel=0.01) for t in late)
    assert len(device["tests"]) == 12
    assert all(t["seconds"] > 0 and t["repeats"] >= 5 for t in device["tests"])
    assert device["input_s"][1] >= 0

    # The constants are stored for this machine, and the latest are used.
    where = tmp_path / "ledger.sqlite"
    environment = Environment.detect().to_json()
    with open_ledger(where) as ledger:
        kept = calibration_of(ledger, environment, "cpu")
        other = environment | {"cpu": {"name": "another"}}
        assert calibration_of(ledger, other, "cpu") is None
    assert kept is not None and kept.compute == values["compute"]
    assert not kept.outdated
    shown = json.loads(joulecast("calibrate", "--show", "--json").stdout)
    assert [d["values"] for d in shown["devices"]] == [values]
    assert shown["devices"][0]["made_at"] > 0
    text = joulecast("calibrate", "--show").stdout
    assert all(name in text for name in CPU_CONSTANTS)

    assert json.loads(joulecast("calibrate", "--forget", "--json").stdout)["forgotten"] == 1
    assert json.loads(joulecast("calibrate", "--show", "--json").stdout)["devices"] == []


def test_a_calibration_of_version_0_1_opens(joulecast: Joulecast, tmp_path: Path) -> None:
    environment = Environment.detect().to_json()
    document = {
        "name": "a CPU",
        "values": {"compute": 0.9, "launch_s": 1e-6, "idle_w": 7.0, "work_w": 20.0},
        "spreads": {"compute": 0.01},
        "reasons": {},
        "input_s": [1e-5, 1e-9],
        "operators": {"costs": {}, "levels": [[131072.0, 1e10]], "pace": [1.0, 1.0, 1.0]},
        "power_provenance": "modelled",
        "tests": [{"name": "launch", "for": "launch", "seconds": 1e-6, "exchange_s": None}],
        "notes": [],
        "others": 0.01,
        "seconds": 118.0,
        "versions": {"joulecast": "0.1.0", "torch": "2.2"},
    }
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        calibrations.save(ledger, environment, "cpu", document, 1.7e9)
    (device,) = json.loads(joulecast("calibrate", "--show", "--json").stdout)["devices"]
    assert device["outdated"] is True
    assert device["values"]["compute"] == 0.9 and device["values"]["launch_s"] is None
    assert "joulecast calibrate" in joulecast("calibrate", "--show").stdout


# --- the wall ------------------------------------------------------------------------------------

GPU = Source(
    "gpu:0",
    "a sensor",
    ReadingKind.POWER,
    Provenance.MEASURED,
    0.1,
    Uncertainty(0.05, 0.05, "sheet"),
)


def _power(t_s: np.ndarray) -> np.ndarray:
    return 120 + 60 * np.sign(np.sin(t_s / 9.0)) + 30 * np.sign(np.sin(t_s / 23.0))


def _record(where: Path, started_at: float, environment: dict[str, Any] | None = None) -> None:
    t_s = np.arange(0, 300, 0.1)
    watts = _power(t_s)
    machine = Environment.detect().to_json() if environment is None else environment
    header = Header("a" * 16, "training", started_at, [], "machine", 0.1, machine, [GPU])
    samples = Samples(t_s, watts, watts * 0.95, watts * 1.05, t_s)
    footer = Footer(Status.FINISHED, 300.0, 0)
    with open_ledger(where) as ledger:
        made = Recording(header, samples={"gpu:0": samples}, footer=footer, status=footer.status)
        ledger.add(made)


def _readings(path: Path, started_at: float) -> str:
    t_s = np.arange(0, 300.0)
    rows = zip((started_at + t_s).tolist(), (1.15 * _power(t_s) + 42).tolist(), strict=True)
    path.write_text("t,power_w\n" + "".join(f"{t},{w:.1f}\n" for t, w in rows))
    return str(path)


def test_wall_power_from_a_file(joulecast: Joulecast, tmp_path: Path) -> None:
    started = time.time() - 3600
    _record(tmp_path / "ledger.sqlite", started)
    before = json.loads(joulecast("show", "last", "--json").stdout)
    assert before["energy"]["wall"] is None

    csv = _readings(tmp_path / "readings.csv", started)
    assert "RMSE" in joulecast("calibrate", "--wall", csv).stdout
    (fit,) = json.loads(joulecast("calibrate", "--wall", csv, "--json").stdout)["wall"]
    assert fit["slope"] == pytest.approx(1.15, rel=0.02)
    assert fit["offset_w"] == pytest.approx(42, abs=3)
    assert fit["r"] > 0.98
    assert (fit["scope"], fit["domains"]) == ("machine", ["gpu:0"])

    for verb in ("show", "report"):
        energy = json.loads(joulecast(verb, "last", "--json").stdout)["energy"]
        assert energy["wall"]["provenance"] == "modelled"
        expected = fit["slope"] * energy["total"]["value"] + fit["offset_w"] * 300
        assert energy["wall"]["value"] == pytest.approx(expected)
        assert energy["wall"]["low"] < energy["wall"]["value"] < energy["wall"]["high"]
    assert "wall" in joulecast("show", "last").stdout
    page = Path(joulecast("report", "last").stdout.strip())
    assert '<data id="wall"' in (tmp_path / page).read_text()

    # A run recorded after it, with the same domains in the same scope.
    (tmp_path / "t.csv").write_text("t_s,power_w\n0,100\n0.05,100\n60,100\n")
    replay = {"JOULECAST_REPLAY": f"{tmp_path / 't.csv'}:gpu:0"}
    run = ("run", "--interval", "50ms", "--scope")
    assert "wall" in joulecast(*run, "machine", "--", "sleep", "1", **replay).stderr
    assert "wall" not in joulecast(*run, "process", "--", "sleep", "1", **replay).stderr


def test_a_wall_that_does_not_fit(joulecast: Joulecast, tmp_path: Path) -> None:
    started = time.time() - 3600
    where = tmp_path / "ledger.sqlite"
    _record(where, started)
    late = _readings(tmp_path / "late.csv", started + 45)
    stderr = joulecast("calibrate", "--wall", late, code=2).stderr
    assert "late.csv" in stderr and "--shift -4" in stderr and stderr.count("\n") == 1
    assert "RMSE" in joulecast("calibrate", "--wall", late, "--shift", "-45s").stdout
    elsewhen = _readings(tmp_path / "elsewhen.csv", started - 7200)
    assert "elsewhen.csv" in joulecast("calibrate", "--wall", elsewhen, code=2).stderr
    assert "none.csv" in joulecast("calibrate", "--wall", "none.csv", code=2).stderr


def test_runs_of_another_machine_do_not_calibrate_the_wall(
    joulecast: Joulecast, tmp_path: Path
) -> None:
    started = time.time() - 3600
    _record(tmp_path / "ledger.sqlite", started, {"cpu": {"name": "another"}, "gpus": []})
    csv = _readings(tmp_path / "readings.csv", started)
    assert "readings.csv" in joulecast("calibrate", "--wall", csv, code=2).stderr


class _Plug:
    """Wall power that belongs to the trace; every reading from number `fails_from` on fails."""

    def __init__(self, fails_from: int = 10**9) -> None:
        self._begun: float | None = None
        self._readings, self._fails_from = 0, fails_from

    def power_w(self) -> float:
        self._readings += 1
        if self._readings >= self._fails_from:
            raise PlugError("plug shelly://here: it does not answer")
        now = time.monotonic()
        self._begun = self._begun or now
        return 1.2 * (IDLE_W if now - self._begun < 2.0 else LOAD_W) + 20


def test_a_plug_is_read_together_with_the_meters(trace: str) -> None:
    env = {"JOULECAST_REPLAY": trace}
    with SideBySide(_Plug(), "plug", Environment.detect(), env=env, plug_s=0.05) as recorder:
        time.sleep(4.5)
    readings = recorder.readings()
    assert len(readings.t_s) > 40
    machine, process = recorder.metered()
    assert (machine.scope, process.scope) == ("machine", "process")
    both = join(readings, [machine], 0.5)
    steady = np.abs(both.metered_w - np.round(both.metered_w, -1)) < 0.5
    assert {10.0, 40.0} <= set(np.round(both.metered_w[steady], -1))
    np.testing.assert_allclose(both.wall_w[steady], 1.2 * both.metered_w[steady] + 20, rtol=0.2)


def test_a_plug_that_no_longer_answers(trace: str) -> None:
    env = {"JOULECAST_REPLAY": trace}
    plug = _Plug(fails_from=4)
    with SideBySide(plug, "plug", Environment.detect(), env=env, plug_s=0.01) as recorder:
        time.sleep(0.5)
    with pytest.raises(JoulecastError, match="plug"):
        recorder.readings()
    absent = SideBySide(_Plug(fails_from=1), "plug", Environment.detect(), env=env)
    with pytest.raises(JoulecastError, match="plug"), absent:
        pytest.fail("the plug is read before anything else")


# --- misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--wall", "x.csv", "--plug", "shelly://h"), "--wall and --plug"),
        (("--shift", "3s"), "--wall FILE.csv"),
        (("--plug", "shelly://127.0.0.1", "--duration", "30s"), "--duration"),
        (("--duration", "1s"), "--duration"),
        (("--wall", "x.csv", "--shift", "soon"), "'soon'"),
    ],
)
def test_misuse(joulecast: Joulecast, arguments: tuple[str, ...], named: str) -> None:
    stderr = joulecast("calibrate", *arguments, code=2).stderr
    assert named in stderr and stderr.count("\n") == 1


def test_unknown_devices_and_plugs_are_misuse(joulecast: Joulecast) -> None:
    pytest.importorskip("torch")
    assert "gpu:99" in joulecast("calibrate", "--device", "gpu:99", code=2).stderr
    assert "--plug" in joulecast("calibrate", "--plug", "http://192.168.1.20", code=2).stderr


def test_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['joulecast', 'calibrate']\n"
        "from joulecast.cli import main; main()"
    )
    env = os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert 'pip install "joulecast[forecast]"' in done.stderr
    assert "https://download.pytorch.org/whl/cpu" in done.stderr
