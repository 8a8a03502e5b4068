"""What each candidate forecasts, to the digit."""

import math

import numpy as np
import pytest

from joulecast.forecasting.online.candidates import (
    COUNT,
    DRIFT,
    ENDLESS,
    LATEST,
    LEVEL,
    LONGEST,
    able,
    drift,
    epochs_behind,
    forecast,
    level,
    median,
    next_epoch,
    slope,
    without_odd,
)


def cycle_of(length):
    return DRIFT + length - 1


def test_medians_of_odd_and_even_numbers_of_values():
    assert median(np.array([3.0, 1.0, 2.0])) == 2
    assert median(np.array([4.0, 1.0, 3.0, 2.0])) == 2.5
    assert median(np.array([7.0])) == 7


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([1.0, 1.0, 9.0], True),
        ([1.0, 9.0], False),
        ([0.0, 1.0, 42.0], True),  # 41 times as far as the next: more than 40 of three values
        ([0.0, 1.0, 40.5], False),
        ([0.0, 1.0, 1.0, 21.5], True),  # 20.5: more than 20 of four
        ([0.0, 1.0, 1.0, 20.5], False),
        ([0.0, 1.0] * 10 + [5.1], True),  # 4 of many
        ([0.0, 1.0] * 10 + [4.9], False),
        ([1.0, 1.0, 1.0, 9.0, 9.0], False),  # two of them are a habit
        ([5.0, 5.0, 5.0, -900.0], True),
    ],
)
def test_one_value_far_from_all_others_does_not_count(values, odd):
    x = np.array(values)
    usual = without_odd(x)
    assert (usual.tolist() != values) == odd
    if odd:
        assert sorted(set(values) - set(usual.tolist())) == [max(values, key=lambda v: abs(v - 1))]
        assert median(x) in usual
        assert len(usual) == len(values)
    assert x.tolist() == values


def test_a_level_is_the_mean_without_the_odd_value():
    assert level(np.array([1.0, 2.0, 6.0])) == 3
    assert level(np.array([2.0, 2.0, 2.0, 900.0])) == 2


def test_a_slope_is_relative_to_the_level_and_from_both_halves():
    assert slope(np.array([9.0, 10.0, 11.0, 12.0])) == pytest.approx((1 / 10.5, 10.5))
    # The value in the middle of an odd number is in neither half.
    assert slope(np.array([9.0, 10.0, 500.0, 12.0, 13.0])) == pytest.approx((1 / 11, 11))
    assert slope(np.zeros(4)) == (0, 0)


def test_a_drift_compounds_from_the_middle_of_what_was_seen():
    x = 10 * 1.02 ** np.arange(8)
    rise, middle = slope(x)
    following = middle * math.exp(rise * 4.5)
    assert drift(x, 1.0, ENDLESS) == pytest.approx(following, rel=1e-3)
    ten = np.mean([middle * math.exp(rise * (3.5 + h)) for h in range(1, 11)])
    assert drift(x, 10.0, ENDLESS) == pytest.approx(ten, rel=1e-3)


def test_a_drift_fades_out_over_six_times_what_was_seen():
    x = 10 * 1.01 ** np.arange(10)
    rise, middle = slope(x)
    middles = 0.5 + 300 * (np.arange(16) + 0.5) / 16
    at = rise * (4.5 + 60 * (1 - np.exp(-middles / 60)))
    assert drift(x, 300.0) == pytest.approx(middle * np.exp(at).mean(), rel=1e-12)
    steps = np.arange(1, 301)
    reach = 4.5 + 60 * (1 - np.exp(-steps / 60))
    assert drift(x, 300.0) == pytest.approx(np.mean(middle * np.exp(rise * reach)), rel=0.01)
    assert drift(x, 300.0) < 0.5 * drift(x, 300.0, ENDLESS)


def test_no_drift_goes_further_than_a_factor_of_twenty():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    assert drift(x, 1e5, ENDLESS) == pytest.approx(slope(x)[1] * math.exp(3), rel=0.01)
    assert drift(x[::-1], 1e5, ENDLESS) == pytest.approx(slope(x)[1] * math.exp(-3), rel=0.01)


def test_a_drift_needs_four_epochs():
    assert drift(np.array([1.0, 2.0, 3.0]), 5.0) == 2
    assert drift(np.array([1.0, 2.0, 3.0, 4.0]), 5.0) > 5


def test_the_latest_epochs_follow_a_change_of_level():
    x = np.array([1.0] * 9 + [3.0, 3.0, 4.0])
    latest = [forecast(x, i, 10.0) for i in range(1, DRIFT)]
    assert latest[:3] == [4.0, 3.0, (3 + 10) / 6]
    assert forecast(x, LEVEL, 10.0) == pytest.approx(19 / 12)
    rising = np.arange(40.0) ** 2
    assert [forecast(rising, i, 1.0) for i in range(3, DRIFT)] == [
        pytest.approx(rising[-count:].mean()) for count in (6, 12, 24)
    ]


def test_a_cycle_repeats_its_median_shape():
    x = np.array([9.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0])
    # The next ones are 1, 1, 2, 1, ...
    assert forecast(x, cycle_of(3), 1.0) == 1
    assert forecast(x, cycle_of(3), 3.0) == pytest.approx(4 / 3)
    assert forecast(x, cycle_of(3), 5.0) == pytest.approx(6 / 5)
    assert forecast(x, cycle_of(3), 0.2) == 1
    assert forecast(np.array([1.0, 5.0, 1.0, 6.0, 9.0, 7.0]), cycle_of(2), 2.0) == (1 + 6) / 2


def test_the_next_epoch_by_each_candidate():
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    forecasts = next_epoch(x)
    assert len(forecasts) == COUNT
    assert forecasts[LEVEL] == 6.2
    assert forecasts[1 : 1 + len(LATEST)].tolist() == [16.0, 8.0, 6.2, 6.2, 6.2]
    assert forecasts[DRIFT] == drift(x, 1.0)
    assert forecasts[cycle_of(2) : cycle_of(6)].tolist() == [8.0, 4.0, 2.0, 1.0]
    assert set(forecasts[cycle_of(6) :]) == {6.2}
    assert next_epoch(np.array([3.0])).tolist() == [3.0] * COUNT
    long = np.arange(100.0)
    assert next_epoch(long)[cycle_of(LONGEST)] == 68
    assert cycle_of(32) == COUNT - 1


def test_candidates_forecast_from_enough_epochs_only():
    assert np.flatnonzero(able(1)).tolist() == [LEVEL]
    assert np.flatnonzero(able(2)).tolist() == [LEVEL, 1]
    assert np.flatnonzero(able(4)).tolist() == [LEVEL, 1, 2, DRIFT, cycle_of(2)]
    assert able(7)[3]
    assert not able(6)[3]
    assert not able(5)[cycle_of(3)]
    assert able(6)[cycle_of(3)]
    assert able(2 * LONGEST).all()


def test_epochs_that_the_mean_of_a_forecast_comes_from():
    assert epochs_behind(LEVEL, 20) == 20
    assert [epochs_behind(i, 20) for i in range(1, DRIFT)] == [1, 3, 6, 12, 20]
    assert epochs_behind(DRIFT, 20) == 5
    assert epochs_behind(cycle_of(4), 20) == 5


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_forecasts_scale_with_the_unit(factor):
    x = np.random.default_rng(3).lognormal(0, 0.3, 70)
    for i in np.flatnonzero(able(70)):
        scaled = forecast(x * factor, int(i), 30.0)
        assert scaled == pytest.approx(factor * forecast(x, int(i), 30.0), rel=1e-9)
