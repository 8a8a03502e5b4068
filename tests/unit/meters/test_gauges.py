"""Gauges by the real nvidia-ml-py, by sysfs, by what stands in for amdsmi; and of CPU time."""

import os

import pytest

from fakes.nvml import A100
from joulecast.errors import MeterLostError
from joulecast.meters.amd import find_amd
from joulecast.meters.base import ReadingKind
from joulecast.meters.cpu_time import NOT_STARTED, CpuSample, CpuTime
from joulecast.meters.gauges import find_gauges
from joulecast.meters.nvml_discovery import find_nvml

NO_PERMISSION, NOT_SUPPORTED, LOST = 4, 3, 15
MIB = 2**20


class Tree:
    """A process tree as `CpuTime` reports it."""

    def __init__(self, clock, pids=()):
        self.clock, self.pids, self.used_s, self.rss = clock, pids, 5.0, 0

    def members(self):
        return frozenset(self.pids)

    def sample(self):
        return CpuSample(self.clock(), 100.0 + self.used_s, 400.0, self.used_s, self.rss)


def gauges_of(clock, scope="process", pids=()):
    meters = find_nvml(clock, env={}, scope=scope).meters
    gauges = find_gauges(scope, clock, Tree(clock, pids), meters)
    return meters, gauges, {gauge.source.domain: gauge for gauge in gauges.open}


def close(meters, gauges):
    for one in [*gauges.open, *meters]:
        one.close()


def test_gauges_of_a_gpu_are_utilization_memory_and_temperature(nvml_here, clock):
    nvml_here.write_state(A100)
    meters, gauges, by_name = gauges_of(clock, scope="machine")
    assert list(by_name) == [
        "gpu:0/utilization_pct",
        "gpu:0/memory_bytes",
        "gpu:0/temperature_c",
        "cpu/utilization_pct",
        "memory_bytes",
    ]
    clock.now += 1
    values = [by_name[name].read().value for name in list(by_name)[:3]]
    assert values == [87.0, 4096 * MIB, 61.0]
    sources = [by_name[name].source for name in list(by_name)[:3]]
    assert [s.unit for s in sources] == ["%", "B", "°C"]
    assert {s.device for s in sources} == {"NVIDIA A100-SXM4-80GB"}
    assert sources[1].source == "NVML, of the whole device"
    assert not gauges.missing
    close(meters, gauges)


def test_every_reference_to_the_driver_is_given_back(nvml_here, clock):
    nvml_here.write_state(A100, A100 | {"uuid": "GPU-2"})
    before = nvml_here.references()
    meters, gauges, _ = gauges_of(clock)
    assert nvml_here.references() > before
    close(meters, gauges)
    close(meters, gauges)
    assert nvml_here.references() == before


def test_memory_of_the_run_is_that_of_its_own_processes(nvml_here, clock):
    nvml_here.write_state(A100 | {"pids": [71, 72, 999], "pid_mib": 512})
    meters, gauges, by_name = gauges_of(clock, pids=(70, 71, 72))
    assert by_name["gpu:0/memory_bytes"].read().value == 2 * 512 * MIB
    assert by_name["gpu:0/device_memory_bytes"].read().value == 4096 * MIB
    close(meters, gauges)


@pytest.mark.parametrize("card", [{"pids": [999], "pid_mib": 512}, {"pids": [71]}, {}])
def test_missing_memory_of_the_run_is_none(nvml_here, clock, card):
    nvml_here.write_state(A100 | card)  # others' processes, no figure for them, none at all
    meters, gauges, by_name = gauges_of(clock, pids=(70, 71))
    assert by_name["gpu:0/memory_bytes"].read() is None
    close(meters, gauges)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"temperature": None}, "the driver does not report it for this card"),
        ({"temperature_error": NO_PERMISSION}, "no permission to talk to the NVIDIA driver"),
        ({"temperature_error": 999}, "the driver has failed"),
        ({"temperature_error": 17}, "NVML error"),
    ],
)
def test_a_gauge_that_cannot_be_read_has_its_reason_and_spares_the_others(
    nvml_here, clock, answer, why
):
    nvml_here.write_state(A100 | answer)
    meters, gauges, by_name = gauges_of(clock)
    (missing,) = gauges.missing
    assert missing.domain == "gpu:0/temperature_c"
    assert why in missing.reason
    assert by_name["gpu:0/utilization_pct"].read().value == 87
    assert missing in gauges.sources
    close(meters, gauges)


def test_a_card_lost_in_mid_run_is_lost_to_all_its_gauges(nvml_here, clock):
    nvml_here.write_state(A100, A100 | {"uuid": "GPU-2"})
    meters, gauges, by_name = gauges_of(clock)
    nvml_here.update(1, error=LOST)
    for name, gauge in by_name.items():
        if name.startswith("gpu:1/"):
            with pytest.raises(MeterLostError, match="off the bus"):
                gauge.read()
    assert by_name["gpu:0/temperature_c"].read().value == 61
    close(meters, gauges)


def amd_card(root, **files):
    device = root / "sys/class/drm/card0/device"
    hwmon = device / "hwmon/hwmon3"
    hwmon.mkdir(parents=True)
    (device / "vendor").write_text("0x1002\n")
    for name in ("power1_average", "power1_cap"):
        (hwmon / name).write_text("90000000\n")
    for name, text in files.items():
        (hwmon if name.startswith("temp") else device).joinpath(name).write_text(f"{text}\n")
    return device, hwmon


def test_an_amd_card_by_the_kernel(tmp_path, clock):
    device, hwmon = amd_card(
        tmp_path, gpu_busy_percent=73, mem_info_vram_used=5_000_000_000, temp1_input=58_500
    )
    meters = find_amd(clock, {}, root=tmp_path).meters
    gauges = find_gauges("process", clock, Tree(clock), meters)
    by_name = {gauge.source.domain: gauge for gauge in gauges.open}
    readings = {name: g.read().value for name, g in by_name.items() if name.startswith("gpu")}
    assert readings == pytest.approx(
        {"gpu:0/utilization_pct": 73, "gpu:0/memory_bytes": 5e9, "gpu:0/temperature_c": 58.5}
    )
    (hwmon / "temp1_input").unlink()
    with pytest.raises(MeterLostError, match="temp1_input"):
        by_name["gpu:0/temperature_c"].read()
    (device / "gpu_busy_percent").write_text("74\n")
    assert by_name["gpu:0/utilization_pct"].read().value == 74


def test_missing_gauges_of_an_amd_card_have_a_reason(tmp_path, clock):
    amd_card(tmp_path, gpu_busy_percent=73)
    meters = find_amd(clock, {}, root=tmp_path).meters
    gauges = find_gauges("process", clock, Tree(clock), meters)
    reasons = {source.domain: source.reason for source in gauges.missing}
    assert set(reasons) == {"gpu:0/memory_bytes", "gpu:0/temperature_c"}
    assert "FileNotFoundError" in reasons["gpu:0/memory_bytes"]


class Smi:
    """amdsmi of one card as of version 7: some have no sensor at the edge of the die."""

    class AmdSmiTemperatureType:
        EDGE, HOTSPOT = "edge", "hotspot"

    class AmdSmiTemperatureMetric:
        CURRENT = "current"

    def amdsmi_init(self): ...

    def amdsmi_shut_down(self): ...

    def amdsmi_get_processor_handles(self):
        return [0]

    def amdsmi_get_gpu_enumeration_info(self, handle):
        return {"hip_uuid": "GPU-0"}

    def amdsmi_get_gpu_asic_info(self, handle):
        return {"market_name": "AMD Instinct MI300X"}

    def amdsmi_get_energy_count(self, handle):
        return {"energy_accumulator": 10**7, "counter_resolution": 15.3}

    def amdsmi_get_gpu_activity(self, handle):
        return {"gfx_activity": 91, "umc_activity": 40, "mm_activity": "N/A"}

    def amdsmi_get_gpu_vram_usage(self, handle):
        return {"vram_total": 196_592, "vram_used": 283}

    def amdsmi_get_temp_metric(self, handle, kind, metric):
        if (kind, metric) != ("hotspot", "current"):
            raise RuntimeError("AMDSMI_STATUS_NOT_SUPPORTED")
        return 47


def test_an_amd_card_by_amdsmi(tmp_path, clock):
    meters = find_amd(clock, {}, root=tmp_path, amdsmi=Smi()).meters
    gauges = find_gauges("process", clock, Tree(clock), meters)
    readings = {g.source.domain: g.read().value for g in gauges.open if "gpu" in g.source.domain}
    assert readings == {
        "gpu:0/utilization_pct": 91,
        "gpu:0/memory_bytes": 283 * MIB,
        "gpu:0/temperature_c": 47,
    }


def test_cpu_time_counts_from_the_first_reading(clock):
    tree = Tree(clock)
    (cpu, memory) = find_gauges("process", clock, tree, []).open
    assert cpu.source.kind is ReadingKind.COUNTER
    assert cpu.read().value == 0
    clock.now, tree.used_s = clock.now + 2, 5 + 3.0
    assert cpu.read().value == pytest.approx(100 * 3.0)  # percent x seconds
    assert memory.read() is None  # nothing of the tree lives: that is unknown, not 0
    tree.rss = 7 * MIB
    assert memory.read().value == 7 * MIB


def test_the_whole_machine(clock):
    gauges = find_gauges("machine", clock, CpuTime(clock, None), [])
    cpu, memory = gauges.open
    assert cpu.read().value == 0
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.read().value < total
    assert "machine" in cpu.source.source
    assert "machine" in memory.source.source


def test_the_members_of_a_tree(clock):
    own = CpuTime(clock, os.getpid())
    own.sample()
    assert os.getpid() in own.members()
    absent = CpuTime(clock, NOT_STARTED)
    absent.sample()
    assert not absent.members()
