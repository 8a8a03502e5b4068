"""`joulecast forecast`: what a job will cost, before it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="counting a model needs torch")

NET = """
import torch

def small():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 10),
    )

def wide():
    return torch.nn.Linear(30000, 30000)
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


def document(*options, env):
    (only,) = documents(*options, env=env)
    return only


def test_a_document_has_estimates_counts_and_memory(net, env):
    job = ("--input", "3x32x32", "--batch", "64", "--samples", "50000", "--epochs", "30")
    found = document(f"{net}:small", *job, "--gpu", "A100-SXM4-80GB", env=env)
    assert found["method"] == "physical" and found["rung"] == "catalog"
    for name in ("energy", "duration", "power", "carbon", "step_energy", "step_duration"):
        estimate = found[name]
        assert 0 < estimate["low"] <= estimate["value"] <= estimate["high"]
    steps = found["plan"]["steps"] * found["plan"]["epochs"]
    assert steps == 782 * 30
    each, whole = found["step_energy"], found["energy"]
    assert whole["value"] == pytest.approx(steps * each["value"])
    work = found["workload"]
    assert work["parameters"] == 3 * 16 * 9 + 16 + 16 * 10 + 10
    macs = 64 * (16 * 3 * 9 * 32 * 32 + 16 * 10)
    assert work["forward_flops"] == pytest.approx(2 * macs, rel=0.1)
    assert work["step_flops"] > 2 * work["forward_flops"]
    assert work["step_bytes"] > 0
    assert found["dominated_by"] in ("compute", "memory", "launch", "input")
    assert found["memory"]["fits"] is True


def test_several_devices_stand_side_by_side(net, env):
    options = (f"{net}:small", "--input", "3x32x32", "--steps", "100")
    found = documents(*options, "--gpu", "RTX 3090,A100-SXM4-80GB", env=env)
    names = [each["device"] for each in found]
    assert names == ["NVIDIA GeForce RTX 3090", "NVIDIA A100 SXM4 80GB"]
    twice = documents(*options, "--gpu", "RTX 3090,GeForce RTX 3090, A100-SXM4-80GB", env=env)
    assert twice == found
    shown = forecast(*options, "--gpu", "RTX 3090,A100-SXM4-80GB", env=env)
    assert "RTX 3090" in shown.stdout and "A100 SXM4" in shown.stdout


def test_a_name_that_several_boards_share_widens_the_interval(net, env):
    options = (f"{net}:small", "--input", "3x32x32", "--steps", "100")
    exact = document(*options, "--gpu", "A100-SXM4-80GB", env=env)["energy"]
    shared = document(*options, "--gpu", "NVIDIA A100", env=env)
    energy = shared["energy"]
    assert energy["value"] == exact["value"]
    assert energy["high"] - energy["low"] > exact["high"] - exact["low"]
    assert "PCIe" in shared["notes"][0]


def test_inference_costs_less_than_training_and_validation_more(net, env):
    options = (f"{net}:small", "--input", "3x32x32", "--samples", "6400", "--gpu", "RTX 3090")
    training = document(*options, env=env)["energy"]["value"]
    inference = document(*options, "--inference", env=env)["energy"]["value"]
    validated = document(*options, "--val-samples", "6400", env=env)["energy"]["value"]
    assert inference < training
    assert validated == pytest.approx(training + inference)


def test_the_grid_and_the_pue_make_the_carbon(net, env):
    options = (f"{net}:small", "--input", "3x32x32", "--steps", "1000", "--gpu", "RTX 3090")
    given = document(*options, "--carbon-intensity", "500", "--pue", "1.2", env=env)
    expected = given["energy"]["value"] / 3.6e6 * 500 * 1.2
    assert given["carbon"]["value"] == pytest.approx(expected)
    assert given["carbon"]["provenance"] == "assumed"
    germany = document(*options, "--region", "DE", env=env)
    assert "Germany" in germany["grid"]["basis"]


def test_a_probe_runs_real_steps(net, env, tmp_path):
    trace = tmp_path / "power.csv"
    trace.write_text("t_s,power_w\n" + "".join(f"{t / 10},100\n" for t in range(3000)))
    replay = env | {"JOULECAST_REPLAY": f"{trace}:gpu:0"}
    options = (f"{net}:small", "--input", "3x32x32", "--steps", "10")
    found = document(*options, "--probe", env=replay)
    assert found["rung"] == "probed" and found["method"] == "probe"
    energy, duration = found["step_energy"], found["step_duration"]
    assert energy["value"] == pytest.approx(100 * duration["value"], rel=0.35)
    assert any("real steps" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("torchvision:resnet50",), "--samples"),
        (("{net}:small", "--steps", "9", "--samples", "9"), "--samples"),
        (("{net}:small", "--samples", "0"), "samples"),
        (("{net}:small", "--steps", "9", "--input", "3x-2"), "3x224x224"),
        (("{net}:smal", "--steps", "9", "--input", "3x32x32"), "small"),
        (("{net}:small", "--steps", "9", "--input", "3x32x32", "--gpu", "RTX 3091"), "RTX 3090"),
        (("{net}:small", "--steps", "9", "--input", "3x32x32", "--gpu", ""), "--gpu"),
        (("{net}:small", "--steps", "9", "--input", "3x32x32", "--gpu", "T4,,P4"), "--gpu"),
        (("{net}:small", "--steps", "9", "--input", "1x32x32", "--gpu", "RTX 3090"), "layer 0"),
        (("{net}:small", "--steps", "9", "--input", "3x32x32", "--pue", "0.5"), "PUE"),
        (("{net}:small", "--steps", "9", "--probe", "--gpu", "RTX 3090"), "--probe"),
        (
            ("{net}:small", "--steps", "9", "--input", "3x999x999", "--batch", "500000", "--probe"),
            "smaller --batch",
        ),
    ],
)
def test_misuse_is_one_line_with_its_cure(net, env, options, says):
    done = forecast(*(option.format(net=net) for option in options), env=env)
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1 and says in done.stderr, done.stderr


def test_epochs_are_whole_numbers(net, env):
    done = forecast(f"{net}:small", "--samples", "64", "--epochs", "0.5", env=env)
    assert done.returncode == 2 and "--epochs" in done.stderr


def test_the_function_takes_a_module_and_returns_what_the_verb_prints(net, env):
    import torch

    import joulecast

    options = ("--input", "3x32x32", "--steps", "100", "--gpu", "RTX 3090,T4")
    printed = documents(f"{net}:small", *options, env=env)
    result = joulecast.forecast(f"{net}:small", (3, 32, 32), steps=100, gpu=["RTX 3090", "T4"])
    assert result.to_json()["forecasts"] == printed
    assert result.cheapest.energy.value == min(f["energy"]["value"] for f in printed)
    module = torch.nn.Linear(512, 10)
    (linear,) = joulecast.forecast(module, (512,), gpu="T4", steps=1, batch=8).forecasts
    assert linear.workload.forward_flops >= 2 * 8 * 512 * 10


def test_a_model_larger_than_the_memory_is_a_warning(net, env):
    options = (f"{net}:wide", "--input", "30000", "--steps", "1", "--gpu", "GTX 1660")
    assert document(*options, env=env)["memory"]["fits"] is False
    assert "weights, gradients and optimizer state take" in " ".join(
        forecast(*options, env=env).stdout.split()
    )
