"""How candidates are weighed, and what the interval is made of."""

import math

import numpy as np
import pytest
import scipy.stats

from joulecast.forecasting.online.candidates import COUNT, DRIFT, LEVEL, drift, slope
from joulecast.forecasting.online.rates import RECENT, LaterEpochs, drifts, t95


def later(*values):
    epochs = LaterEpochs()
    for value in values:
        epochs.add(value)
    return epochs


def noisy(n, noise, seed=0):
    return 100 * (1 + noise * np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize("freedom", [*range(1, 13), 30, 200])
def test_students_quantile(freedom):
    assert t95(freedom) == pytest.approx(scipy.stats.t.ppf(0.95, freedom), rel=0.008)


# --- weights ---


def test_a_steady_run_stays_with_its_level():
    epochs = later(*noisy(20, 0.01))
    weights = epochs.weights()
    assert weights.sum() == pytest.approx(1)
    assert weights[LEVEL] > 0.95
    assert len(weights) == COUNT


def test_weights_are_the_priors_times_what_the_errors_say():
    epochs = later(10.0, 10.0, 13.0, 13.0, 13.0)
    # Errors of the level, to which the first 13 is odd: 0, 3, 3, 1.5; of the last one: 0, 3, 0, 0.
    # Of a sum of 59, a thousandth.
    level_errors, last_errors = 7.5 + 0.059, 3 + 0.059
    odds = 0.01 * (level_errors / last_errors) ** 4
    weights = epochs.weights()
    assert weights[1] / weights[LEVEL] == pytest.approx(odds)


def test_a_candidate_speaks_once_it_was_better_twice_in_a_row():
    assert later(10.0, 10.0, 10.0, 13.0).weights()[1] == 0
    assert later(10.0, 10.0, 10.0, 13.0, 13.0).weights()[1] == 0
    assert later(10.0, 10.0, 10.0, 13.0, 13.0, 13.0).weights()[1] > 0.1
    # One that was as good only is not better.
    assert later(*[10.0] * 20).weights().tolist() == [1.0] + [0.0] * (COUNT - 1)


def test_errors_that_no_meter_resolves_say_nothing():
    quiet = later(*(100 + 1e-5 * np.arange(12)))
    assert quiet.weights()[LEVEL] > 0.9
    assert quiet.rate(30.0, 100.0).value == pytest.approx(100, rel=1e-5)


def test_a_long_run_keeps_its_latest_epochs():
    epochs = later(*np.arange(1.0, RECENT + 101))
    assert len(epochs) == RECENT
    assert epochs.usual == pytest.approx(np.arange(101.0, RECENT + 101).mean())


# --- values ---


def test_the_first_epoch_is_no_part_of_the_value():
    assert later(10.0).rate(50.0, 200.0).value == 10
    assert later(10.0, 12.0).rate(50.0, 0.1).value == 11


def test_a_change_of_level_is_followed_from_its_third_epoch():
    before = noisy(20, 0.003)
    values = [later(*before, *after).rate(20.0, 100.0).value for after in ([130.0], [130.0] * 3)]
    assert values[0] < 105
    assert values[1] == pytest.approx(130, rel=0.005)


def test_a_drift_goes_on():
    x = noisy(15, 0.003) * 1.01 ** np.arange(15)
    rate = later(*x).rate(40.0, 100.0)
    truth = 100 * np.mean(1.01 ** np.arange(15, 55))
    assert rate.value == pytest.approx(truth, rel=0.06)
    assert rate.low < truth < rate.high


def test_cycles_are_recognized():
    x = noisy(14, 0.003)
    x[3::5] *= 2
    assert later(*x).rate(50.0, 100.0).value == pytest.approx(120, rel=0.005)
    assert later(*x).rate(4.0, 100.0).value == pytest.approx(100, rel=0.005)


def test_one_epoch_that_takes_five_times_as_long_is_an_accident():
    rate = later(100.0, 500.0, 100.2, 99.9).rate(40.0, 100.0)
    assert rate.value == pytest.approx(100, rel=0.002)
    # It may come again.
    assert rate.high > 100 + 400 / 4


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_rates_scale_with_the_unit(factor):
    x = [*noisy(20, 0.05), 130.0, 130.0, 131.0]
    one, other = (
        later(*x).rate(30.0, 150.0),
        later(*np.multiply(x, factor)).rate(30.0, 150.0 * factor),
    )
    assert (other.value, other.low, other.high) == pytest.approx(
        (factor * one.value, factor * one.low, factor * one.high), rel=1e-9
    )


def test_no_energy_is_no_rate():
    rate = later(0.0, 0.0, 0.0, 0.0, 0.0).rate(10.0, 0.0)
    assert (rate.value, rate.low, rate.high) == (0, 0, 0)


# --- intervals ---


def test_with_one_later_epoch_the_interval_comes_from_the_distance_to_the_first():
    far = math.log(11)
    near = later(100.0).rate(10.0, 100.0)
    least = math.hypot(2, 0.1)
    assert near.low == pytest.approx(100 - math.hypot(least, far))
    assert near.high == pytest.approx(100 + math.hypot(least, 6 * far))
    longer = later(100.0).rate(10.0, 110.0)
    assert longer.high == pytest.approx(100 + math.hypot(least, 18, 6 * far))
    assert longer.low == pytest.approx(100 - math.hypot(least, 18, far))


def test_a_first_epoch_far_from_the_second_counts_up_to_a_limit_or_is_start_up():
    far = math.log(11)
    half = math.hypot(2, 0.1, 45)
    limited = later(100.0).rate(10.0, 140.0)
    assert limited.low == pytest.approx(100 - math.hypot(half, far))
    assert later(100.0).rate(10.0, 169.0).high == limited.high
    assert later(100.0).rate(10.0, 171.0) == later(100.0).rate(10.0, 100.0)
    # A shorter first one may be the usual one.
    shorter = later(100.0).rate(10.0, 40.0)
    assert shorter.low == max(0, 40 - math.hypot(half, far))
    assert later(100.0).rate(10.0, 90.0).low == pytest.approx(
        90 - math.hypot(math.hypot(2, 0.1, 18), far)
    )


def test_noise_is_that_of_the_forecasts_of_single_epochs():
    rate = later(100.0, 104.0, 99.0).rate(30.0, 100.0)
    # Errors of 4 and -3, of which the means of one and two epochs have a part.
    size = (4 / math.sqrt(2) + 3 / math.sqrt(1.5)) / 2
    noise = 1.07 * 2.92 * size * math.sqrt(1 / 3 + 1 / 30)
    far = math.log1p(10)
    assert rate.value == 101
    assert rate.low == pytest.approx(101 - math.hypot(noise, 1.01 * far))
    assert rate.high == pytest.approx(101 + math.hypot(noise, 6.06 * far))
    # Of less than one epoch to come, no less than one.
    last = later(100.0, 104.0, 99.0).rate(0.5, 100.0)
    noise = 1.07 * 2.92 * size * math.sqrt(1 / 3 + 1)
    assert last.low == pytest.approx(101 - math.hypot(noise, 1.01 * math.log1p(0.5 / 3)))


def test_a_sensors_period_widens_the_interval_of_short_epochs():
    plain, timed, short = (
        later(100.0, 100.0, 100.0).rate(30.0, 100.0, seconds) for seconds in (math.inf, 10.0, 0.1)
    )
    far = 1.0 * math.log1p(10)

    def low(unit):
        return 100 - math.hypot(1.07 * 2.92 * unit * math.sqrt(1 / 3 + 1 / 30), far)

    assert plain.low == pytest.approx(low(0.1))
    assert timed.low == pytest.approx(low(0.1 + 1.2))
    assert short.low == pytest.approx(low(0.1 + 12))


def test_an_odd_error_extends_the_interval_to_its_side():
    x = [100.0, 101.0, 99.0, 100.0, 101.0, 100.0]
    usual = later(*x, 100.0).rate(30.0, 100.0)
    high = later(*x, 300.0).rate(30.0, 100.0)
    low = later(*x, 1.0).rate(30.0, 100.0)
    assert high.high > usual.high + 200 / 7 * 0.8
    assert high.low == pytest.approx(usual.low, abs=1)
    assert low.low < usual.low - 99 / 7 * 0.8
    assert low.high == pytest.approx(usual.high, abs=1)


def test_bounds_include_what_another_candidate_forecasts():
    x = [10.0, 10.0, 13.0, 13.0, 13.0]
    rate = later(*x).rate(1.0, 10.0)
    assert rate.low < 11.8
    assert rate.high > 13


def test_bounds_reach_as_far_as_a_drift_is_probable():
    x = np.array([100.0, 101.1, 101.9, 103.0])
    rise, middle = slope(x)
    assert rise * middle == pytest.approx(0.95)
    residuals = x - middle - 0.95 * np.array([-1.5, -0.5, 0.5, 1.5])
    variance = (residuals**2).sum() / 2 + (0.001 * middle) ** 2
    square = 0.95**2 / (variance / 4)
    odds = (1 + square / 2) ** 2 / 20
    probable = odds / (1 + odds)
    line, compound = drifts(x, 50.0, 200.0)
    assert line == pytest.approx(200 + probable * (middle * (1 + rise * 27) - 200))
    assert compound == pytest.approx(200 + probable * (drift(x, 50.0, 1e6) - 200))


def test_a_line_that_falls_ends_above_nothing():
    x = np.array([100.0, 90.0, 80.0, 70.0, 60.0, 50.0])
    line, compound = drifts(x, 1000.0, 75.0)
    assert line == pytest.approx(0.05 * 75, rel=0.01)
    assert 0 < compound < 10


def test_no_drift_of_nothing():
    assert drifts(np.zeros(4), 10.0, 7.0) == (7, 7)


def test_a_drift_is_probable_long_before_it_wins():
    x = [100.0, 101.0, 102.1, 103.0]
    epochs = later(*x)
    assert epochs.weights()[DRIFT] < 0.05
    assert epochs.rate(50.0, 99.0).high > 130
    assert epochs.rate(50.0, 99.0).low > 90
