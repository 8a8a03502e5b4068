"""Clocks, throttling, power of the memory: of the cards that report them."""

import pytest

from fakes.nvml import A100
from joulecast.meters.cpu_time import CpuTime
from joulecast.meters.gauges import find_gauges
from joulecast.meters.nvml_discovery import find_nvml

SENTINEL = 0xFFFFFFFF
BLACKWELL = A100 | {
    "name": "NVIDIA B200",
    "sm_mhz": 1965,
    "memory_mhz": 3996,
    "hbm_mw": 92_000,
    "reasons": 0,
    "smoothing": 1,
    "profile": 20,
}
SM, MEMORY, HBM = "gpu:0/sm_clock_hz", "gpu:0/memory_clock_hz", "gpu:0/memory_power_w"
SMOOTHING, PROFILE = "gpu:0/power_smoothing_pct", "gpu:0/power_profile"
POWER, HEAT, HARDWARE = (f"gpu:0/throttled_by_{by}_pct" for by in ("power", "heat", "hardware"))
OPTIONAL = {SM, MEMORY, HBM, SMOOTHING, PROFILE, POWER, HEAT, HARDWARE}


@pytest.fixture
def figures(nvml_here, clock):
    """What the gauges of one card read, and the names of those that are missing."""
    opened = []

    def read(card):
        nvml_here.write_state(card)
        meters = find_nvml(clock, {}).meters
        gauges = find_gauges("machine", clock, CpuTime(clock, None), meters)
        opened.extend([*meters, *gauges.open])
        values = {g.source.domain: g.read() for g in gauges.open}
        values = {name: r and r.value for name, r in values.items() if name.startswith("gpu")}
        return values, [source.domain for source in gauges.missing]

    yield read
    for item in opened:
        item.close()
    assert nvml_here.references() == 0


def test_all_of_them(figures):
    values, missing = figures(BLACKWELL)
    assert missing == []
    expected = {SM: 1.965e9, MEMORY: 3.996e9, HBM: 92.0, SMOOTHING: 100.0, PROFILE: 20.0}
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_a_card_without_them_lacks_nothing(figures):
    values, missing = figures(A100)
    assert missing == []
    assert not OPTIONAL & values.keys()
    assert values["gpu:0/utilization_pct"] == 87


@pytest.mark.parametrize(
    ("reasons", "by"),
    [
        (0x0, set()),
        (0x1 | 0x2 | 0x10 | 0x100, set()),
        (0x4, {POWER}),
        (0x80 | 0x8, {POWER, HARDWARE}),
        (0x20, {HEAT}),
        (0x40 | 0x8, {HEAT, HARDWARE}),
        (0x4 | 0x20, {POWER, HEAT}),
    ],
)
def test_reasons_of_throttling(figures, reasons, by):
    values, _ = figures(BLACKWELL | {"reasons": reasons})
    assert {name for name in (POWER, HEAT, HARDWARE) if values[name] == 100.0} == by
    assert {values[name] for name in (POWER, HEAT, HARDWARE)} <= {0.0, 100.0}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"utilization": SENTINEL}, "gpu:0/utilization_pct"),
        ({"temperature": SENTINEL}, "gpu:0/temperature_c"),
        ({"temperature": 0xFFFF}, "gpu:0/temperature_c"),
        ({"used_mib": 2**40}, "gpu:0/memory_bytes"),
        ({"sm_mhz": SENTINEL}, SM),
        ({"hbm_mw": SENTINEL}, HBM),
    ],
)
def test_a_figure_that_cannot_be_is_no_reading(figures, changes, name):
    values, _ = figures(BLACKWELL | changes)
    assert values.get(name) is None
