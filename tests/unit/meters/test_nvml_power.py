"""What is read of which card: counters, fields of power, scopes of superchips."""

import math

import pytest

from fakes.nvml import A100
from joulecast.meters.base import ReadingKind
from joulecast.meters.nvml_discovery import find_nvml

SENTINEL = 0xFFFFFFFF
FIELDS = {"average_mw": 310_000, "instant_mw": 300_000}
GH200 = A100 | {"name": "NVIDIA GH200 480GB", "capability": "9.0"}
POWER_ONLY = A100 | {"energy_mj": None, "power_mw": 80_000}


def only(nvml_here, clock, card):
    nvml_here.write_state(card)
    (meter,) = find_nvml(clock, {}).meters
    return meter


@pytest.fixture
def meter_of(nvml_here, clock):
    opened = []

    def open_(card):
        opened.append(only(nvml_here, clock, card))
        return opened[-1]

    yield open_
    for meter in opened:
        meter.close()


@pytest.mark.parametrize(
    ("changes", "watts", "period_s"),
    [
        ({"capability": "8.0"}, 80.0, 0.1),
        ({"capability": "7.0"}, 80.0, 0.1),
        ({"capability": "8.6"}, 80.0, 1.0),
        ({"capability": "9.0", "no_fields": 1}, 80.0, 1.0),
        ({"capability": "8.6"} | FIELDS, 300.0, 0.1),
    ],
)
def test_power_without_a_counter(meter_of, changes, watts, period_s):
    """Plain power is the mean over one second since Ampere, except on GA100."""
    meter = meter_of(POWER_ONLY | changes)
    assert meter.source.kind is ReadingKind.POWER
    assert meter.source.update_period_s == period_s
    assert meter.read().value == watts


def test_a_power_that_cannot_be_is_no_reading(meter_of, nvml_here, clock):
    meter = meter_of(POWER_ONLY | {"power_mw": SENTINEL})
    assert math.isnan(meter.read().value)
    nvml_here.update(0, power_mw=90_000)
    assert meter.read().value == 90.0


def test_a_counter_of_nothing_is_none(meter_of):
    assert meter_of(A100 | {"energy_mj": 2**64 - 1}).source.kind is ReadingKind.POWER


@pytest.mark.parametrize("name", ["NVIDIA GH200 480GB", "NVIDIA GB200", "NVIDIA GB300"])
@pytest.mark.parametrize("module", [{}, {"module_mw": 620_000}])
def test_the_gpu_of_a_superchip_is_read_alone(meter_of, name, module):
    meter = meter_of(GH200 | {"name": name} | FIELDS | module)
    assert meter.source.domain == "gpu:0"
    assert meter.source.kind is ReadingKind.POWER
    assert meter.read().value == 300.0


@pytest.mark.parametrize(
    ("link", "kind"), [({"c2c": 1}, ReadingKind.POWER), ({}, ReadingKind.COUNTER)]
)
def test_a_superchip_of_another_name_is_linked_to_its_processor(meter_of, link, kind):
    meter = meter_of(A100 | {"name": "NVIDIA VR200", "module_mw": 900_000} | FIELDS | link)
    assert (meter.source.domain, meter.source.kind) == ("gpu:0", kind)


def test_a_superchip_with_the_average_only(meter_of):
    meter = meter_of(GH200 | {"average_mw": 310_000})
    assert meter.source.update_period_s == 1.0
    assert meter.read().value == 310.0


@pytest.mark.parametrize("name", ["NVIDIA GB10", "NVIDIA H100 80GB HBM3", "NVIDIA B200", "Orin"])
def test_other_cards_keep_their_counter(meter_of, name):
    meter = meter_of(A100 | {"name": name, "c2c": 1} | FIELDS)
    assert (meter.source.domain, meter.source.kind) == ("gpu:0", ReadingKind.COUNTER)


@pytest.mark.parametrize("driver", [{"no_fields": 1}, {"module_mw": 620_000}])
def test_without_a_figure_of_the_gpu_the_module_is_counted(meter_of, nvml_here, clock, driver):
    meter = meter_of(GH200 | driver)
    assert meter.source.domain == "module:0"
    nvml_here.update(0, energy_mj=1_000_000 + 620_000)
    clock.now += 1
    assert meter.read().value == pytest.approx(620.0)


def test_the_gpus_of_one_module_count_it_once(nvml_here, clock):
    """Each reports the whole module; a GB200 has two GPUs and one CPU."""
    cards = [GH200 | {"name": "NVIDIA GB200", "no_fields": 1, "uuid": f"GPU-{i}"} for i in range(4)]
    cpus = [0xFF, 0xFF, 0xFF00, 0xFF00]
    nvml_here.write_state(*(card | {"cpus": c} for card, c in zip(cards, cpus, strict=True)))
    meters = find_nvml(clock, {}).meters
    assert [m.source.domain for m in meters] == ["module:0", "module:2"]
    for meter in meters:
        meter.close()
    assert nvml_here.references() == 0


def test_a_counter_is_checked_against_the_average(meter_of, nvml_here, clock):
    meter = meter_of(A100 | {"capability": "9.0", "average_mw": 200_000, "instant_mw": 5_000})
    start = meter.read().value
    for _ in range(20):
        clock.now += 0.1
        reading = meter.read()
    assert reading.value - start == pytest.approx(400.0)
    assert (reading.low, reading.high) == pytest.approx((360.0, 440.0))
    # The sampler takes it once.
    assert "power is integrated" in meter.warning()
    assert meter.warning() is None
