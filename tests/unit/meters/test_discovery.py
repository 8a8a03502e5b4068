"""Everything together, on machines made of files and of the driver library written in C."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from fakes.nvml import A100
from joulecast.estimate import Provenance
from joulecast.hardware.detect.cpu import DetectedCpu
from joulecast.hardware.detect.gpu import DetectedGpu
from joulecast.hardware.detect.host import Host
from joulecast.hardware.detect.machine import Machine
from joulecast.hardware.environment import Environment
from joulecast.meters.cpu_model import cpu_model_meter
from joulecast.meters.cpu_time import CpuTime
from joulecast.meters.discovery import discover, own_pids

SERVER = Environment(
    host=Host(ram_bytes=64 * 10**9),
    machine=Machine(virtual=False),
    cpu=DetectedCpu(
        name="Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", vendor="Intel", sockets=2, threads=80
    ),
)


class Proc:
    """/proc with a machine's CPU times and one process, which a test moves on by hand."""

    def __init__(self, root, pid=4242):
        self.path, self.pid = root / "proc", pid
        (self.path / str(pid)).mkdir(parents=True)
        self.busy = self.idle = self.own = 0
        self.advance(0, 0, 0)

    def advance(self, busy, idle, own):
        """Ticks (10 ms) in which the machine was busy and idle, and the process its own."""
        self.busy, self.idle, self.own = self.busy + busy, self.idle + idle, self.own + own
        (self.path / "stat").write_text(f"cpu {self.busy} 0 0 {self.idle} 0 0 0 0\n")
        fields = ["S", "1", *"000000000", str(self.own), *"0000", "0", "1", "0", "7", "0", "1000"]
        fields[11] = str(self.own)
        (self.path / str(self.pid) / "stat").write_text(f"{self.pid} (train) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path):
    return Proc(tmp_path)


@pytest.fixture
def run_discovery(tmp_path, clock, proc):
    """Discover on the machine under tmp_path, and closes its meters at the end."""
    opened = []

    def run_discovery(scope="process", env=None, environment=SERVER):
        pid = proc.pid if scope == "process" else None
        discovery = discover(
            scope,
            clock,
            env or {},
            tmp_path,
            cpu_time=CpuTime(clock, pid, proc.path),
            environment=environment,
        )
        opened.extend(discovery.meters)
        return discovery

    yield run_discovery
    for meter in opened:
        meter.close()


def by_domain(discovery):
    return {meter.source.domain: meter for meter in discovery.meters}


def test_a_server_with_everything(run_discovery, powercap, nvml_here, clock):
    powercap.server()
    nvml_here.write_state(A100, A100 | {"uuid": "GPU-2", "energy_mj": None})
    discovery = run_discovery("machine")
    meters = by_domain(discovery)
    assert sorted(meters) == ["cpu:0", "cpu:1", "dram:0", "dram:1", "gpu:0", "gpu:1"]
    assert {m.source.provenance for m in discovery.meters} == {Provenance.MEASURED}
    assert not discovery.unavailable
    for meter in discovery.meters:
        meter.read()
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 100.0)
    nvml_here.update(0, energy_mj=1_300_000)
    assert meters["cpu:0"].read().value == pytest.approx(100.0)
    assert meters["gpu:0"].read().value == pytest.approx(300.0)


def test_in_process_scope_the_package_is_split_and_the_gpus_are_the_visible_ones(
    run_discovery, powercap, nvml_here, clock, proc
):
    powercap.server()
    nvml_here.write_state(A100, A100 | {"uuid": "GPU-2"})
    discovery = run_discovery("process", env={"CUDA_VISIBLE_DEVICES": "1"})
    meters = by_domain(discovery)
    assert sorted(meters) == ["cpu:0", "cpu:1", "dram:0", "dram:1", "gpu:1"]
    assert meters["cpu:0"].source.provenance is Provenance.MODELLED
    assert meters["gpu:1"].source.provenance is Provenance.MEASURED
    for meter in discovery.meters:
        meter.read()
    clock.now += 1.0
    proc.advance(busy=200, idle=200, own=50)
    powercap.advance("intel-rapl:0", 100.0)
    assert meters["cpu:0"].read().value == pytest.approx(25.0)


@pytest.mark.parametrize("scope", ["process", "machine"])
def test_beside_a_module_neither_processor_nor_memory_is_counted(
    run_discovery, powercap, nvml_here, scope
):
    powercap.server()
    nvml_here.write_state(A100 | {"name": "NVIDIA GH200 480GB"})
    discovery = run_discovery(scope)
    assert list(by_domain(discovery)) == ["module:0"]
    assert not discovery.lacking


@pytest.mark.parametrize("scope", ["process", "machine"])
def test_beside_the_gpu_of_a_superchip_they_are(run_discovery, powercap, nvml_here, scope):
    powercap.server()
    nvml_here.write_state(A100 | {"name": "NVIDIA GH200 480GB", "instant_mw": 300_000})
    expected = ["cpu:0", "cpu:1", "dram:0", "dram:1", "gpu:0"]
    assert sorted(by_domain(run_discovery(scope))) == expected


def test_every_gap_is_named_with_its_reason(run_discovery, powercap):
    powercap.zone("intel-rapl:0", "package-0")
    discovery = run_discovery("machine")
    meters = by_domain(discovery)
    assert sorted(meters) == ["cpu:0", "dram:0"]
    assert meters["dram:0"].source.provenance is Provenance.ASSUMED
    reasons = {u.domain: u.reason for u in discovery.unavailable}
    assert reasons["gpu (nvidia)"] and reasons["dram:0"]


def test_amd_cards_are_numbered_after_nvidias(run_discovery, nvml_here, tmp_path):
    nvml_here.write_state(A100)
    hwmon = tmp_path / "sys/class/drm/card0/device/hwmon/hwmon1"
    hwmon.mkdir(parents=True)
    (hwmon.parents[1] / "vendor").write_text("0x1002\n")
    (hwmon / "power1_average").write_text("45000000\n")
    (hwmon / "power1_cap").write_text("1\n")
    both = Environment(
        gpus=(DetectedGpu(0, "NVIDIA"), DetectedGpu(0, "AMD")), host=SERVER.host, cpu=SERVER.cpu
    )
    meters = by_domain(run_discovery("machine", environment=both))
    assert meters["gpu:0"].source.device == "NVIDIA A100-SXM4-80GB"
    assert meters["gpu:1"].read().value == pytest.approx(45.0)


def test_without_a_counter_the_processor_is_modelled(run_discovery, clock, proc):
    guest = replace(SERVER, machine=Machine(virtual=True), cpu=replace(SERVER.cpu, threads=2))
    discovery = run_discovery("machine", environment=guest)
    meter = by_domain(discovery)["cpu:0"]
    assert meter.source.provenance is Provenance.MODELLED
    (rapl,) = (u for u in discovery.unavailable if u.source == "RAPL")
    assert "virtual machine" in rapl.reason
    meter.read()
    clock.now += 1.0
    proc.advance(busy=200, idle=0, own=0)
    # 2 of the 40 threads of a 150 W package, working
    assert 3.0 < meter.read().value < 15.0


def test_in_process_scope_the_model_is_split_too(run_discovery, clock, proc):
    both = {
        s: by_domain(run_discovery(s, environment=SERVER))["cpu:0"] for s in ("machine", "process")
    }
    for meter in both.values():
        meter.read()
    clock.now += 1.0
    proc.advance(busy=200, idle=200, own=50)
    joules = {scope: meter.read().value for scope, meter in both.items()}
    assert joules["process"] == pytest.approx(joules["machine"] / 4)


def test_an_empty_environment_leaves_a_modelled_cpu(run_discovery):
    discovery = run_discovery("process", environment=Environment())
    assert [m.source.domain for m in discovery.meters] == ["cpu:0"]
    assert "dram:0" in {u.domain for u in discovery.unavailable}


def test_the_environment_is_detected_by_default(run_discovery):
    assert [m.source.domain for m in run_discovery("process", environment=None).meters] == ["cpu:0"]


def test_an_unexpected_error_of_a_driver_is_listed(run_discovery, nvml_here):
    nvml_here.write_state(A100)
    discovery = run_discovery(
        "process", env={"CUDA_VISIBLE_DEVICES": None}
    )  # no string: the code fails on it
    (failed,) = (u for u in discovery.unavailable if "gpu" in u.domain)
    assert "AttributeError" in failed.reason


def trace(tmp_path):
    path = tmp_path / "a:b.csv"
    path.write_text("t_s,power_w\n0,100\n10,200\n")
    return path


@pytest.mark.parametrize(
    ("suffix", "domain", "after_5_s"),
    [("", "gpu:0", 150.0), (":node", "node", 150.0), (":gpu:3:0.5", "gpu:3", 125.0)],
)
def test_a_replay_takes_the_place_of_all_sensors(
    run_discovery, clock, tmp_path, suffix, domain, after_5_s
):
    discovery = run_discovery(env={"JOULECAST_REPLAY": f"{trace(tmp_path)}{suffix}"})
    (meter,) = discovery.meters
    assert meter.source.domain == domain
    clock.now += 5.0
    assert meter.read().value == pytest.approx(after_5_s)


def test_a_missing_trace_is_listed(run_discovery):
    discovery = run_discovery(env={"JOULECAST_REPLAY": "absent.csv"})
    assert not discovery.meters
    assert "absent.csv: " in discovery.unavailable[0].reason


def test_own_pids_are_this_process_and_its_children():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert {os.getpid(), child.pid} <= own_pids()
    finally:
        child.communicate(b"\n")


def test_a_package_that_cannot_be_read_is_modelled_beside_the_other(
    run_discovery, powercap, proc, clock
):
    powercap.server()
    powercap.lose("intel-rapl:1")
    discovery = run_discovery("machine")
    meters = by_domain(discovery)
    assert set(meters) == {"cpu:0", "cpu:1", "dram:0", "dram:1"}
    assert meters["cpu:0"].source.provenance is Provenance.MEASURED
    assert meters["cpu:1"].source.provenance is Provenance.MODELLED
    assert [w.partition(" ")[0] for w in discovery.warnings] == ["cpu:1"]
    assert discovery.lacking == {}
    # One package of two: its energy at full load is half of that of a machine without counters.
    whole = cpu_model_meter(CpuTime(clock, None, proc.path), SERVER.cpu, scope="machine")
    for meter in (whole, meters["cpu:1"]):
        meter.read()
    clock.now += 1.0
    proc.advance(8000, 0, 0)
    assert meters["cpu:1"].read().value == pytest.approx(whole.read().value / 2)


def test_all_packages_unreadable_are_all_modelled(run_discovery, powercap):
    powercap.server()
    for zone in ("intel-rapl:0", "intel-rapl:1"):
        powercap.lose(zone)
    discovery = run_discovery("machine")
    cpus = [m for d, m in by_domain(discovery).items() if d.startswith("cpu:")]
    assert [m.source.domain for m in cpus] == ["cpu:0", "cpu:1"]
    assert all("2 packages" not in m.source.source for m in cpus)
    assert discovery.lacking == {} and discovery.warnings == []


def test_memory_of_one_package_is_its_part_of_all(run_discovery, powercap, clock):
    powercap.server()
    powercap.lose("intel-rapl:1:1")
    meter = by_domain(run_discovery("machine"))["dram:1"]
    assert meter.source.provenance is Provenance.ASSUMED
    meter.read()
    clock.now += 10.0
    assert meter.read().value == pytest.approx(32 * 0.3725 * 10)


def test_what_can_neither_be_read_nor_modelled_is_lacking(run_discovery, powercap):
    powercap.server()
    powercap.lose("intel-rapl:1:1")
    unknown = replace(SERVER, host=Host(ram_bytes=None))
    assert run_discovery("machine", environment=unknown).lacking.keys() == {"dram:1"}


@pytest.mark.parametrize(("virtual", "watts"), [(False, 8 * 3.0), (True, 64 * 0.3725)])
def test_memory_by_its_modules_but_not_those_of_a_guest(run_discovery, clock, virtual, watts):
    host = Host(ram_bytes=64 * 10**9, memory_modules=8)
    machine = replace(SERVER, host=host, machine=Machine(virtual=virtual))
    meter = by_domain(run_discovery("machine", environment=machine))["dram:0"]
    meter.read()
    clock.now += 10.0
    assert meter.read().value == pytest.approx(watts * 10)
