"""Counters that wrap, are reset or vanish in mid-run, from the sensor to the recorded energy."""

import pytest

from fakes.nvml import A100
from joulecast.meters.nvml_discovery import find_nvml
from joulecast.meters.rapl import find_rapl
from joulecast.recording.integrate import energy_between
from joulecast.recording.sampler import Sampler

RANGE_J = 262_143.32885


def energies(sampler, meters, end_s):
    samples = sampler.take()
    found = {}
    for meter in meters:
        domain = meter.source.domain
        energy = energy_between(samples[domain], meter.source, 0.0, end_s, sampler.gaps)
        found[domain] = energy.value
    return found


def test_a_server_in_mid_run(powercap, clock):
    powercap.server()
    powercap.set("intel-rapl:0", round((RANGE_J - 100) * 1e6))  # wraps in the second second
    meters = find_rapl(clock, powercap.root).meters
    sampler = Sampler(meters, clock, 0.1)
    sampler.tick()
    for step in range(1, 101):
        clock.now += 0.1
        powercap.advance("intel-rapl:0", 9.0)
        powercap.advance("intel-rapl:0:1", 2.0)
        powercap.advance("intel-rapl:1", 6.0)
        powercap.advance("intel-rapl:2", 30.0)
        if step == 50:
            powercap.lose("intel-rapl:1:1")
        elif step < 50:
            powercap.advance("intel-rapl:1:1", 1.0)
        sampler.tick(everything=True)
    joules = energies(sampler, meters, 10.0)
    assert joules == pytest.approx(
        {"cpu:0": 900.0, "cpu:1": 600.0, "dram:0": 200.0, "dram:1": 49.0}
    )
    (gap,) = sampler.gaps
    assert (gap.domain, gap.end_s) == ("dram:1", None)
    assert gap.start_s == pytest.approx(4.9)
    assert "intel-rapl:1:1/energy_uj" in gap.reason


def test_three_gpus_in_mid_run(nvml_here, clock):
    old = {"uuid": "GPU-3", "name": "NVIDIA GeForce GTX 750 Ti", "power_mw": 40_000}
    nvml_here.write_state(A100, A100 | {"uuid": "GPU-2"}, old)
    meters = find_nvml(clock, {}).meters
    sampler = Sampler(meters, clock, 0.1)
    sampler.tick()
    counters = [1_000_000, 1_000_000]
    for step in range(1, 101):
        clock.now += 0.1
        counters = [0 if step == 60 else counters[0] + 25_000, counters[1] + 30_000]
        nvml_here.update(0, energy_mj=counters[0])
        nvml_here.update(1, energy_mj=counters[1], error=15 if step > 80 else 0)
        nvml_here.update(2, power_mw=40_000 if step <= 50 else 20_000)
        sampler.tick(everything=True)
    joules = energies(sampler, meters, 10.0)
    # The energy of the step with the reset is unknown.
    assert joules["gpu:0"] == pytest.approx(99 * 25.0)
    assert joules["gpu:1"] == pytest.approx(80 * 30.0)
    assert joules["gpu:2"] == pytest.approx(5.0 * 40 + 5.0 * 20 + 0.1 * 10, rel=1e-6)
    reset, lost = sampler.gaps
    assert (reset.domain, reset.start_s, reset.end_s) == pytest.approx(("gpu:0", 5.9, 6.0))
    assert "reset" in reset.reason
    assert (lost.domain, lost.end_s) == ("gpu:1", None)
    sampler.close()
    assert nvml_here.references() == 0
