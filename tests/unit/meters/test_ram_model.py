"""Memory by the gigabyte."""

import pytest

from joulecast.estimate import Provenance
from joulecast.meters.cpu_time import CpuSample
from joulecast.meters.ram_model import RamModelMeter


class Times:
    def __init__(self, *rows):
        self._rows = iter(rows)

    def sample(self):
        t, rss = next(self._rows)
        return CpuSample(t, 0.0, 0.0, 0.0, rss)


def test_all_memory_of_the_machine():
    meter = RamModelMeter(64e9, Times((0, None), (10, None)), "machine")
    assert meter.read().value == 0
    reading = meter.read()
    assert reading.value == pytest.approx(64 * 0.3725 * 10)
    assert reading.low < reading.value / 3
    assert reading.high > 1.5 * reading.value
    assert reading.held_s == 10


def test_the_part_a_process_tree_holds_at_most_all():
    times = Times((0, 0), (1, 32e9), (2, 32e9), (3, 640e9))
    meter = RamModelMeter(64e9, times, "process")
    values = [meter.read() for _ in range(4)]
    assert [v.held_s for v in values] == pytest.approx([0, 0.25, 0.75, 1.5])
    assert values[2].value == pytest.approx(0.75 * 64 * 0.3725)


def test_the_source_is_assumed():
    source = RamModelMeter(64e9, Times(), "machine").source
    assert source.provenance is Provenance.ASSUMED
    assert source.domain == "dram:0"
    assert source.device == "64 GB"
    # Size and age are those of one machine in all readings; traffic is not.
    assert 0 < source.uncertainty.own < source.uncertainty.low


def test_asked_twice_in_one_tick():
    meter = RamModelMeter(64e9, Times((0, 0), (1, 0), (1, 0)), "machine")
    meter.read()
    assert meter.read() == meter.read()


def test_known_modules_count_each_whatever_their_size():
    for gigabytes in (64e9, 512e9):
        meter = RamModelMeter(gigabytes, Times((0, None), (10, None)), "machine", modules=8)
        meter.read()
        reading = meter.read()
        assert (reading.low, reading.value, reading.high) == pytest.approx((120, 240, 480))


def test_part_of_the_modules_in_part_of_the_memory():
    times = Times((0, 16e9), (10, 16e9))
    meter = RamModelMeter(64e9, times, "process", "dram:1", part=0.5, modules=8)
    meter.read()
    assert meter.read().value == pytest.approx(8 * 3 * 0.5 * 0.25 * 10 / 2 + 8 * 3 * 0.5 * 0.25 * 5)
    assert (meter.source.domain, meter.source.device) == ("dram:1", "32 GB")
