"""Gauges of real processes: `joulecast run` and `joulecast.record`, with a driver that has faults.

Their CPU time is compared with the CPU time that the processes measure themselves.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.nvml import A100
from joulecast.ledger import open_ledger
from joulecast.recording.model import Status
from joulecast.recording.summary import summarize

JOULECAST = [sys.executable, "-m", "joulecast"]
MIB = 2**20
TICKS_S = 0.05
"""CPU time is counted in ticks of 10 ms; its last reading is at most two ticks old."""

BUSY = """
import os, sys, time
memory = bytearray(200 * 2**20)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    pass
print(time.process_time())
"""
TWO = """
import subprocess, sys
busy = [subprocess.Popen([sys.executable, "-c", sys.argv[1], "2"], stdout=subprocess.PIPE)
        for _ in range(2)]
print(sum(float(child.communicate()[0]) for child in busy))
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}


def run(env, *command, options=()):
    done = subprocess.run(
        [*JOULECAST, "run", *options, "--", *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown = subprocess.run(
        [*JOULECAST, "show", "last", "--json"], env=env, capture_output=True, check=True
    )
    figures = json.loads(shown.stdout)
    return done.stdout, figures, {gauge["name"]: gauge for gauge in figures["gauges"]}


def cpu_s(figures, gauge):
    """CPU seconds, from the mean utilization and the duration."""
    return gauge["mean"] / 100 * figures["duration_s"]


def test_a_busy_process(env):
    printed, figures, gauges = run(env, sys.executable, "-c", BUSY, "3")
    used = cpu_s(figures, gauges["cpu/utilization_pct"])
    # The process uses some CPU time after it printed its own figure.
    assert float(printed) - TICKS_S <= used <= figures["duration_s"] + TICKS_S
    memory = gauges["memory_bytes"]
    assert memory["max"] >= 200 * MIB
    assert memory["min"] <= memory["mean"] <= memory["max"]
    assert figures["energy"]["total"]["unit"] == "J"
    assert not any("utilization" in text or "memory_bytes" in text for text in figures["warnings"])


def test_two_busy_processes_use_the_sum_of_their_cpu_time(env):
    printed, figures, gauges = run(env, sys.executable, "-c", TWO, BUSY)
    used = cpu_s(figures, gauges["cpu/utilization_pct"])
    cores = os.cpu_count() or 1
    assert float(printed) - TICKS_S <= used <= cores * figures["duration_s"] + TICKS_S
    assert gauges["memory_bytes"]["max"] >= 400 * MIB


def test_an_idle_process_uses_next_to_nothing(env):
    _, figures, gauges = run(env, "sleep", "2")
    assert cpu_s(figures, gauges["cpu/utilization_pct"]) <= TICKS_S
    assert 0 < gauges["memory_bytes"]["max"] < 50 * MIB


def test_the_whole_machine_uses_no_less(env):
    printed, figures, gauges = run(
        env, sys.executable, "-c", BUSY, "2", options=("--scope", "machine")
    )
    assert cpu_s(figures, gauges["cpu/utilization_pct"]) >= float(printed) - TICKS_S
    assert "machine" in gauges["cpu/utilization_pct"]["source"]


def test_a_run_too_short_for_a_reading_has_reasons_and_no_zeros(env):
    _, _, gauges = run(env, "true")
    for gauge in gauges.values():
        assert gauge["mean"] is not None or gauge["reason"]


def test_a_gpu_without_one_gauge_and_without_permission_for_another(env, fake_nvml):
    fake_nvml.write_state(A100 | {"temperature": None, "utilization_error": 4})
    _, figures, gauges = run(env | fake_nvml.env, "sleep", "1.5")
    assert gauges["gpu:0/temperature_c"]["mean"] is None
    assert gauges["gpu:0/temperature_c"]["reason"]
    assert "permission" in gauges["gpu:0/utilization_pct"]["reason"]
    memory = gauges["gpu:0/memory_bytes"]  # no process of the run is on the card
    assert (memory["mean"], memory["source"]) == (4096 * MIB, "NVML, of the whole device")
    assert {d["domain"] for d in figures["energy"]["domains"]} == {"gpu:0", "cpu:0", "dram:0"}


def test_a_gpu_lost_during_the_run_and_one_that_continues(env, fake_nvml, tmp_path):
    live = {"live_since": time.monotonic(), "energy_mj": 0, "power_mw": 100_000}
    fake_nvml.write_state(A100 | live, A100 | live | {"uuid": "GPU-2"})
    started = tmp_path / "started"
    command = [*JOULECAST, "run", "--", "sh", "-c", f"touch {started}; sleep 4"]
    with subprocess.Popen(command, env=env | fake_nvml.env, stderr=subprocess.PIPE) as running:
        while not started.exists():
            time.sleep(0.05)
        time.sleep(0.5)
        fake_nvml.update(1, error=15)
        assert running.wait(30) == 0
    with open_ledger(env["JOULECAST_LEDGER"]) as ledger:
        summary = summarize(ledger.load("last"))
    gauges = {gauge.name: gauge for gauge in summary.gauges}
    assert gauges["gpu:0/temperature_c"].reason is None
    assert gauges["gpu:1/temperature_c"].mean == 61
    assert gauges["gpu:1/temperature_c"].reason
    assert gauges["cpu/utilization_pct"].reason is None
    whole = next(d for d in summary.domains if d.source.domain == "gpu:0")
    assert whole.energy.low <= 100 * summary.duration_s <= whole.energy.high
    assert summary.recording.status is Status.FINISHED
    assert [gap.domain for gap in summary.recording.energy_gaps] == ["gpu:1"]


def test_a_driver_that_hangs_in_a_gauge_costs_no_energy_reading(env, fake_nvml, tmp_path):
    live = {"live_since": time.monotonic(), "energy_mj": 0, "power_mw": 100_000}
    fake_nvml.write_state(A100 | live)
    started = tmp_path / "started"
    command = [*JOULECAST, "run", "--", "sh", "-c", f"touch {started}; sleep 4"]
    with subprocess.Popen(command, env=env | fake_nvml.env, stderr=subprocess.PIPE) as running:
        while not started.exists():
            time.sleep(0.05)
        time.sleep(0.5)
        fake_nvml.update(0, temperature_ms=20_000)
        # The driver hangs for longer than that.
        assert running.wait(15) == 0
    with open_ledger(env["JOULECAST_LEDGER"]) as ledger:
        recording = ledger.load("last")
    assert any("gauge" in text for text in recording.warnings)
    assert recording.energy_gaps == []
    energy = recording.samples["gpu:0"]
    assert energy.t_s[-1] >= 3.9
    assert recording.samples["gpu:0/temperature_c"].value[-1] == 61


def _until_stored(env, name, seconds):
    """Wait until the ledger holds so many seconds of a run's gauge."""
    path = Path(env["JOULECAST_LEDGER"])
    for _ in range(300):
        time.sleep(0.1)
        if not path.exists():
            continue
        with open_ledger(path) as ledger:
            runs = ledger.runs()
            samples = ledger.load("last").samples.get(name) if runs else None
        if samples is not None and samples.t_s[-1] >= seconds:
            return
    pytest.fail("nothing was stored")


def test_a_killed_run_keeps_what_was_flushed(env):
    command = [*JOULECAST, "run", "--", sys.executable, "-c", BUSY, "30"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        _until_stored(env, "cpu/utilization_pct", seconds=3)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, check=True
        )
        run.send_signal(signal.SIGKILL)
        for pid in children.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
    with open_ledger(env["JOULECAST_LEDGER"]) as ledger:
        recording = ledger.load("last")
    assert recording.status is Status.INTERRUPTED
    energy_s, gauge_s = (
        recording.samples[name].t_s[-1] for name in ("cpu:0", "cpu/utilization_pct")
    )
    assert gauge_s >= energy_s - 2.2  # read once a second, flushed once a second
    gauges = {gauge.name: gauge for gauge in summarize(recording).gauges}
    assert gauges["memory_bytes"].max >= 200 * MIB


def test_record_in_a_process(env, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import json, time, joulecast\n"
        "with joulecast.record('busy') as run:\n"
        "    before = time.process_time()\n"
        "    end = time.monotonic() + 2\n"
        "    while time.monotonic() < end: pass\n"
        "    used = time.process_time() - before\n"
        "print(used)\n"
    )
    done = subprocess.run(
        [sys.executable, script], env=env, capture_output=True, text=True, check=True
    )
    with open_ledger(env["JOULECAST_LEDGER"]) as ledger:
        summary = summarize(ledger.load("last"))
    cpu = next(gauge for gauge in summary.gauges if gauge.name == "cpu/utilization_pct")
    assert cpu.mean is not None
    assert cpu.mean / 100 * summary.duration_s >= float(done.stdout) - TICKS_S
