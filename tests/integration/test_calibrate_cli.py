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

from joulecast.calibration.stored_constants import calibration_of
from joulecast.errors import JoulecastError
from joulecast.hardware.environment import Environment
from joulecast.ledger import open_ledger
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Header, Recording, Samples, Status
from joulecast.units import Provenance
from joulecast.wall.join import join
from joulecast.wall.plug import PlugError
from joulecast.wall.side_by_side import SideBySide

Joulecast = Callable[..., subprocess.CompletedProcess]
IDLE_W, LOAD_W = 10.0, 40.0


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "joulecast", *arguments],
            env=os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")} | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=400,  # of many tests, which a busy machine holds up
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A sensor of the CPU: idle for two seconds, then under load for long."""
    return _trace(tmp_path, idle_s=2.0)


@pytest.fixture
def soon_loaded(tmp_path: Path) -> str:
    """The same, idle for half a second only.

    Long enough for the first of three looks at the idle machine, which the least of them tells, and
    over before the tests of the memory begin; so often read that the shortest test is resolved.
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
    arguments = ("calibrate", "--device", "cpu", "--seconds", "12")
    document = json.loads(joulecast(*arguments, "--json", JOULECAST_REPLAY=soon_loaded).stdout)
    assert next(iter(document)) == "schema" and document["schema"] == "joulecast/calibrate/1"
    (found,) = document["devices"]
    values = found["values"]
    for name in ("compute", "memory", "launch_s", "step_s", "power"):
        assert values[name] is not None, (name, found["reasons"])
        assert math.isfinite(values[name]) and values[name] > 0
    # The trace begins anew for each that reads it. Where others load the machine it is not idle.
    assert values["idle_w"] == pytest.approx(IDLE_W) or "not idle" in found["reasons"]["idle_w"]
    assert found["power_provenance"] == "measured"
    late = [t for t in found["tests"] if t["name"].startswith("sum")]
    assert late and all(t["power_w"] == pytest.approx(LOAD_W, rel=0.01) for t in late)
    assert all(t["seconds"] > 0 and t["repeats"] >= 5 for t in found["tests"])
    assert found["input_s"][1] >= 0
    costs = found["operators"]["costs"]
    for name in ("forward/matmul", "backward/conv", "forward/batch_norm", "optimizer/optimizer"):
        assert len(costs[name]) == 3 and all(part >= 0 for part in costs[name]), name
        assert sum(costs[name]) > 0, name
    assert found["operators"]["draw_s"] > 0
    rates = [rate for _, rate in found["operators"]["levels"]]
    assert all(0 < rate < 1e13 for rate in rates)

    # It is kept for this machine, and the newest counts.
    where = tmp_path / "ledger.sqlite"
    environment = Environment.detect().to_json()
    with open_ledger(where) as ledger:
        kept = calibration_of(ledger, environment, "cpu")
        other = environment | {"cpu": {"name": "another"}}
        assert calibration_of(ledger, other, "cpu") is None
    assert kept is not None and kept.compute == values["compute"]
    assert kept.operators is not None
    assert kept.operators.to_json() == found["operators"]
    assert kept.samples_per_s is None
    shown = json.loads(joulecast("calibrate", "--show", "--json").stdout)
    assert [d["values"] for d in shown["devices"]] == [values]
    text = joulecast("calibrate", "--show").stdout
    assert "launch_s" in text and "the host's time to launch one kernel" in text

    assert "1 calibration forgotten" in joulecast("calibrate", "--forget").stdout
    assert "nothing is known of this machine yet" in joulecast("calibrate", "--show").stderr


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
    known = Environment.detect().to_json() if environment is None else environment
    header = Header("a" * 16, "training", started_at, [], "machine", 0.1, known, [GPU])
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
    text = joulecast("calibrate", "--wall", csv).stdout
    assert "x metered +" in text and "RMSE" in text
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
    assert "at the wall" in joulecast("show", "last").stdout
    page = Path(joulecast("report", "last").stdout.strip())
    assert '<data id="wall"' in (tmp_path / page).read_text()

    # A run recorded after it, with the same domains in the same scope.
    (tmp_path / "t.csv").write_text("t_s,power_w\n0,100\n0.05,100\n60,100\n")
    replay = {"JOULECAST_REPLAY": f"{tmp_path / 't.csv'}:gpu:0"}
    run = ("run", "--interval", "50ms", "--scope")
    assert "at the wall" in joulecast(*run, "machine", "--", "sleep", "1", **replay).stderr
    assert "at the wall" not in joulecast(*run, "process", "--", "sleep", "1", **replay).stderr


def test_a_wall_that_does_not_fit(joulecast: Joulecast, tmp_path: Path) -> None:
    started = time.time() - 3600
    where = tmp_path / "ledger.sqlite"
    _record(where, started)
    late = _readings(tmp_path / "late.csv", started + 45)
    said = joulecast("calibrate", "--wall", late, code=1).stderr
    assert said.startswith("joulecast: late.csv: its clock seems 4") and said.count("\n") == 1
    assert "--shift -4" in said
    assert "x metered" in joulecast("calibrate", "--wall", late, "--shift", "-45s").stdout
    elsewhen = _readings(tmp_path / "elsewhen.csv", started - 7200)
    said = joulecast("calibrate", "--wall", elsewhen, code=1).stderr
    assert "none of its readings falls into a recorded run of this machine" in said
    assert "cannot be read" in joulecast("calibrate", "--wall", "none.csv", code=1).stderr


def test_the_wall_of_another_machine_in_the_same_ledger(
    joulecast: Joulecast, tmp_path: Path
) -> None:
    started = time.time() - 3600
    _record(tmp_path / "ledger.sqlite", started, {"cpu": {"name": "another"}, "gpus": []})
    csv = _readings(tmp_path / "readings.csv", started)
    said = joulecast("calibrate", "--wall", csv, code=1).stderr
    assert "none of its readings falls into a recorded run of this machine" in said


class _Plug:
    """Draws what the trace says, at the wall; fails as often as asked."""

    def __init__(self, fails_from: int = 10**9) -> None:
        self._begun: float | None = None
        self._asked, self._fails_from = 0, fails_from

    def power_w(self) -> float:
        self._asked += 1
        if self._asked >= self._fails_from:
            raise PlugError("plug shelly://here: it does not answer")
        now = time.monotonic()
        self._begun = self._begun or now
        return 1.2 * (IDLE_W if now - self._begun < 2.0 else LOAD_W) + 20


def test_a_plug_beside_the_meters(trace: str) -> None:
    env = {"JOULECAST_REPLAY": trace}
    with SideBySide(_Plug(), "plug", Environment.detect(), env=env, plug_s=0.05) as beside:
        time.sleep(4.5)
    readings = beside.readings()
    assert len(readings.t_s) > 40
    machine, process = beside.metered()
    assert (machine.scope, process.scope) == ("machine", "process")
    both = join(readings, [machine], 0.5)
    steady = np.abs(both.metered_w - np.round(both.metered_w, -1)) < 0.5
    assert {10.0, 40.0} <= set(np.round(both.metered_w[steady], -1))
    np.testing.assert_allclose(both.wall_w[steady], 1.2 * both.metered_w[steady] + 20, rtol=0.2)


def test_a_plug_that_is_lost(trace: str) -> None:
    env = {"JOULECAST_REPLAY": trace}
    plug = _Plug(fails_from=4)
    with SideBySide(plug, "plug", Environment.detect(), env=env, plug_s=0.01) as beside:
        time.sleep(0.5)
    with pytest.raises(JoulecastError, match="it does not answer"):
        beside.readings()
    gone = SideBySide(_Plug(fails_from=1), "plug", Environment.detect(), env=env)
    with pytest.raises(JoulecastError, match="it does not answer"), gone:
        pytest.fail("it was to be asked before anything else")


# --- misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wall", "x.csv", "--plug", "shelly://h"), "--wall and --plug: give one of them"),
        (("--shift", "3s"), "--shift goes with --wall"),
        (("--plug", "shelly://127.0.0.1", "--seconds", "30"), "--plug needs --seconds 90"),
        (("--seconds", "1"), "--seconds"),
        (("--wall", "x.csv", "--shift", "soon"), "'soon' is not a duration"),
    ],
)
def test_misuse(joulecast: Joulecast, arguments: tuple[str, ...], said: str) -> None:
    stderr = joulecast("calibrate", *arguments, code=2).stderr
    assert said in stderr and stderr.count("\n") == 1


def test_devices_that_are_not_here_and_plugs_that_are_none(joulecast: Joulecast) -> None:
    pytest.importorskip("torch")
    assert "there is " in joulecast("calibrate", "--device", "gpu:99", code=2).stderr
    said = joulecast("calibrate", "--plug", "http://192.168.1.20", code=2).stderr
    assert "write it as shelly://" in said


def test_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['joulecast', 'calibrate']\n"
        "from joulecast.cli import main; main()"
    )
    env = os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        'joulecast: joulecast calibrate needs an extra: pip install "joulecast[torch]"\n'
    )
