"""The modelled counter on invented CPU times; the choice of its spec."""

import os
import re

import numpy as np
import pytest

from joulecast.estimate import Provenance
from joulecast.hardware.detect.cpu import DetectedCpu
from joulecast.meters.base import ReadingKind
from joulecast.meters.cpu_curve import Knowledge, package_power
from joulecast.meters.cpu_model import CpuModelMeter, choose_spec, cpu_model_meter
from joulecast.meters.cpu_time import CpuSample, CpuTime
from joulecast.meters.share import TICK_S


class Times:
    """CPU times as written down: (t, busy, total, tree)."""

    def __init__(self, *rows):
        self._rows = iter(rows)

    def sample(self):
        t, busy, total, tree = next(self._rows)
        return CpuSample(t, busy, total, tree, 0)


SPEC, _ = choose_spec(DetectedCpu(name="AMD EPYC 7742 64-Core Processor", sockets=1))


def read_all(meter, n):
    return [meter.read() for _ in range(n)][-1]


def test_machine_scope_sums_power_times_time():
    times = Times((0, 0, 0, None), (1, 64, 128, None), (3, 64, 384, None))
    last = read_all(CpuModelMeter(SPEC, times, "machine", "m"), 3)
    half, idle = package_power(SPEC, 0.5), package_power(SPEC, 0.0)
    expected = [h + 2 * i for h, i in zip(half, idle, strict=True)]
    assert [last.value, last.low, last.high] == pytest.approx(expected, rel=1e-3)
    assert (last.t_s, last.held_s) == (3, 3)


def test_process_scope_takes_the_share_of_cpu_time():
    times = Times((0, 10, 100, 5), (2, 74, 356, 21))  # a quarter of the load
    last = read_all(CpuModelMeter(SPEC, times, "process", "m"), 2)
    watts, low, high = package_power(SPEC, 0.25)
    assert last.value == pytest.approx(2 * watts * 0.25)
    tick = TICK_S / 64  # of all that was busy: counted too many, or not seen yet
    # The curve's and the split's errors are independent: relative half-widths in quadrature.
    below, above = (np.hypot(abs(x / watts - 1), 0.3 * 0.75) for x in (low, high))
    assert last.low == pytest.approx(2 * (watts * 0.25 * (1 - below) - low * tick), rel=1e-3)
    assert last.high == pytest.approx(2 * (watts * 0.25 * (1 + above) + high * tick), rel=1e-3)
    assert last.held_s == pytest.approx(0.5)


def test_less_than_a_tick_of_cpu_time_is_not_surely_nothing():
    last = read_all(CpuModelMeter(SPEC, Times((0, 0, 0, 0), (1, 64, 128, 0)), "process", "m"), 2)
    assert (last.value, last.low) == (0, 0)
    assert last.high > 0


def test_a_run_alone_on_the_machine_is_not_less_sure_for_the_split():
    rows = [(0, 0, 0, 0), (1, 64, 128, 64)]
    alone = read_all(CpuModelMeter(SPEC, Times(*rows), "process", "m"), 2)
    whole = read_all(CpuModelMeter(SPEC, Times(*rows), "machine", "m"), 2)
    assert alone.value == whole.value
    assert alone.low == pytest.approx(whole.low * (1 - TICK_S / 64))
    assert alone.high == pytest.approx(whole.high * (1 + TICK_S / 64))


def test_a_tick_has_the_power_of_the_window_that_shows_it():
    def slept(*ticks):  # on a machine that does next to nothing else
        rows = [(0.2 * i, 0.01 * (i + own), 25.6 * i, 0.01 * own) for i, own in enumerate(ticks)]
        return read_all(CpuModelMeter(SPEC, Times(*rows), "process", "m"), len(rows))

    none, one = slept(0, 0, 0, 0, 0, 0), slept(0, 0, 0, 1, 1, 1)
    idle_w = package_power(SPEC, 0.0)[0]
    assert one.value == pytest.approx(0.2 * idle_w / 2, rel=0.1)
    assert one.low == 0 and none.high > one.value
    many = slept(*range(0, 1000, 10))  # ten ticks a window: one more or less is nothing
    assert many.low > 0.45 * many.value


def test_a_window_without_ticks_waits_for_the_next():
    times = Times((0, 0, 0, None), (0.001, 0, 0, None), (1, 128, 128, None))
    meter = CpuModelMeter(SPEC, times, "machine", "m")
    first, second, third = (meter.read() for _ in range(3))
    assert second == first
    assert third.value == pytest.approx(package_power(SPEC, 1.0)[0])


def test_the_source_describes_the_model():
    meter = cpu_model_meter(Times(), DetectedCpu(name="AMD EPYC 7742 64-Core Processor", sockets=2))
    source = meter.source
    assert source.kind is ReadingKind.COUNTER
    assert source.provenance is Provenance.MODELLED
    assert source.source.startswith(
        "CPU load x Zen 2 server SPECpower curve, TDP 225 W, 2 packages"
    )
    assert "7742" in source.device
    # As often as the default asks, and no more often than ticks of 10 ms allow.
    assert 5 * TICK_S <= source.update_period_s <= 0.1
    assert 0 < source.uncertainty.low <= 1
    assert source.uncertainty.high > 0
    # The rest is the scale of the curve.
    assert source.uncertainty.own == 0.02


def test_an_unknown_model_of_a_known_family():
    spec, words = choose_spec(
        DetectedCpu(
            name="AMD EPYC 9999", microarchitecture="Zen 4", codename="Genoa", cores=48, threads=96
        )
    )
    assert spec.knowledge is Knowledge.FAMILY
    assert "290 W" in words and "EPYC 9454" in words
    assert 100 < spec.full_w < 300


@pytest.mark.parametrize("name", [None, "", "µ-chip 7", "x" * 500])
def test_a_cpu_without_a_name_has_a_wide_model(name):
    spec, words = choose_spec(DetectedCpu(name=name))
    assert spec.knowledge is Knowledge.NOTHING
    assert words and not re.search(r"\d", words)
    watts, low, high = package_power(spec, 0.5)
    assert high / low > 3
    assert 5 < watts < 100


def test_a_guest_gets_its_vcpus_of_the_host():
    spec, words = choose_spec(
        DetectedCpu(name="Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", threads=8),
        is_virtual=True,
    )
    host, _ = choose_spec(DetectedCpu(name="Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz"))
    assert spec.full_w == pytest.approx(host.full_w / 8)
    assert "8 of 64 host threads" in words
    assert spec.sigma_full > host.sigma_full


def test_threads_stand_in_for_cores():
    by_threads, _ = choose_spec(DetectedCpu(name="?", microarchitecture="Zen 3", threads=12))
    by_cores, _ = choose_spec(DetectedCpu(name="?", microarchitecture="Zen 3", cores=6, threads=12))
    assert by_threads == by_cores


def test_cores_are_those_of_all_packages():
    one, _ = choose_spec(DetectedCpu(name="?", microarchitecture="Zen 3", sockets=1, cores=6))
    two, _ = choose_spec(DetectedCpu(name="?", microarchitecture="Zen 3", sockets=2, cores=12))
    assert two.full_w == pytest.approx(2 * one.full_w)


def test_on_this_machine(tmp_path):
    tick = os.sysconf("SC_CLK_TCK")
    now = [0.0]
    stat = tmp_path / "stat"
    stat.write_text(f"cpu  0 0 0 {tick} 0 0 0 0\n")
    meter = cpu_model_meter(
        CpuTime(lambda: now[0], None, proc=tmp_path), DetectedCpu(), scope="machine"
    )
    assert meter.read().value == 0
    now[0] = 1.0
    stat.write_text(f"cpu  {tick} 0 0 {2 * tick} 0 0 0 0\n")
    reading = meter.read()
    assert reading.low < reading.value < reading.high


def test_oryon_is_a_laptop_and_no_small_board():
    # Qualcomm's reference laptops with twelve cores take 23 and 80 W.
    name = "Snapdragon(R) X Elite - X1E80100 - Qualcomm(R) Oryon(TM) CPU"
    cpu = DetectedCpu(name=name, microarchitecture="Oryon", cores=12, threads=12, sockets=1)
    spec, source = choose_spec(cpu)
    watts, low, high = package_power(spec, 1.0)
    assert "Oryon" in source and spec.knowledge is Knowledge.FAMILY
    assert 23 < low + 3 < watts < 80 and high > 65
    assert package_power(spec, 0.0)[0] < 4
