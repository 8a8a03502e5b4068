"""`joulecast run` on a machine whose NVIDIA driver has faults, as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.nvml import A100, FakeNvml

JOULECAST = [sys.executable, "-m", "joulecast"]
SECOND = A100 | {"uuid": "GPU-bbbbbbbb-2222"}
LOST, MISMATCH = 15, 18


def run(fake_nvml: FakeNvml, tmp_path: Path, command=("sleep", "2")):
    """The document of the run, and what it printed."""
    env = os.environ | fake_nvml.env | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
    document = tmp_path / "run.json"
    done = subprocess.run(
        [*JOULECAST, "run", "--json-file", document, "--", *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(document.read_text()), done.stderr


def gpus(figures):
    """Joules by domain, of the GPUs only."""
    domains = figures["energy"]["domains"]
    return {d["domain"]: d["energy"]["value"] for d in domains if d["domain"].startswith("gpu")}


@pytest.mark.parametrize(
    ("lacking", "cards", "machine"),
    [
        ("gpu:0", [A100 | {"error": LOST}, SECOND], {}),
        ("gpu:1", [A100, {"uuid": "GPU-1", "name": "NVIDIA GeForce GT 630"}], {}),
        ("gpu", [A100], {"init_error": MISMATCH}),
    ],
)
def test_a_total_without_a_gpu_that_cannot_be_read_is_not_measured(
    fake_nvml, tmp_path, lacking, cards, machine
):
    live = {"live_since": time.monotonic()}
    fake_nvml.write_state(*(card | live for card in cards), **machine)
    figures, printed = run(fake_nvml, tmp_path)
    total = figures["energy"]["total"]
    assert total["provenance"] == "assumed"
    assert lacking in total["reason"]
    assert any(text.startswith(f"{lacking}: ") for text in figures["warnings"])
    assert lacking in printed
    assert lacking not in gpus(figures)


def test_a_counter_that_stands_still_at_250_w(fake_nvml, tmp_path):
    """250 W for two seconds are 500 J, not 0."""
    fake_nvml.write_state(A100 | {"energy_mj": 1000})
    figures, printed = run(fake_nvml, tmp_path)
    (gpu,) = (d for d in figures["energy"]["domains"] if d["domain"] == "gpu:0")
    assert gpu["energy"]["value"] == pytest.approx(250 * figures["duration_s"], rel=0.03)
    assert gpu["energy"]["low"] < 0.92 * gpu["energy"]["value"]
    assert gpu["source"] == "NVML energy counter, replaced by integrated power"
    assert any(text.startswith("gpu:0, from ") for text in figures["warnings"])
    assert "gpu:0, from " in printed


def test_a_counter_that_counts_a_part_and_one_that_counts_all(fake_nvml, tmp_path):
    live = {"live_since": time.monotonic(), "power_mw": 65_400}
    part = A100 | live | {"counted_pct": 57}
    fake_nvml.write_state(part, SECOND | live)
    figures, _ = run(fake_nvml, tmp_path, ("sleep", "6"))
    drawn_j = 65.4 * figures["duration_s"]
    assert gpus(figures) == pytest.approx({"gpu:0": drawn_j, "gpu:1": drawn_j}, rel=0.05)
    assert [text.partition(",")[0] for text in figures["warnings"]] == ["gpu:0"]


def test_a_run_too_short_to_tell_does_not_say_0(fake_nvml, tmp_path):
    fake_nvml.write_state(A100 | {"energy_mj": 1000})
    figures, _ = run(fake_nvml, tmp_path, ("sleep", "0.2"))
    assert gpus(figures) == {}
    assert figures["energy"]["total"]["provenance"] != "measured"


def test_an_impossible_power_is_not_believed(fake_nvml, tmp_path):
    fake_nvml.write_state(A100 | {"energy_mj": None, "power_mw": 0xFFFFFFFF}, SECOND)
    figures, _ = run(fake_nvml, tmp_path)
    assert "gpu:0" not in gpus(figures)
    assert "gpu:0" in figures["energy"]["total"]["reason"]
    assert any(text.startswith("gpu:0: ") for text in figures["warnings"])


def test_a_module_is_counted_without_its_processor_and_memory(fake_nvml, tmp_path):
    live = {"live_since": time.monotonic(), "no_fields": 1, "name": "NVIDIA GH200 480GB"}
    fake_nvml.write_state(A100 | live)
    figures, _ = run(fake_nvml, tmp_path)
    (module,) = figures["energy"]["domains"]
    assert module["domain"] == "module:0"
    assert module["energy"]["value"] == pytest.approx(250 * figures["duration_s"], rel=0.1)
    # Its figures are the GPU's.
    assert {"gpu:0/utilization_pct", "cpu/utilization_pct"} <= {
        g["name"] for g in figures["gauges"]
    }


def test_the_gpu_of_a_superchip_is_counted_beside_its_processor_and_memory(fake_nvml, tmp_path):
    scopes = {"instant_mw": 300_000, "average_mw": 300_000, "module_mw": 500_000}
    fake_nvml.write_state(A100 | scopes | {"name": "NVIDIA GH200 480GB"})
    figures, _ = run(fake_nvml, tmp_path)
    assert gpus(figures)["gpu:0"] == pytest.approx(300 * figures["duration_s"], rel=0.03)
    assert len(figures["energy"]["domains"]) > 1


def test_all_reports_state_what_throttled_a_run(fake_nvml, tmp_path):
    live = {"live_since": time.monotonic(), "reasons": 0x4 | 0x40}
    fake_nvml.write_state(A100 | live, SECOND | {"reasons": 0x1})
    figures, printed = run(fake_nvml, tmp_path)
    env = os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
    page = tmp_path / "page.html"
    shown = subprocess.check_output([*JOULECAST, "show", "last"], env=env, text=True)
    subprocess.check_output([*JOULECAST, "report", "last", "--output", page], env=env)
    means = {g["name"]: g["mean"] for g in figures["gauges"]}
    assert means["gpu:0/throttled_by_heat_pct"] == 100
    assert means["gpu:1/throttled_by_heat_pct"] == 0
    for report in (printed, shown, page.read_text()):
        (statement,) = re.findall(r"throttled(?:: |  )(gpu:0[^\n<]*)", report)
        assert "power 100 %" in statement and "heat 100 %" in statement
        assert "gpu:1" not in statement and "hardware" not in statement


def test_a_recorder_that_was_stopped_leaves_a_gap(tmp_path):
    """The processor and the memory of this machine are modelled, or a share of a counter."""
    env = os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}
    document, began = tmp_path / "run.json", tmp_path / "began"
    command = [*JOULECAST, "run", "--json-file", document, "--"]
    command += ["sh", "-c", 'touch "$0"; sleep 8', began]
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as recorder:
        while not began.exists():
            time.sleep(0.05)
        time.sleep(1)
        recorder.send_signal(signal.SIGSTOP)
        time.sleep(5)
        recorder.send_signal(signal.SIGCONT)
        assert recorder.wait(60) == 0
    figures = json.loads(document.read_text())
    lacking = {text.partition(":")[0] for text in figures["warnings"] if "not measured" in text}
    domains = {d["domain"].partition(":")[0]: d for d in figures["energy"]["domains"]}
    assert lacking == domains.keys()
    for domain in domains.values():
        assert domain["energy"]["high"] > 1.3 * domain["energy"]["value"]
