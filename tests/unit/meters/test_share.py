"""The share of a package counter by CPU time."""

import numpy as np
import pytest

from joulecast.meters.base import Meter, Reading, ReadingKind, Source, Uncertainty
from joulecast.meters.cpu_time import CpuSample
from joulecast.meters.share import TICK_S, ShareMeter, share_interval, tree_share
from joulecast.units import Provenance


class Counter(Meter):
    def __init__(self, *readings, kind=ReadingKind.COUNTER):
        self._readings = iter(readings)
        self.closed = False
        self.source = Source(
            "cpu:0", "RAPL", kind, Provenance.MEASURED, 0.001, Uncertainty(0.03, 0.03, "RAPL"), "X"
        )

    def read(self):
        return next(self._readings)

    def note(self):
        return "wrapped"

    def close(self):
        self.closed = True


class Times:
    def __init__(self, *rows):
        self._rows = iter(rows)

    def sample(self):
        t, busy, tree = next(self._rows)
        return CpuSample(t, busy, 100.0 * t, tree, 0)


def reading(t, joules):
    return Reading(t, joules, 0.97 * joules, 1.03 * joules, t)


def test_each_increment_is_split_by_its_own_window():
    inner = Counter(reading(0, 10), reading(1, 30), reading(2, 130))
    meter = ShareMeter(inner, Times((0, 0, 0), (1, 4, 2), (2, 8, 6)))  # half, then all
    values = [meter.read() for _ in range(3)]
    assert [v.value for v in values] == pytest.approx([0, 10, 110])
    assert values[-1].held_s == pytest.approx(1.5)
    tick = 100 * TICK_S / 4  # one of the second window's four busy seconds
    # 3 % of the meter and 15 % of the split are independent; all of the second window is its own.
    first, second = 20 * 0.5, 100
    split = np.hypot(0.03, 0.15)
    assert values[-1].low == pytest.approx(first * (1 - split) + second * 0.97 - 0.97 * tick)
    assert values[-1].high == pytest.approx(first * (1 + split) + second * 1.03 + 1.03 * tick)


def test_the_lower_bound_never_falls_where_meter_and_split_are_both_unsure():
    sure, unsure = Reading(1, 10, 9.9, 10.1, 1), Reading(2, 20, 9.91, 60, 2)
    meter = ShareMeter(Counter(reading(0, 0), sure, unsure), Times((0, 0, 0), (1, 4, 4), (2, 8, 4)))
    lows = [meter.read().low for _ in range(3)]
    mostly = ShareMeter(
        Counter(reading(0, 0), sure, unsure), Times((0, 0, 0), (1, 4, 4), (2, 8, 4.1))
    )
    lows_with_more = [mostly.read().low for _ in range(3)]
    assert lows_with_more[2] >= lows[2] > 9


def test_it_is_modelled_and_passes_on_the_rest():
    inner = Counter(reading(0, 0))
    meter = ShareMeter(inner, Times((0, 0, 0)))
    assert meter.source.provenance is Provenance.MODELLED
    assert meter.source.domain == "cpu:0"
    assert meter.source.uncertainty.high == pytest.approx(np.hypot(0.03, 0.3))
    assert meter.note() == "wrapped"
    meter.close()
    assert inner.closed


def test_joules_in_an_idle_window_belong_to_no_process():
    meter = ShareMeter(Counter(reading(0, 0), reading(1, 50)), Times((0, 5, 1), (1, 5, 1)))
    meter.read()
    assert meter.read().value == 0


def test_a_tick_may_have_been_counted_too_many_or_too_few():
    times = [0.2 * i for i in range(4)]
    seen = []
    for ticks in ((0, 0, 0, 0), (0, 0, 1, 1)):  # two that slept alike, one at the turn of a tick
        rows = [
            (t, 0.01 * (2 * i + own), 0.01 * own)
            for i, (t, own) in enumerate(zip(times, ticks, strict=True))
        ]
        meter = ShareMeter(Counter(*(reading(t, 10 * t) for t in times)), Times(*rows))
        seen.append([meter.read() for _ in times][-1])
    none, one = seen
    assert none.value == none.low == one.low == 0
    assert one.value == pytest.approx(2 / 3)  # a third of the package's energy in that time
    assert none.high >= one.value


def test_within_one_tick_the_reading_stands_and_nothing_is_lost():
    inner = Counter(reading(0, 0), reading(0.01, 1), reading(1, 100))
    meter = ShareMeter(inner, Times((0, 0, 0), (0, 0, 0), (1, 2, 1)))
    first, second, third = (meter.read() for _ in range(3))
    assert second == first
    assert third.value == pytest.approx(50)


def test_power_is_not_split():
    power = Counter(kind=ReadingKind.POWER)
    with pytest.raises(ValueError, match=power.source.source):
        ShareMeter(power, Times())


@pytest.mark.parametrize(
    ("busy", "tree", "share"), [(2, 1, 0.5), (2, 3, 1.0), (0, 0, 0.0), (2, None, 1.0), (2, 0, 0.0)]
)
def test_the_share_stays_between_nothing_and_all(busy, tree, share):
    before = CpuSample(0, 0, 0, None if tree is None else 0, 0)
    assert tree_share(before, CpuSample(1, busy, 8, tree, 0)) == share


def test_the_split_is_surer_the_more_is_ones_own():
    assert share_interval(1.0) == (1.0, 1.0)
    assert share_interval(0.0) == (0.0, 0.0)
    assert share_interval(0.5) == pytest.approx((0.425, 0.575))
