import os
import socket
import tempfile
from pathlib import Path

import pytest

from fakes.powercap import RANGE_UJ, Powercap
from joulecast.errors import MeterLostError
from joulecast.estimate import Provenance
from joulecast.meters.base import ReadingKind
from joulecast.meters.rapl import find_rapl


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def by_domain(discovery):
    return {meter.source.domain: meter for meter in discovery.meters}


def test_two_packages_and_their_dram_and_nothing_twice(powercap, clock):
    powercap.server()
    powercap.zone("intel-rapl-mmio:0", "package-0")
    meters = by_domain(find_rapl(clock, powercap.root, cpu="Intel Xeon Gold 6148"))
    assert list(meters) == ["cpu:0", "cpu:1", "dram:0", "dram:1"]
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 120.0)
    powercap.advance("intel-rapl:1", 80.5)
    powercap.advance("intel-rapl:0:0", 70.0)  # core: inside the package
    powercap.advance("intel-rapl:0:1", 9.0)
    powercap.advance("intel-rapl:1:1", 7.0)
    powercap.advance("intel-rapl:2", 400.0)  # psys: holds all of them
    powercap.advance("intel-rapl-mmio:0", 120.0)
    values = {domain: meter.read().value for domain, meter in meters.items()}
    assert values == pytest.approx({"cpu:0": 120.0, "cpu:1": 80.5, "dram:0": 9.0, "dram:1": 7.0})


def test_fields_of_a_reading(powercap, clock):
    powercap.server()
    meter = by_domain(find_rapl(clock, powercap.root, cpu="Intel Xeon Gold 6148"))["cpu:0"]
    assert meter.source.kind is ReadingKind.COUNTER
    assert meter.source.provenance is Provenance.MEASURED
    assert meter.source.device == "Intel Xeon Gold 6148"
    clock.now += 2.0
    powercap.advance("intel-rapl:0", 100.0)
    reading = meter.read()
    assert reading.t_s == clock.now
    assert reading.held_s == pytest.approx(2.0)
    assert (reading.low, reading.high) == pytest.approx((95.0, 105.0))


def test_a_wrap_in_mid_run(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0", uj=RANGE_UJ - 30_000_000)
    (meter,) = find_rapl(clock, powercap.root).meters
    total = 0.0
    for _ in range(10):
        clock.now += 0.1
        powercap.advance("intel-rapl:0", 12.5)
        total += 12.5
        assert meter.read().value == pytest.approx(total)
    assert powercap.get("intel-rapl:0") < RANGE_UJ / 2, "it did wrap"
    assert meter.note() is None


def test_a_reset_is_noted_and_invents_nothing(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0", uj=50_000_000)
    (meter,) = find_rapl(clock, powercap.root).meters
    clock.now += 1.0
    powercap.set("intel-rapl:0", 1_000)
    assert meter.read().value == 0.0
    assert "reset" in meter.note()
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 42.0)
    assert meter.read().value == pytest.approx(42.0)


def test_a_counter_that_becomes_unreadable_is_lost_and_the_others_go_on(powercap, clock):
    powercap.server()
    meters = by_domain(find_rapl(clock, powercap.root))
    powercap.lose("intel-rapl:1")
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 10.0)
    with pytest.raises(MeterLostError, match=r"intel-rapl:1/energy_uj"):
        meters["cpu:1"].read()
    assert meters["cpu:0"].read().value == pytest.approx(10.0)


def test_a_counter_that_stands_still_is_lost(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    powercap.zone("intel-rapl:0:0", "dram")
    cpu, dram = find_rapl(clock, powercap.root).meters
    clock.now += 1.5
    powercap.advance("intel-rapl:0", 10.0)
    assert (cpu.read().value, dram.read().value) == (pytest.approx(10.0), 0.0)
    clock.now += 0.5
    assert dram.read().value == 0.0
    clock.now += 1.0
    assert cpu.read().value == pytest.approx(10.0)
    with pytest.raises(MeterLostError, match=r"intel-rapl:0:0/energy_uj"):
        dram.read()
    powercap.advance("intel-rapl:0", 5.0)
    clock.now += 3.0
    assert cpu.read().value == pytest.approx(15.0)


def test_a_zone_that_is_removed_is_lost_though_its_file_was_open(powercap, clock):
    powercap.server()
    meter = by_domain(find_rapl(clock, powercap.root))["cpu:0"]
    powercap.remove("intel-rapl:0")
    with pytest.raises(MeterLostError, match=r"intel-rapl:0/energy_uj"):
        meter.read()


def test_a_replaced_zone_is_opened_again(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0", uj=50_000_000)
    (meter,) = find_rapl(clock, powercap.root).meters
    # Both files exist at once, so that the second cannot take the first one's inode number.
    new = powercap.root / "new"
    new.write_text("60000000\n")
    new.replace(powercap.root / "intel-rapl:0" / "energy_uj")
    clock.now += 1.0
    assert meter.read().value == pytest.approx(10.0)


def test_dies_of_one_package_are_one_domain(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0-die-0")
    powercap.zone("intel-rapl:1", "package-0-die-1")
    (meter,) = find_rapl(clock, powercap.root).meters
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 3.0)
    powercap.advance("intel-rapl:1", 4.0)
    assert meter.source.domain == "cpu:0"
    assert meter.read().value == pytest.approx(7.0)


def test_zones_are_numbered_by_package_not_by_directory(powercap, clock):
    powercap.zone("intel-rapl:0", "psys")
    powercap.zone("intel-rapl:1", "package-0")
    powercap.zone("intel-rapl:10", "package-9")
    powercap.zone("intel-rapl:10:0", "dram")
    assert list(by_domain(find_rapl(clock, powercap.root))) == ["cpu:0", "cpu:9", "dram:9"]


def test_amd_is_less_certain_than_intel(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    (amd,) = find_rapl(clock, powercap.root, cpu="AMD EPYC 7763").meters
    (intel,) = find_rapl(clock, powercap.root, cpu="Intel Xeon").meters
    assert amd.source.uncertainty.high > intel.source.uncertainty.high
    assert "Schöne" in amd.source.uncertainty.origin
    # Intel's error is mostly one scale for all loads; AMD's depends on the load.
    assert 0 < intel.source.uncertainty.own < 0.5 * intel.source.uncertainty.high
    assert amd.source.uncertainty.own is None


def test_no_interface_and_a_virtual_machine(tmp_path, clock):
    (missing,) = find_rapl(clock, tmp_path / "none").unavailable
    assert missing.remedy == "sudo modprobe intel_rapl_msr"
    (vm,) = find_rapl(clock, tmp_path / "none", is_vm=True).unavailable
    assert vm.remedy == ""
    assert "modelled instead" in vm.reason


def test_a_zone_unreadable_from_the_start_is_listed(powercap, clock):
    powercap.server()
    powercap.lose("intel-rapl:0:1")
    discovery = find_rapl(clock, powercap.root)
    assert list(by_domain(discovery)) == ["cpu:0", "cpu:1", "dram:1"]
    (unavailable,) = discovery.unavailable
    assert unavailable.domain == "dram:0"
    assert unavailable.reason.count("cannot be read") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_permission_the_remedy_is_exact(clock):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        powercap = Powercap(Path(folder) / "powercap")
        powercap.zone("intel-rapl:0", "package-0")
        (powercap.root / "intel-rapl:0" / "energy_uj").chmod(0o400)
        os.seteuid(65534)
        try:
            discovery = find_rapl(clock, powercap.root)
        finally:
            os.seteuid(0)
    (unavailable,) = discovery.unavailable
    assert unavailable.domain == "cpu:0"
    assert "root only" in unavailable.reason
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj" in unavailable.remedy
    assert 'KERNEL=="intel-rapl:*"' in unavailable.remedy


@pytest.mark.parametrize("lost", ["intel-rapl:0", "intel-rapl:0:0"])
def test_a_domain_unreadable_under_one_name_is_read_under_the_other(powercap, clock, lost):
    for control in ("intel-rapl", "intel-rapl-mmio"):
        powercap.zone(f"{control}:0", "package-0")
        powercap.zone(f"{control}:0:0", "dram")
    powercap.lose(lost)
    discovery = find_rapl(clock, powercap.root)
    assert discovery.unavailable == []
    clock.now += 1.0
    other = lost.replace("rapl", "rapl-mmio")
    powercap.advance(other, 25.5)
    read = {domain: meter.read().value for domain, meter in by_domain(discovery).items()}
    domain = "cpu:0" if lost == "intel-rapl:0" else "dram:0"
    assert read == pytest.approx({"cpu:0": 0, "dram:0": 0} | {domain: 25.5})


def test_a_package_with_one_unreadable_die_is_not_half_measured(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0-die-0")
    powercap.zone("intel-rapl:1", "package-0-die-1")
    powercap.lose("intel-rapl:1")
    before = open_files()
    discovery = find_rapl(clock, powercap.root)
    assert discovery.meters == []
    assert [u.domain for u in discovery.unavailable] == ["cpu:0"]
    assert open_files() == before


def test_unreadable_under_both_names_the_first_is_the_reason(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    powercap.zone("intel-rapl-mmio:0", "package-0")
    powercap.lose("intel-rapl:0")
    powercap.lose("intel-rapl-mmio:0")
    (unavailable,) = find_rapl(clock, powercap.root).unavailable
    assert unavailable.domain == "cpu:0"


def test_closing_twice_gives_the_file_back(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    before = open_files()
    (meter,) = find_rapl(clock, powercap.root).meters
    assert open_files() == before + 1
    meter.close()
    meter.close()
    assert open_files() == before


def test_bounds_of_each_kind_of_domain(powercap, clock):
    powercap.zone("intel-rapl:3", "package-1")
    powercap.zone("intel-rapl:3:0", "dram")
    bounds = {}
    for cpu in ("Intel Xeon", "AMD EPYC 7763"):
        meters = by_domain(find_rapl(clock, powercap.root, cpu=cpu))
        clock.now += 1.0
        powercap.advance("intel-rapl:3", 100.0)
        powercap.advance("intel-rapl:3:0", 100.0)
        for domain, meter in meters.items():
            assert meter.source.update_period_s == 0.001
            reading = meter.read()
            bounds[cpu[:5], domain] = (round(reading.low, 6), round(reading.high, 6))
    assert bounds == {
        ("Intel", "cpu:1"): (95, 105),
        ("Intel", "dram:1"): (80, 120),
        ("AMD E", "cpu:1"): (90, 110),
        ("AMD E", "dram:1"): (80, 120),
    }
    assert meters["dram:1"].source.device == "memory of package 1"
    assert meters["cpu:1"].source.device == "AMD EPYC 7763"
    intel = by_domain(find_rapl(clock, powercap.root))["cpu:1"].source.uncertainty
    assert intel.own == 0.01


@pytest.mark.parametrize("range_uj", [None, 0])
def test_without_a_range_a_fall_is_a_reset(powercap, clock, range_uj):
    powercap.zone("intel-rapl:0", "package-0", uj=1_000_000, range_uj=range_uj)
    (meter,) = find_rapl(clock, powercap.root).meters
    clock.now += 1.0
    powercap.set("intel-rapl:0", 999_000)
    assert meter.read().value == 0.0
    assert "reset" in meter.note()


def test_the_step_within_one_update_may_be_late(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0", uj=0)
    (meter,) = find_rapl(clock, powercap.root).meters
    # 5 kW for the millisecond of an update, and a microjoule more than that.
    powercap.set("intel-rapl:0", 5_000_000)
    assert meter.read().value == pytest.approx(5.0)
    powercap.set("intel-rapl:0", 10_000_001)
    assert meter.read().value == pytest.approx(5.0)


def test_resets_of_two_dies_are_one_note(powercap, clock):
    for n in (0, 1):
        powercap.zone(f"intel-rapl:{n}", f"package-0-die-{n}", uj=50_000_000)
    (meter,) = find_rapl(clock, powercap.root).meters
    clock.now += 1.0
    for n in (0, 1):
        powercap.set(f"intel-rapl:{n}", n + 1)
    assert meter.read().value == 0.0
    assert meter.note().count("reset") == 2
    assert meter.note() is None


def test_a_counter_that_is_no_number_is_lost(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    (meter,) = find_rapl(clock, powercap.root).meters
    (powercap.root / "intel-rapl:0" / "energy_uj").write_text("many\n")
    with pytest.raises(MeterLostError, match="not a number"):
        meter.read()
    (unavailable,) = find_rapl(clock, powercap.root).unavailable
    assert "not a number" in unavailable.reason


def test_a_lost_counter_states_the_reason_of_the_system(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    (meter,) = find_rapl(clock, powercap.root).meters
    powercap.remove("intel-rapl:0")
    with pytest.raises(MeterLostError, match="No such file"):
        meter.read()
    powercap.zone("intel-rapl:1", "package-0")
    powercap.lose("intel-rapl:1")
    (unavailable,) = find_rapl(clock, powercap.root).unavailable
    assert unavailable.reason.startswith("its counter ")
    assert unavailable.reason.endswith("Is a directory")
    assert unavailable.remedy == ""


def test_reopening_keeps_one_file_and_a_failure_none(powercap, clock):
    powercap.zone("intel-rapl:0", "package-0")
    path = powercap.root / "intel-rapl:0" / "energy_uj"
    before = open_files()
    (meter,) = find_rapl(clock, powercap.root).meters
    new = powercap.root / "new"
    new.write_text("1000000\n")
    new.replace(path)
    meter.read()
    meter.read()
    assert open_files() == before + 1
    # A socket can be examined, and not opened.
    path.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/energy_uj")
    os.close(folder)
    with pytest.raises(MeterLostError):
        meter.read()
    assert open_files() == before
    meter.close()


def test_memory_without_its_package_belongs_to_the_first(powercap, clock):
    powercap.zone("intel-rapl:4:1", "dram")
    discovery = find_rapl(clock, powercap.root)
    assert list(by_domain(discovery)) == ["dram:0"]
    (missing,) = discovery.unavailable
    assert (missing.domain, missing.source) == ("cpu:0", "RAPL")
    assert missing.remedy == "sudo modprobe intel_rapl_msr"
    assert missing.reason.startswith("no RAPL package zone")


def test_why_there_is_no_counter(powercap, clock, tmp_path):
    (empty,) = find_rapl(clock, powercap.root).unavailable
    assert empty.reason.startswith("no RAPL package zone")
    (missing,) = find_rapl(clock, tmp_path / "none").unavailable
    assert missing.reason.startswith("this kernel has no powercap")
    powercap.zone("intel-rapl:0", "package-0")
    assert find_rapl(clock, powercap.root).unavailable == []


def test_a_time_of_opening_that_is_not_zero(powercap, clock):
    clock.now = 1000.0
    powercap.zone("intel-rapl:0", "package-0", uj=7_000_000)
    (meter,) = find_rapl(clock, powercap.root).meters
    assert meter.read().value == 0.0
    clock.now += 1.0
    powercap.advance("intel-rapl:0", 4999.0)
    assert meter.read().value == pytest.approx(4999.0)
    assert meter.note() is None
