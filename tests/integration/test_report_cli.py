"""`joulecast show`, `report` and `doctor` on a real run of a real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.command_line import joulecast as run_joulecast
from fakes.nvml import A100

SCRIPT = """
import joulecast, time
with joulecast.record("inner", epochs=3) as run:
    for epoch in run.epochs():
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            pass
        run.log(accuracy=0.5 + epoch / 10)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A ledger with one run, and the run's figures as `joulecast run` wrote them."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "train.py").write_text(SCRIPT)
    env = os.environ | {"JOULECAST_LEDGER": str(folder / "ledger.sqlite"), "COLUMNS": "100"}
    done = joulecast(
        ("run", "--name", "my <run>", "--json-file", "run.json", "--", sys.executable, "train.py"),
        folder,
        env,
    )
    assert done.returncode == 0, done.stderr
    return folder, env, json.loads((folder / "run.json").read_text())


def joulecast(arguments, folder: Path, env) -> subprocess.CompletedProcess[str]:
    if arguments[0] not in ("run", "doctor"):
        return run_joulecast(*arguments, cwd=folder, env=env)
    command = [sys.executable, "-m", "joulecast", *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_show_has_the_same_figures_as_the_run(recorded):
    folder, env, figures = recorded
    done = joulecast(("show", "my <run>", "--json"), folder, env)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert next(iter(shown)) == "schema"
    assert shown["energy"] == figures["energy"]
    assert [e["index"] for e in shown["epochs"]] == [0, 1, 2]


def test_show_and_report_text_are_equal(recorded):
    folder, env, figures = recorded
    shown = joulecast(("show", figures["run_id"]), folder, env)
    text = joulecast(("report", figures["run_id"], "--text"), folder, env)
    assert shown.returncode == text.returncode == 0
    assert shown.stdout == text.stdout
    assert "epoch" in shown.stdout and "accuracy" in shown.stdout
    assert not list(folder.glob("*.html"))


def test_report_writes_a_page_and_names_it(recorded, tmp_path):
    _, env, figures = recorded
    first = joulecast(("report", "my <run>"), tmp_path, env)
    assert first.returncode == 0, first.stderr
    page = tmp_path / first.stdout.strip()
    assert page.name == f"my-run-{figures['run_id'][:8]}.html"
    assert f'value="{figures["energy"]["total"]["value"]}"' in page.read_text()

    page.write_text("mine")
    again = joulecast(("report", "my <run>"), tmp_path, env)
    assert again.returncode == 2
    assert "-o" in again.stderr
    assert page.read_text() == "mine"

    named = joulecast(("report", "my <run>", "-o", page.name), tmp_path, env)
    assert named.returncode == 0
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (("report", "nobody"), 2, "nobody"),
        (("show", "nobody"), 2, "nobody"),
        (("report", "my <run>", "-o", "no/such/folder/x.html"), 2, "no/such/folder/x.html"),
        (("report", "my <run>", "--text", "--json"), 2, "--json"),
    ],
)
def test_mistakes_are_one_line(recorded, arguments, code, names):
    folder, env, _ = recorded
    done = joulecast(arguments, folder, env)
    assert done.returncode == code
    assert names in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_doctor_reads_real_power(recorded):
    folder, env, _ = recorded
    done = joulecast(("doctor", "--json"), folder, env)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "joulecast/doctor/1"
    assert document["domains"], "every machine has at least the models"
    for domain in document["domains"]:
        power = domain["power"]
        assert power is None or power["low"] <= power["value"] <= power["high"]
        assert power is not None or domain["reason"]
    assert document["environment"]["software"]["python"]
    shown = joulecast(("doctor",), folder, env)
    assert shown.returncode == 0
    for domain in document["domains"]:
        assert domain["source"]["domain"] in shown.stdout


def test_doctor_on_an_nvidia_machine(recorded, fake_nvml):
    folder, env, _ = recorded
    fake_nvml.write_state(A100)
    done = joulecast(("doctor", "--json"), folder, env | fake_nvml.env)
    document = json.loads(done.stdout)
    (gpu,) = (d for d in document["domains"] if d["source"]["domain"] == "gpu:0")
    assert gpu["source"]["device"] == A100["name"]
    assert gpu["source"]["provenance"] == "measured"
    assert gpu["power"]["unit"] == "W"
    gauges = {gauge["source"]["domain"]: gauge for gauge in document["gauges"]}
    assert gauges["gpu:0/temperature_c"]["value"] == 61
    assert gauges["gpu:0/utilization_pct"]["source"]["unit"] == "%"
    assert gauges["cpu/utilization_pct"]["value"] >= 0


def test_doctor_names_the_gauges_that_cannot_be_read_and_why(recorded, fake_nvml):
    folder, env, _ = recorded
    fake_nvml.write_state(A100 | {"temperature": None, "utilization_error": 4})
    done = joulecast(("doctor", "--json"), folder, env | fake_nvml.env)
    gauges = {gauge["source"]["domain"]: gauge for gauge in json.loads(done.stdout)["gauges"]}
    assert gauges["gpu:0/temperature_c"]["value"] is None
    assert gauges["gpu:0/temperature_c"]["reason"]
    assert "permission" in gauges["gpu:0/utilization_pct"]["reason"]
    shown = joulecast(("doctor",), folder, env | fake_nvml.env)
    assert "gpu:0 temperature" in shown.stdout
