import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.integrate import (
    curve,
    energy_between,
    is_resolved,
    total_of,
    with_edges,
)
from joulecast.recording.model import Gap, Samples
from joulecast.units import Estimate, Provenance


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
