import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.meters import header
from joulecast.estimate import Estimate, Provenance
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.integrate import (
    EDGE_FACTOR,
    curve,
    energy_between,
    energy_curves,
    is_resolved,
    total_of,
    widened,
    with_edges,
)
from joulecast.recording.model import Gap, Recording, Samples


def source(kind: ReadingKind, period_s: float = 0.0) -> Source:
    u = Uncertainty(0.1, 0.2, "a test")
    return Source("gpu:0", "a test", kind, Provenance.MEASURED, period_s, u)


def samples(t: list[float], value: list[float]) -> Samples:
    v, times = np.array(value, float), np.array(t, float)
    return Samples(times, v, v * 0.9, v * 1.2, times)


def test_a_counter_is_interpolated_at_the_edges_of_a_window():
    s = samples([0, 1, 2, 3], [100, 110, 130, 130])
    energy = energy_between(s, source(ReadingKind.COUNTER), 0.5, 1.25)
    assert energy.value == pytest.approx(5 + 5)
    assert (energy.low, energy.high) == (pytest.approx(9), pytest.approx(12))


def test_watts_between_readings_change_linearly_also_within_a_window():
    s = samples([0, 10], [0, 100])  # p(t) = 10 t, so E = 5 (b^2 - a^2)
    assert energy_between(s, source(ReadingKind.POWER), 2, 5).value == pytest.approx(5 * (25 - 4))


def test_a_gap_contributes_nothing_and_the_rest_is_whole():
    s = samples([0, 1, 2, 10, 11], [50] * 5)
    gap = Gap("gpu:0", 2, 10, "asleep")
    other = Gap("gpu:1", 0, 11, "another domain's")
    assert energy_between(s, source(ReadingKind.POWER), 0, 11, [gap, other]).value == pytest.approx(
        150
    )
    assert energy_between(s, source(ReadingKind.POWER), 3, 9, [gap]).value == 0
    open_end = Gap("gpu:0", 2, None, "lost")
    assert energy_between(s, source(ReadingKind.POWER), 0, 11, [open_end]).value == pytest.approx(
        100
    )


def test_a_gap_from_the_last_reading_on_takes_nothing_from_before_it():
    """Readings are stored to the microsecond, gaps to the last bit."""
    s = samples([0, 1, 2.000001], [50] * 3)
    gap = Gap("gpu:0", 2.0000004, None, "lost")
    assert energy_between(s, source(ReadingKind.POWER), 0, 5, [gap]).value == pytest.approx(100)


def test_a_counter_needs_no_filling_in_a_gap():
    s = samples([0, 1, 10], [0, 10, 100])
    gap = Gap("gpu:0", 1, 10, "asleep")
    assert energy_between(s, source(ReadingKind.COUNTER), 0, 10, [gap]).value == pytest.approx(100)


def test_beyond_the_readings_nothing_is_invented():
    s = samples([1, 2], [0, 10])
    assert energy_between(s, source(ReadingKind.COUNTER), -5, 50).value == pytest.approx(10)
    assert energy_between(samples([], []), source(ReadingKind.COUNTER), 0, 1) is None


def test_short_windows_have_wide_intervals():
    slow = source(ReadingKind.COUNTER, period_s=0.1)
    wide = with_edges((10.0, 10.0, 10.0), 0.2, slow)
    narrow = with_edges((10.0, 10.0, 10.0), 20.0, slow)
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low) > 0
    assert not is_resolved(0.2, slow)
    assert is_resolved(20.0, slow)
    assert with_edges((0.0, 0.0, 0.0), 0.0, slow) is None


def test_the_stated_error_of_edges_holds_for_a_real_update_grid():
    """A counter that updates every 0.1 s, windows of any phase and length: 90 % within bounds."""
    rng = np.random.default_rng(7)
    period, watts = 0.1, 50.0
    start, length = rng.uniform(0, 100, 4000), rng.uniform(1, 2, 4000)
    counter = lambda t: watts * np.floor(t / period) * period  # noqa: E731
    measured = counter(start + length) - counter(start)
    bounds = [with_edges((watts * n,) * 3, n, source(ReadingKind.COUNTER, period)) for n in length]
    inside = [b.low <= m <= b.high for b, m in zip(bounds, measured, strict=True)]
    assert 0.88 <= np.mean(inside) <= 0.92


@given(
    st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 1000)), min_size=2, max_size=40),
    st.sampled_from(ReadingKind),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_parts_add_up_to_the_whole(steps, kind, cuts):
    t = np.cumsum([step for step, _ in steps])
    v = np.array([value for _, value in steps])
    v = np.cumsum(v) if kind is ReadingKind.COUNTER else v
    c = curve(samples(t, v), kind)
    edges = [t[0], *sorted(t[0] + (t[-1] - t[0]) * np.array(cuts)), t[-1]]
    parts = [c.between(a, b)[0] for a, b in itertools.pairwise(edges)]
    assert min(parts) >= -1e-6
    assert sum(parts) == pytest.approx(c.between(t[0], t[-1])[0], rel=1e-9, abs=1e-6)
    if kind is ReadingKind.POWER:
        whole = float(((v[1:] + v[:-1]) / 2 * np.diff(t)).sum())
        assert sum(parts) == pytest.approx(whole, rel=1e-9, abs=1e-6)


def test_a_total_that_lacks_a_domain_is_not_measured():
    parts = [Estimate(100, 90, 110), Estimate(50, 50, 60)]
    whole, partial = total_of(parts, []), total_of(parts, ["gpu:0", "cpu:1"])
    assert (whole.provenance, whole.reason) == (Provenance.MEASURED, None)
    assert (partial.value, partial.low, partial.high) == (whole.value, whole.low, whole.high)
    assert partial.provenance is Provenance.ASSUMED
    assert partial.reason == "without gpu:0, cpu:1"
    assert total_of([], ["gpu:0"]) is None


def test_the_factor_of_edges_is_that_of_a_triangle():
    # P(|difference| > x p) = (1 - x)^2 of two uniform errors of width p: 10 % at 1 - sqrt(0.1).
    assert pytest.approx(1 - math.sqrt(0.1), abs=0.005) == EDGE_FACTOR


def test_an_interval_widened_by_its_edges():
    own = Source(
        *("gpu:0", "a test", ReadingKind.COUNTER, Provenance.MODELLED, 0.1),
        Uncertainty(0.1, 0.2, "a test", own=0.05),
    )
    # 50 W times 0.1 s times 0.68.
    energy = with_edges((100.0, 90.0, 120.0), 2.0, own)
    assert (energy.value, energy.unit, energy.provenance) == (100.0, "J", Provenance.MODELLED)
    assert energy.low == pytest.approx(100 - math.hypot(10, 3.4))
    assert energy.high == pytest.approx(100 + math.hypot(20, 3.4))
    assert energy.own_low == pytest.approx(100 - math.hypot(5, 3.4))
    assert energy.own_high == pytest.approx(100 + math.hypot(5, 3.4))
    whole = with_edges((100.0, 90.0, 120.0), 2.0, source(ReadingKind.COUNTER, 0.1))
    assert (whole.low, whole.high) == (energy.low, energy.high)
    assert (whole.own_low, whole.own_high) == (whole.low, whole.high)


def test_the_power_around_a_window_that_used_nothing_widens_it():
    meter = source(ReadingKind.COUNTER, period_s=0.1)
    rows = widened(np.array([[0.0, 40.0], [0.0, 40.0], [0.0, 40.0]]), 1.0, meter, around_w=20.0)
    # 20 W around, and 40 W in the second window itself: 0.068 s of either.
    assert rows[1] == pytest.approx([0.0, 40 - 2.72])
    assert rows[2] == pytest.approx([1.36, 40 + 2.72])
    tiny = with_edges((1.0, 1.0, 1.0), 0.01, meter)
    assert (tiny.low, tiny.high) == (0.0, pytest.approx(1 + 6.8))


def test_five_updates_are_resolved():
    meter = source(ReadingKind.COUNTER, period_s=0.5)
    assert is_resolved(2.5, meter) and not is_resolved(2.4, meter)


def test_bounds_of_watts_are_integrated_with_them():
    s = samples([0, 2, 4], [10, 30, 50])
    energy = energy_between(s, source(ReadingKind.POWER), 1, 3)
    # 20 to 30 W, then 30 to 40 W; low 0.9, high 1.2 of it.
    assert energy.value == pytest.approx(25 + 35)
    assert (energy.low, energy.high) == (pytest.approx(54), pytest.approx(72))


def test_watts_at_one_instant_twice_and_beyond_the_ends():
    c = curve(samples([0, 1, 1, 2], [10, 10, 30, 30]), ReadingKind.POWER)
    assert c.between(0, 2)[0] == pytest.approx(40)
    assert c.between(0.5, 1.5)[0] == pytest.approx(5 + 15)
    assert c.between(-9, 9)[0] == pytest.approx(40)
    last = curve(samples([0, 1, 1], [10, 10, 30]), ReadingKind.POWER)
    assert last.between(0, 9)[0] == pytest.approx(10)
    one = curve(samples([3], [10]), ReadingKind.POWER)
    assert one.between(0, 9) == (0, 0, 0)
    two = curve(samples([3, 5], [10, 10]), ReadingKind.POWER)
    assert two.between(0, 4)[0] == pytest.approx(10)


def test_a_segment_that_a_gap_touches_is_no_energy_even_in_part():
    s = samples([0, 10, 20], [50, 50, 50])
    gap = Gap("gpu:0", 12, 13, "asleep")
    assert energy_between(s, source(ReadingKind.POWER), 0, 20, [gap]).value == pytest.approx(500)
    assert energy_between(s, source(ReadingKind.POWER), 15, 20, [gap]).value == 0


def test_seconds_of_a_domain_that_were_measured_and_the_runs():
    t = np.array([0.0, 1, 3, 6, 10])
    held = np.array([0.0, 0.5, 1.5, 3.0, 5.0])
    watts = np.full(5, 10.0)
    gap = Gap("gpu:0", 1, 3, "asleep")
    c = curve(Samples(t, watts, watts, watts, held), ReadingKind.POWER, [gap])
    assert c.read_seconds(0, 10) == pytest.approx(8)
    assert c.own_seconds(0, 10) == pytest.approx(4)
    assert c.read_seconds(0.5, 4.5) == pytest.approx(0.5 + 1.5)
    assert c.own_seconds(0.5, 4.5) == pytest.approx(0.25 + 0.75)


def test_a_gap_of_a_counter_is_measured_only_where_it_counted_on():
    t = np.array([0.0, 1, 3, 6])
    gaps = [Gap("gpu:0", 1, 3, "asleep")]
    for counted, seconds in ((5.0, 6), (0.5, 6), (0.0, 4)):
        joules = np.array([2.0, 4, 4 + counted, 7 + counted])
        c = curve(Samples(t, joules, joules, joules, t), ReadingKind.COUNTER, gaps)
        assert c.between(0, 6)[0] == 5 + counted
        assert c.read_seconds(0, 6) == seconds
        assert c.own_seconds(0, 6) == seconds
    still = np.zeros(4)
    c = curve(Samples(t, still, still, still, t), ReadingKind.COUNTER, [])
    assert c.read_seconds(0, 6) == 6


@pytest.mark.parametrize(
    ("start_s", "end_s", "seconds"),
    [
        (2, 4, [2, 4]),
        # By less than the slack it does not reach into the segments beside it, by more it does.
        (2 - 0.9e-5, 4 + 0.9e-5, [2, 4]),
        (2 - 1.05e-5, 4, [0, 4]),
        (2, 4 + 1.05e-5, [2, 6]),
        (3, 3.5, [2, 4]),
        (-5, -1, []),
        (7, None, []),
        (4, None, [4, 6]),
    ],
)
def test_segments_that_a_gap_touches(start_s, end_s, seconds):
    gap = Gap("gpu:0", start_s, end_s, "asleep")
    c = curve(samples([0, 2, 4, 6], [1, 1, 1, 1]), ReadingKind.POWER, [gap])
    lost = seconds[1] - seconds[0] if seconds else 0
    assert c.read_seconds(0, 6) == pytest.approx(6 - lost)
    assert c.between(0, 6)[0] == pytest.approx(6 - lost)


def test_gaps_that_overlap_are_taken_off_once():
    gaps = [Gap("gpu:0", 1, 3, "a"), Gap("gpu:0", 1, 2, "b"), Gap("gpu:0", 2, 4, "c")]
    c = curve(samples([0, 1, 2, 3, 4, 5], [1] * 6), ReadingKind.POWER, gaps)
    assert c.between(0, 5)[0] == pytest.approx(2)


def test_curves_are_of_domains_with_two_readings_without_their_gaps():
    meter = source(ReadingKind.POWER)
    gap = Gap("gpu:0", 0, 1, "asleep")
    two = Recording(header([], sources=[meter]), gaps=[gap])
    two.samples["gpu:0"] = samples([0, 1, 3], [50, 50, 50])
    ((found, c),) = energy_curves(two).values()
    assert found is meter
    assert c.between(0, 3)[0] == pytest.approx(100)
    two.samples["gpu:0"] = samples([0, 3], [50, 50])
    assert list(energy_curves(two)) == ["gpu:0"]
    two.samples["gpu:0"] = samples([0], [50])
    assert energy_curves(two) == {}
    del two.samples["gpu:0"]
    assert energy_curves(two) == {}
