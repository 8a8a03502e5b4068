"""hwmon on a tree on disk; amdsmi by a stand-in, since the real module needs its driver to load."""

import math

import pytest

from joulecast.errors import MeterLostError
from joulecast.meters.amd import find_amd
from joulecast.meters.base import ReadingKind


def card(root, number, microwatts, sensor="power1_average", cap=True, **files):
    device = root / f"sys/class/drm/card{number}/device"
    hwmon = device / "hwmon" / f"hwmon{number + 3}"
    hwmon.mkdir(parents=True)
    (device / "vendor").write_text("0x1002\n")
    (hwmon / sensor).write_text(f"{microwatts}\n")
    if cap:
        (hwmon / "power1_cap").write_text("300000000\n")
    for name, text in files.items():
        (device / name).write_text(text + "\n")
    return hwmon / sensor


class Smi:
    """Answers as amdsmi 7 does: per handle an accumulator (or None) and a power."""

    def __init__(self, *cards):
        self.cards = list(cards)  # dicts: count, watts
        self.is_open = False

    def amdsmi_init(self):
        self.is_open = True

    def amdsmi_shut_down(self):
        self.is_open = False

    def amdsmi_get_processor_handles(self):
        return list(range(len(self.cards)))

    def amdsmi_get_gpu_enumeration_info(self, handle):
        return {"hip_uuid": f"GPU-{handle:016x}"}

    def amdsmi_get_gpu_asic_info(self, handle):
        return {"market_name": "AMD Instinct MI250X"}

    def amdsmi_get_energy_count(self, handle):
        count = self.cards[handle].get("count")
        if count is None:
            raise RuntimeError("AMDSMI_STATUS_NOT_SUPPORTED")
        return {"energy_accumulator": count, "counter_resolution": 15.3, "timestamp": 1}

    def amdsmi_get_power_info(self, handle):
        watts = self.cards[handle].get("watts")
        if watts is None:
            raise RuntimeError("AMDSMI_STATUS_NOT_SUPPORTED")
        return {"socket_power": 0, "current_socket_power": "N/A", "average_socket_power": watts}


def test_the_accumulator_counts_in_its_own_unit(tmp_path, clock):
    smi = Smi({"count": 10_000_000}, {"count": None, "watts": 95})
    discovery = find_amd(clock, {}, root=tmp_path, amdsmi=smi)
    counter, power = discovery.meters
    assert (counter.source.kind, power.source.kind) == (ReadingKind.COUNTER, ReadingKind.POWER)
    assert counter.source.device == "AMD Instinct MI250X"
    clock.now += 1.0
    smi.cards[0]["count"] += 20_000_000
    assert counter.read().value == pytest.approx(20_000_000 * 15.3e-6)
    assert power.read().value == 95.0
    smi.cards[0]["count"] = 5
    counter.read()
    assert "reset" in counter.note()


def test_a_card_that_is_lost_and_the_library_given_back_once(tmp_path, clock):
    smi = Smi({"count": 1000}, {"count": 1000})
    discovery = find_amd(clock, {}, root=tmp_path, amdsmi=smi)
    del smi.cards[1]["count"]
    with pytest.raises(MeterLostError, match=r"gpu:1 .*AMDSMI_STATUS_NOT_SUPPORTED"):
        discovery.meters[1].read()
    discovery.meters[1].close()
    discovery.meters[1].close()
    assert smi.is_open
    discovery.meters[0].close()
    assert not smi.is_open


@pytest.mark.parametrize("count", [0, 2**64 - 1])
def test_an_accumulator_that_is_none_gives_way_to_the_power(tmp_path, clock, count):
    discovery = find_amd(clock, {}, root=tmp_path, amdsmi=Smi({"count": count, "watts": 40}))
    assert discovery.meters[0].source.kind is ReadingKind.POWER


def test_a_card_without_either_is_listed_and_nothing_kept_open(tmp_path, clock):
    smi = Smi({})
    discovery = find_amd(clock, {}, root=tmp_path, amdsmi=smi)
    assert not discovery.meters
    assert list(discovery.lacking) == ["gpu:0"]
    assert not smi.is_open


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HIP_VISIBLE_DEVICES": "1"}, ["gpu:3"]),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "1"}, ["gpu:4"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000002"}, ["gpu:4"]),
        ({"HIP_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_only_the_visible_ones_in_process_scope(tmp_path, clock, env, expected):
    smi = Smi(*({"count": 1000} for _ in range(3)))
    discovery = find_amd(clock, env, root=tmp_path, amdsmi=smi, first_index=2)
    assert [m.source.domain for m in discovery.meters] == expected
    assert bool(discovery.unavailable) == (not expected)
    assert len(find_amd(clock, env, "machine", root=tmp_path, amdsmi=smi).meters) == 3


def test_hwmon_where_the_library_is_missing(tmp_path, clock):
    # The library is not installed here, or refuses without its driver: both lead to hwmon.
    bus = {"uevent": "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0"}
    sensor = card(tmp_path, 10, 45_000_000, product_name="Radeon RX 6800 XT", **bus)
    bus = {"uevent": "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:0a:00.0"}
    card(tmp_path, 1, 60_000_000, sensor="power1_input", **bus)
    (tmp_path / "sys/class/drm/card1-DP-1").mkdir()
    discovery = find_amd(clock, {}, root=tmp_path)
    first, second = discovery.meters
    assert [m.source.domain for m in discovery.meters] == ["gpu:0", "gpu:1"]
    assert first.source.device == "Radeon RX 6800 XT"
    assert first.read().value == pytest.approx(45.0)
    assert second.read().value == pytest.approx(60.0)
    (hint,) = discovery.unavailable
    assert "joulecast[amd]" in hint.remedy
    sensor.unlink()
    with pytest.raises(MeterLostError, match="gpu:0"):
        first.read()


def test_an_apu_is_not_counted_twice(tmp_path, clock):
    card(tmp_path, 0, 15_000_000, cap=False)
    discovery = find_amd(clock, {}, root=tmp_path)
    assert not discovery.meters
    assert "APU" in discovery.unavailable[0].reason
    assert not discovery.lacking


def test_no_amd_gpu_is_not_worth_a_word(tmp_path, clock):
    discovery = find_amd(clock, {}, root=tmp_path)
    assert not discovery.meters
    assert not discovery.unavailable


def watched(smi, clock, tmp_path, seconds):
    """The one meter after some seconds, read ten times a second, with its joules."""
    (meter,) = find_amd(clock, {}, root=tmp_path, amdsmi=smi).meters
    start = meter.read().value
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        reading = meter.read()
    return meter, reading.value - start


def test_an_accumulator_that_stands_still_gives_way_to_power(tmp_path, clock):
    """35 W for 600 s are 21 kJ (ROCm/amdsmi issue 38)."""
    meter, joules = watched(Smi({"count": 1_074_000, "watts": 35}), clock, tmp_path, 600)
    assert joules == pytest.approx(21_000, rel=0.01)
    assert "power is integrated" in meter.warning()


def test_an_accumulator_without_power_beside_it_is_all_there_is(tmp_path, clock):
    """The second die of a card with two has no power of its own."""
    smi = Smi({"count": 1_074_000, "watts": None})
    meter, joules = watched(smi, clock, tmp_path, 10)
    assert joules == 0
    assert meter.warning() is None


@pytest.mark.parametrize("watts", [0, 0xFFFF, 0xFFFFFFFF])
def test_a_power_that_cannot_be_is_no_reading(tmp_path, clock, watts):
    smi = Smi({"count": None, "watts": watts})
    (meter,) = find_amd(clock, {}, root=tmp_path, amdsmi=smi).meters
    assert math.isnan(meter.read().value)
    smi.cards[0]["watts"] = 95
    assert meter.read().value == 95.0


def test_a_sensor_file_with_an_impossible_power(tmp_path, clock):
    sensor = card(tmp_path, 0, 0xFFFFFFFF * 1000)
    (meter,) = find_amd(clock, {}, root=tmp_path).meters
    assert math.isnan(meter.read().value)
    sensor.write_text("45000000")
    assert meter.read().value == pytest.approx(45.0)
