"""`joulecast run` on a machine whose NVIDIA driver has faults, as a user starts it."""

from __future__ import annotations

import json
import os
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
