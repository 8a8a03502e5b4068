"""`joulecast forecast`: what a job will cost, before it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import joulecast

pytest.importorskip("torch", reason="counting a model needs torch")

NET = """
import torch

def small():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 10),
    )
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.fixture
def env(tmp_path):
    return os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}


def forecast(*options, env):
    return subprocess.run(
        [sys.executable, "-m", "joulecast", "forecast", *options],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )


def documents(*options, env):
    done = forecast(*options, "--json", env=env)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert next(iter(result.items())) == ("schema", "joulecast/forecast/1")
    return result["forecasts"]


def test_the_verb_prints_what_the_function_returns(net, env):
    options = ("--input", "3x32x32", "--steps", "100", "--gpu", "RTX 3090,T4", "--inference")
    result = joulecast.forecast(
        f"{net}:small", (3, 32, 32), steps=100, gpu=["RTX 3090", "T4"], training=False
    )
    assert documents(f"{net}:small", *options, env=env) == result.to_json()["forecasts"]
    shown = forecast(f"{net}:small", *options, env=env)
    assert "RTX 3090" in shown.stdout and "T4" in shown.stdout


def test_a_probe_runs_real_steps(net, env, tmp_path):
    trace = tmp_path / "power.csv"
    trace.write_text("t_s,power_w\n" + "".join(f"{t / 10},100\n" for t in range(3000)))
    replay = env | {"JOULECAST_REPLAY": f"{trace}:gpu:0"}
    options = (f"{net}:small", "--input", "3x32x32", "--steps", "10")
    (job,) = documents(*options, "--probe", env=replay)
    assert job["rung"] == "probed" and job["method"] == "probe"
    energy, duration = job["step_energy"], job["step_duration"]
    assert energy["value"] == pytest.approx(100 * duration["value"], rel=0.35)
    assert job["notes"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--samples"),
        (("--samples", "0"), "samples"),
        (("--samples", "9", "--epochs", "0.5"), "epochs"),
        (("--steps", "9", "--input", "3x-2"), "3x224x224"),
        (("--steps", "9", "--input", "1x32x32", "--gpu", "RTX 3090"), "layer 0"),
        (("--steps", "9", "--gpu", "RTX 3091"), "RTX 3090"),
    ],
)
def test_misuse_is_one_line(net, env, options, named):
    done = forecast(f"{net}:small", *options, env=env)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and named in done.stderr, done.stderr
