"""Power times intensity over the hours of a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.recordings import training, without_samples
from joulecast.analysis.carbon.intensity import (
    IntensityPeriod,
    IntensitySeries,
    energy_of,
    mean_intensity,
    ordered,
    steady,
)
from joulecast.recording.summary import summarize


def series(*intervals):
    return IntensitySeries(
        "DE", tuple(IntensityPeriod(*i) for i in intervals), "provider", "source"
    )


def test_hours_are_weighted_by_their_energy():
    # 100 W for an hour, then 300 W for an hour.
    at = lambda t: np.interp(t, [0, 3600, 7200], [0, 360e3, 1440e3])  # noqa: E731
    mean = mean_intensity(at, 0, 7200, series((0, 3600, 400), (3600, 7200, 200)), 0)
    assert mean.carbon_g_per_kwh == pytest.approx((400 + 3 * 200) / 4)
    assert (mean.coverage, mean.low_g_per_kwh, mean.high_g_per_kwh) == (1.0, 200, 400)


def test_unknown_hours_count_with_the_given_intensity():
    at = steady(0, 7200, 1e6)
    mean = mean_intensity(at, 0, 7200, series((0, 1800, 100, True)), 500)
    assert mean.coverage == pytest.approx(0.25)
    assert mean.carbon_g_per_kwh == pytest.approx(0.25 * 100 + 0.75 * 500)
    assert (mean.low_g_per_kwh, mean.high_g_per_kwh) == (100, 500)
    assert mean.estimated == 1.0


@pytest.mark.parametrize(
    "intervals", [(), ((8000, 9000, 3),), ((-10, 0, 3),), ((50, 50, 3),), ((60, 50, 3),)]
)
def test_no_known_hour_is_none(intervals):
    assert mean_intensity(steady(0, 7200, 1e6), 0, 7200, series(*intervals), 500) is None


def test_no_energy_is_none():
    assert mean_intensity(steady(0, 10, 0.0), 0, 10, series((0, 10, 3)), 500) is None
    assert mean_intensity(steady(5, 5, 1.0), 5, 5, series((0, 10, 3)), 500) is None


def test_overlaps_count_once():
    periods = ordered(
        [
            IntensityPeriod(3600, 7200, 2),
            IntensityPeriod(0, 5000, 1),
            IntensityPeriod(3600, 7200, 2),
        ]
    )
    assert [(i.start_s, i.end_s) for i in periods] == [(0, 3600), (3600, 7200)]


@given(
    st.lists(st.tuples(st.floats(0, 9000), st.floats(1, 4000), st.floats(1, 900)), max_size=12),
    st.floats(1, 900),
)
def test_mean_lies_between_the_bounds(intervals, otherwise):
    intensity = series(*((a, a + length, grams) for a, length, grams in intervals))
    mean = mean_intensity(steady(1000, 8000, 1e6), 1000, 8000, intensity, otherwise)
    if mean is not None:
        assert 0 < mean.coverage <= 1
        assert mean.low_g_per_kwh * (1 - 1e-9) <= mean.carbon_g_per_kwh
        assert mean.carbon_g_per_kwh <= mean.high_g_per_kwh * (1 + 1e-9)


def test_energy_of_a_recording_equals_its_summary():
    recording = training()
    at, start = energy_of(recording), recording.header.started_at
    ends = np.array([start - 100, start, start + recording.duration_s, start + 1e6])
    joules = at(ends)
    assert joules[3] - joules[0] == pytest.approx(summarize(recording).total.value, rel=1e-6)
    assert joules[1] - joules[0] == 0


def test_a_recording_without_samples_has_none():
    assert energy_of(without_samples()) is None
