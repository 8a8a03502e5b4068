"""The share of a package counter by CPU time."""

import numpy as np
import pytest

from joulecast.estimate import Provenance
from joulecast.meters.base import Meter, Reading, ReadingKind, Source, Uncertainty
from joulecast.meters.cpu_time import CpuSample
from joulecast.meters.share import TICK_S, ShareMeter, ShareSum, share_interval, tree_share


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


def test_an_interval_of_a_share_is_at_most_all():
    # 0.9 (1 + 0.03) and 0.9 (1 - 0.03).
    assert share_interval(0.9) == pytest.approx((0.873, 0.927))
    assert share_interval(0.1) == pytest.approx((0.073, 0.127))


def test_a_share_before_the_tree_is_followed_is_all():
    for before, after in ((None, 1.0), (0.0, None)):
        first = CpuSample(0, 0, 0, before, 0)
        assert tree_share(first, CpuSample(1, 2, 8, after, 0)) == 1.0
    # A tree whose processes have ended may have less time than before.
    assert tree_share(CpuSample(0, 0, 0, 5, 0), CpuSample(1, 2, 8, 4, 0)) == 0.0
    assert tree_share(CpuSample(0, 3, 0, 0, 0), CpuSample(1, 2, 8, 1, 0)) == 0.0


def test_energy_that_is_not_split_is_the_runs():
    total = ShareSum(is_split=False)
    assert total.start(5.0) == Reading(5.0, 0, 0, 0, 0)
    busy = (CpuSample(0, 0, 0, 0, 0), CpuSample(1, 4, 8, 1, 0))
    total.add(*busy, Reading(6.0, 10.0, 9.0, 12.0, 1.0))
    second = total.add(*busy, Reading(7.0, 20.0, 19.0, 21.0, 1.0))
    assert second == Reading(7.0, 30.0, 28.0, 33.0, 2.0)


def test_bounds_of_a_half_and_its_ticks():
    total = ShareSum()
    total.start(0.0)
    # 2 of 4 busy seconds; a tick of 0.01 s costs 1/400 of the window's energy.
    one = total.add(
        CpuSample(0, 0, 0, 0, 0), CpuSample(1, 4, 8, 2, 0), Reading(1.0, 100.0, 90.0, 120.0, 1.0)
    )
    assert (one.value, one.held_s) == (50.0, 0.5)
    # Half-widths of the meter 5 and 10 J, of the split 7.5 J.
    assert one.low == pytest.approx(50 - np.hypot(5, 7.5) - 90 / 400)
    assert one.high == pytest.approx(50 + np.hypot(10, 7.5) + 120 / 400)
    # Without time of the tree a tick may be hidden, and none is added; under a tick busy is one.
    two = total.add(
        CpuSample(1, 4, 8, 2, 0), CpuSample(2, 4, 16, 2, 0), Reading(2.0, 10.0, 8.0, 11.0, 1.0)
    )
    assert two.value == 50.0
    assert two.low == pytest.approx(one.low)
    assert two.high == pytest.approx(50 + np.hypot(10, 7.5) + 11)


def test_one_tick_is_not_cheaper_than_the_largest_before():
    total = ShareSum()
    total.start(0.0)
    for i, joules in enumerate((100.0, 10.0)):
        before = CpuSample(i, 4.0 * i, 0, 4.0 * i, 0)
        after = CpuSample(i + 1, 4.0 * i + 4, 0, 4.0 * i + 4, 0)
        reading_ = total.add(before, after, Reading(i + 1.0, joules, joules, joules, 1.0))
    assert (reading_.low, reading_.high) == pytest.approx((110 - 0.25, 110 + 0.25))


def test_what_the_source_of_a_share_states():
    source = ShareMeter(Counter(reading(0, 0)), Times((0, 0, 0))).source
    assert source.uncertainty.low == pytest.approx(np.hypot(0.03, 0.3))
    assert source.source.startswith("RAPL, share")
    assert (source.kind, source.update_period_s) == (ReadingKind.COUNTER, 0.001)
    unsure = Counter(reading(0, 0))
    unsure.source = Source(
        *("cpu:0", "RAPL", ReadingKind.COUNTER, Provenance.MEASURED, 0.001),
        Uncertainty(1.0, 2.0, "RAPL"),
        "X",
    )
    wide = ShareMeter(unsure, Times((0, 0, 0))).source.uncertainty
    assert (wide.low, wide.high) == (1.0, pytest.approx(np.hypot(2.0, 0.3)))


def test_a_counter_that_falls_is_no_energy():
    inner = Counter(Reading(0, 10, 9, 11, 5), Reading(1, 4, 3, 5, 4), Reading(2, 14, 13, 15, 5))
    meter = ShareMeter(inner, Times((0, 0, 0), (1, 4, 4), (2, 8, 8)))
    values = [meter.read() for _ in range(3)]
    assert [(v.t_s, v.value, v.held_s) for v in values] == [(0, 0, 0), (1, 0, 0), (2, 10, 1)]


@pytest.mark.parametrize(("own", "expected"), [(0.01, 0.01), (None, 0.04)])
def test_what_is_not_shared_is_what_the_counter_does_not_share(own, expected):
    inner = Counter(reading(0, 0))
    inner.source = Source(
        *("cpu:0", "RAPL", ReadingKind.COUNTER, Provenance.MEASURED, 0.001),
        Uncertainty(0.03, 0.04, "RAPL", own),
    )
    assert ShareMeter(inner, Times((0, 0, 0))).source.uncertainty.own == expected
