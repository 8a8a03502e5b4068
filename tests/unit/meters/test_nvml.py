"""The real nvidia-ml-py, and a driver library whose cards these tests hold in their hands."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from fakes.nvml import A100
from joulecast.errors import MeterLostError
from joulecast.meters.base import ReadingKind
from joulecast.meters.nvml_discovery import find_nvml

SECOND = A100 | {"uuid": "GPU-bbbbbbbb-2222", "energy_mj": 7_000_000}
GTX_750_TI = {
    "uuid": "GPU-cccccccc-3333",
    "name": "NVIDIA GeForce GTX 750 Ti",
    "power_mw": 38_500,
}
LOST, NOT_SUPPORTED, DRIVER_NOT_LOADED, NO_PERMISSION, MISMATCH = 15, 3, 9, 4, 18


def domains(discovery):
    return [meter.source.domain for meter in discovery.meters]


def close(discovery):
    for meter in discovery.meters:
        meter.close()


def test_two_gpus_and_one_without_the_counter(nvml_here, clock):
    nvml_here.write_state(A100, SECOND, GTX_750_TI)
    discovery = find_nvml(clock, env={})
    assert domains(discovery) == ["gpu:0", "gpu:1", "gpu:2"]
    assert not discovery.unavailable
    assert not discovery.warnings
    clock.now += 1.0
    nvml_here.update(0, energy_mj=1_000_000 + 250_000)
    nvml_here.update(1, energy_mj=7_000_000 + 99_500)
    first, second, old = (meter.read() for meter in discovery.meters)
    assert first.value == pytest.approx(250.0)
    assert (first.low, first.high) == pytest.approx((237.5, 262.5))
    assert second.value == pytest.approx(99.5)
    assert old.value == pytest.approx(38.5)
    sources = [meter.source for meter in discovery.meters]
    assert [s.kind for s in sources] == [
        ReadingKind.COUNTER,
        ReadingKind.COUNTER,
        ReadingKind.POWER,
    ]
    assert sources[0].source == "NVML energy counter"
    assert sources[2].source.startswith("NVML power, integrated")
    assert sources[2].uncertainty.high > sources[0].uncertainty.high
    assert sources[2].device == "NVIDIA GeForce GTX 750 Ti"
    close(discovery)


def test_a_gpu_lost_in_mid_run_does_not_harm_the_other(nvml_here, clock):
    nvml_here.write_state(A100, SECOND)
    discovery = find_nvml(clock, env={})
    nvml_here.update(1, error=LOST)
    nvml_here.update(0, energy_mj=1_010_000)
    clock.now += 1.0
    with pytest.raises(MeterLostError, match=r"gpu:1 .*reboot"):
        discovery.meters[1].read()
    assert discovery.meters[0].read().value == pytest.approx(10.0)
    close(discovery)


@pytest.mark.parametrize("error", [1, 6, 15, 999])
def test_every_way_of_being_lost_is_one_line_with_a_remedy(nvml_here, clock, error):
    nvml_here.write_state(A100)
    (meter,) = find_nvml(clock, env={}).meters
    nvml_here.update(0, error=error)
    with pytest.raises(MeterLostError, match="gpu:0 ") as raised:
        meter.read()
    assert "\n" not in str(raised.value)
    meter.close()


def test_a_counter_that_is_reset(nvml_here, clock):
    nvml_here.write_state(A100 | {"power_mw": 100_000})
    (meter,) = find_nvml(clock, env={}).meters
    for step in (1_100_000, 1_200_000):
        clock.now += 1.0
        nvml_here.update(0, energy_mj=step)
        before = meter.read().value
    assert before == pytest.approx(200.0)
    assert meter.note() is None
    clock.now += 1.0
    nvml_here.update(0, energy_mj=500)
    assert meter.read().value == pytest.approx(200.0)
    assert "reset" in meter.note()
    clock.now += 1.0
    nvml_here.update(0, energy_mj=50_500)
    assert meter.read().value == pytest.approx(250.0)
    meter.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["gpu:0", "gpu:1"]),
        ("1", ["gpu:1"]),
        ("1,0", ["gpu:1", "gpu:0"]),
        ("GPU-bbbb", ["gpu:1"]),
        ("GPU-bbbbbbbb-2222,GPU-aaaaaaaa-1111", ["gpu:1", "gpu:0"]),
        ("", []),
        ("-1", []),
        ("7", []),
    ],
)
def test_only_the_visible_gpus_in_process_scope(nvml_here, clock, value, expected):
    nvml_here.write_state(A100, SECOND)
    env = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    discovery = find_nvml(clock, env)
    assert domains(discovery) == expected
    assert [u.reason for u in discovery.unavailable] == (
        [] if expected else [f"hidden from the run by CUDA_VISIBLE_DEVICES={value}"]
    )
    assert not discovery.lacking
    close(discovery)
    machine = find_nvml(clock, env, scope="machine")
    assert domains(machine) == ["gpu:0", "gpu:1"]
    close(machine)


def test_an_index_among_unlike_gpus_is_warned_about(nvml_here, clock):
    nvml_here.write_state(A100, GTX_750_TI)
    discovery = find_nvml(clock, {"CUDA_VISIBLE_DEVICES": "1"})
    assert any("CUDA_DEVICE_ORDER" in warning for warning in discovery.warnings)
    close(discovery)


def test_a_card_split_by_mig_is_read_whole_with_a_warning(nvml_here, clock):
    nvml_here.write_state(A100, SECOND | {"mig": 1, "mig_uuid": "MIG-dddd-4444"})
    discovery = find_nvml(clock, {"CUDA_VISIBLE_DEVICES": "MIG-dddd-4444"})
    assert domains(discovery) == ["gpu:1"]
    assert "whole card" in discovery.meters[0].source.device
    assert any("MIG" in warning for warning in discovery.warnings)
    close(discovery)


def test_other_processes_on_the_card_are_named(nvml_here, clock):
    nvml_here.write_state(A100 | {"pids": [11, 22, 33]}, SECOND | {"pids": [11]})
    discovery = find_nvml(clock, {}, own_pids=lambda: {11})
    (warning,) = discovery.warnings
    assert warning.startswith("gpu:0 ")
    assert re.findall(r"\d+", warning)[1:4] == ["2", "22", "33"]
    close(discovery)


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (DRIVER_NOT_LOADED, "not loaded", "modprobe nvidia"),
        (NO_PERMISSION, "no permission", "--gpus all"),
        (MISMATCH, "different versions", "reboot"),
        (17, "NVML error: ", "nvidia-smi"),
    ],
)
def test_a_driver_that_does_not_start_is_listed_with_its_remedy(
    nvml_here, clock, error, reason, remedy
):
    nvml_here.write_state(A100, init_error=error)
    discovery = find_nvml(clock, {})
    assert not discovery.meters
    (unavailable,) = discovery.unavailable
    assert reason in unavailable.reason
    assert remedy in unavailable.remedy
    # Without a device on the bus, a driver that is not loaded has nothing to measure.
    assert bool(discovery.lacking) == (error != DRIVER_NOT_LOADED)


def test_a_driver_that_is_not_loaded_leaves_out_a_card_on_the_bus(nvml_here, clock, tmp_path):
    vendor = tmp_path / "sys/bus/pci/devices/0000:01:00.0/vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x10de\n")
    nvml_here.write_state(A100, init_error=DRIVER_NOT_LOADED)
    assert "modprobe" in find_nvml(clock, {}, root=tmp_path).lacking["gpu"]


def test_a_card_lost_before_the_run_is_listed_and_the_other_read(nvml_here, clock):
    nvml_here.write_state(A100 | {"error": LOST}, SECOND)
    discovery = find_nvml(clock, {})
    assert domains(discovery) == ["gpu:1"]
    assert list(discovery.lacking) == ["gpu:0"]
    close(discovery)


def test_a_card_that_knows_neither_energy_nor_power(nvml_here, clock):
    nvml_here.write_state({"uuid": "GPU-1", "name": "NVIDIA GeForce GT 630"})
    discovery = find_nvml(clock, {})
    assert not discovery.meters
    assert list(discovery.lacking) == ["gpu:0"]


def test_a_driver_without_cards(nvml_here, clock):
    discovery = find_nvml(clock, {})
    assert [u.domain for u in discovery.unavailable] == ["gpu (nvidia)"]


def test_without_a_driver_a_card_on_the_pci_bus_is_unavailable(
    nvml_here, clock, tmp_path, monkeypatch
):
    monkeypatch.delenv("FAKE_NVML_STATE")
    (plain,) = find_nvml(clock, {}, root=tmp_path).unavailable
    assert plain.domain == "gpu (nvidia)"
    assert plain.remedy == ""
    vendor = tmp_path / "sys/bus/pci/devices/0000:01:00.0/vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x10de\n")
    (missing,) = find_nvml(clock, {}, root=tmp_path).unavailable
    assert "libnvidia-ml.so.1" in missing.reason
    assert "nvidia-driver" in missing.remedy
    # A container sees the bus of its host, and the device file of its own cards.
    assert not missing.is_lacking
    assert find_nvml(clock, {}, "machine", root=tmp_path).lacking
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    assert find_nvml(clock, {}, root=tmp_path).lacking


def test_nvml_is_shut_down_as_often_as_it_was_initialized(nvml_here, clock):
    nvml_here.write_state(A100, SECOND, {"uuid": "GPU-x", "name": "mute"})
    assert nvml_here.references() == 0
    discovery = find_nvml(clock, {})
    assert nvml_here.references() == 2
    close(discovery)
    close(discovery)
    assert nvml_here.references() == 0


def test_nvml_shut_down_by_other_code_is_a_lost_meter(nvml_here, clock):
    import pynvml

    nvml_here.write_state(A100)
    (meter,) = find_nvml(clock, {}).meters
    pynvml.nvmlShutdown()
    with pytest.raises(MeterLostError, match="NVML"):
        meter.read()
    meter.close()


LIVE = """
import json, time
from joulecast.meters.nvml_discovery import find_nvml
(meter,) = find_nvml(time.monotonic, {}).meters
first = meter.read()
time.sleep(0.5)
last = meter.read()
print(json.dumps([last.value - first.value, last.t_s - first.t_s]))
"""


def test_a_new_process_loads_the_library_and_measures_watts(fake_nvml):
    fake_nvml.write_state(A100 | {"live_since": time.monotonic()})
    run = subprocess.run(
        [sys.executable, "-c", LIVE],
        env=os.environ | fake_nvml.env,
        capture_output=True,
        text=True,
        check=True,
    )
    energy_j, duration_s = json.loads(run.stdout)
    assert energy_j == pytest.approx(250.0 * duration_s, rel=0.05)
