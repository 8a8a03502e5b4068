from types import SimpleNamespace

import pytest

from joulecast.errors import MeterLostError
from joulecast.meters.apple import find_apple


class Monitor:
    """Answers as zeus_apple_silicon.AppleEnergyMonitor does; None is what a chip does not count."""

    def __init__(self):
        self.mj = {"cpu_total_mj": 5000, "gpu_mj": 100, "dram_mj": None, "ane_mj": 0}
        self.asked = 0
        self.broken = False

    def get_cumulative_energy(self):
        self.asked += 1
        if self.broken:
            raise RuntimeError("IOReport subscription lost")
        return SimpleNamespace(**self.mj)


def test_millijoules_of_each_part_and_the_parts_without_a_counter(clock):
    monitor = Monitor()
    discovery = find_apple(clock, monitor)
    assert [m.source.domain for m in discovery.meters] == ["cpu:0", "gpu:0", "ane:0"]
    assert [u.domain for u in discovery.unavailable] == ["dram:0"]
    clock.now += 1.0
    monitor.mj |= {"cpu_total_mj": 17_500, "gpu_mj": 100_100, "ane_mj": 3}
    assert [m.read().value for m in discovery.meters] == pytest.approx([12.5, 100.0, 0.003])


def test_one_question_serves_all_parts_of_a_tick(clock):
    monitor = Monitor()
    meters = find_apple(clock, monitor).meters
    monitor.asked = 0
    for _ in range(3):
        clock.now += 0.1
        for meter in meters:
            meter.read()
    assert monitor.asked == 3


def test_a_report_that_fails_is_lost(clock):
    monitor = Monitor()
    meter = find_apple(clock, monitor).meters[0]
    monitor.broken = True
    clock.now += 1.0
    with pytest.raises(MeterLostError, match="subscription lost"):
        meter.read()


def test_only_a_mac_without_the_extra_is_unavailable(clock):
    linux = find_apple(clock, platform="linux")
    assert not linux.meters
    assert not linux.unavailable
    (missing,) = find_apple(clock, platform="darwin").unavailable
    assert missing.remedy == 'pip install "joulecast[apple]"'
