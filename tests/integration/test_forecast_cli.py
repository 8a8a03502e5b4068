"""`joulecast forecast`: what a job will cost, before it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import joulecast
from fakes.command_line import joulecast as run_joulecast

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
    if "--probe" not in options:
        return run_joulecast("forecast", *options, cwd=Path.cwd(), env=env)
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


def test_a_job_on_several_nodes_is_that_of_their_devices(net, env):
    options = ("--input", "3x32x32", "--steps", "100", "--batch", "64")
    (one,) = documents(f"{net}:small", *options, "--gpu", "H100 SXM5", env=env)
    (all_,) = documents(f"{net}:small", *options, "--gpu", "8xH100 SXM5", "--nodes", "4", env=env)
    assert (one["device_count"], all_["device_count"]) == (1, 32)
    assert one["node"] is one["total_energy"] is one["waiting"] is None
    assert all_["layout"] == {
        "nodes": 4, "devices_per_node": 8, "data": 32, "fsdp": 1, "tensor": 1, "pipeline": 1,
        "micro_batches": 1,
    }  # fmt: skip
    # The same samples: each device has a part of them.
    assert one["workload"]["batch"] == all_["workload"]["batch"] == 64
    assert one["workload"]["forward_flops"] == all_["workload"]["forward_flops"]
    assert all_["energy"]["value"] > one["energy"]["value"]
    assert all_["node"]["energy"]["provenance"] == "modelled"
    total = all_["energy"]["value"] + all_["node"]["energy"]["value"]
    assert all_["total_energy"]["value"] == pytest.approx(total)
    assert all_["waiting"]["exchange_s"] >= all_["waiting"]["exposed_s"] > 0


def test_what_does_not_fit_fails_and_fits_when_it_is_sharded(env, tmp_path):
    path = tmp_path / "large.py"
    path.write_text(
        "from torch import nn\n"
        "def large():\n    return nn.Sequential(*(nn.Linear(20_000, 20_000) for _ in range(10)))\n"
    )
    options = (f"{path}:large", "--input", "20000", "--steps", "10", "--batch", "8", "--json")
    done = forecast(*options, "--gpu", "A100-SXM4-40GB", env=env)
    assert done.returncode == 1
    (job,) = json.loads(done.stdout)["forecasts"]
    assert job["energy"] is job["carbon"] is None
    assert job["memory"]["fits"] is False and job["memory"]["fits_on"] == 4
    done = forecast(*options, "--gpu", "4xA100-SXM4-40GB", "--parallel", "fsdp", env=env)
    assert done.returncode == 0
    (job,) = json.loads(done.stdout)["forecasts"]
    assert job["memory"]["fits"] is True and job["energy"]["value"] > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--gpu", "0xH100 SXM5"), "0 is no number"),
        (("--gpu", "-1xH100 SXM5"), "-1 is no number"),
        (("--gpu", "2.5xH100 SXM5"), "2.5 is no number"),
        (("--gpu", "16xH100 SXM5"), "--nodes 2"),
        (("--gpu", "8xH100 SXM5", "--parallel", "tensor:3"), "does not divide 8"),
        (("--gpu", "8xH100 SXM5", "--parallel", "zero"), "fsdp"),
        (("--gpu", "8xH100 SXM5", "--batch", "12"), "multiple of 8"),
        (("--gpu", "8xH100 SXM5", "--parallel", "pipeline:8"), "2 blocks"),
        (("--gpu", "H100 SXM5", "--accumulate", "5"), "multiple of 5"),
        (("--gpu", "H100 SXM5", "--mfu", "1.2"), "--mfu"),
        (("--nodes", "2"), "--gpu 8x"),
        (("--cpu", "--parallel", "fsdp"), "--gpu 8x"),
        (("--gpu", "8xH100 SXM5", "--here"), "--gpu 8x"),
    ],
)
def test_jobs_that_cannot_be_divided_so(options, named, net, env):
    done = forecast(f"{net}:small", "--input", "3x32x32", "--steps", "1", *options, env=env)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and named in done.stderr


def test_generated_text_is_forecast_by_token_and_request(env):
    pytest.importorskip("transformers", reason="configurations are transformers'")
    options = ("transformers:gpt2", "--inference", "--gpu", "H100 SXM5")
    tokens = ("--prompt-tokens", "512", "--generate-tokens", "256")
    (job,) = documents(*options, *tokens, "--batch", "16", "--samples", "160", env=env)
    each = job["generation"]
    assert job["plan"]["steps"] == 10
    assert job["energy"]["value"] == pytest.approx(160 * each["energy_per_request"]["value"])
    per_token = each["energy_per_request"]["value"] / 256
    assert each["energy_per_token"]["value"] == pytest.approx(per_token)
    for extra, named in (
        (("--generate-tokens", "256"), "--prompt-tokens is missing"),
        (("--prompt-tokens", "0", "--generate-tokens", "256"), "--prompt-tokens"),
        (("--prompt-tokens", "1000", "--generate-tokens", "256"), "1024 tokens"),
        ((*tokens, "--training"), "--inference"),
        ((*tokens, "--lora", "r=4"), "--inference"),
        ((*tokens, "--input", "5"), "--inference"),
    ):
        done = forecast(*options, *extra, env=env)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and named in done.stderr
