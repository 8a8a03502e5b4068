import numpy as np
import pytest

from joulecast.analysis.power.change_point import MIN_SAMPLES, last_change
from joulecast.analysis.statistics.trend import theil_sen


def epochs(n, low=130.0, high=180.0, period=30, noise=3.0, seed=0):
    """Training at one power, validation at another, over and over."""
    rng = np.random.default_rng(seed)
    return np.where(np.arange(n) % period < 0.7 * period, high, low) + rng.normal(0, noise, n)


@pytest.mark.parametrize("at", [150, 250, 600])
def test_warm_up_is_detected_within_an_epoch(at):
    trace = epochs(2000)
    trace[:at] -= 35
    change = last_change(trace)
    assert change.at == pytest.approx(at, abs=30)
    assert change.after - change.before == pytest.approx(35, abs=12)


def test_warm_up_in_several_steps_ends_with_the_last():
    trace = epochs(2000, noise=5)
    trace[:100] -= 80
    trace[100:400] -= 30
    assert last_change(trace).at == pytest.approx(400, abs=30)


@pytest.mark.parametrize("seed", range(10))
def test_epochs_are_not_a_change(seed):
    assert last_change(epochs(2000, seed=seed)) is None


def test_noise_is_rarely_a_change():
    rng = np.random.default_rng(1)
    alarms = sum(last_change(200 + 40 * rng.normal(size=600)) is not None for _ in range(200))
    assert alarms <= 20  # 5 % where the trace is long


def test_autocorrelated_noise_is_rarely_a_change():
    """With a lag-1 correlation of 0.7; without the long-run variance, 6 of 10 would be."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        noise = rng.normal(size=600)
        for i in range(1, len(noise)):
            noise[i] += 0.7 * noise[i - 1]
        alarms += last_change(100 + 10 * noise) is not None
    assert alarms <= 15


def test_change_of_less_than_two_percent_is_ignored():
    trace = np.full(1000, 300.0)
    trace[:200] -= 5
    assert last_change(trace) is None
    trace[:200] -= 5
    assert last_change(trace).at == 200


def test_change_in_the_second_half():
    trace = np.full(1000, 300.0)
    trace[800:] = 200
    assert last_change(trace) is None or last_change(trace).at <= 500
    assert last_change(trace, 1.0).at == 800


def test_too_short_constant_or_zero():
    assert last_change(np.arange(MIN_SAMPLES - 1.0)) is None
    assert last_change(np.full(500, 250.0)) is None
    assert last_change(np.zeros(500)) is None


def test_slope_with_its_interval():
    rng = np.random.default_rng(0)
    x = np.arange(50.0)
    slope = theil_sen(x, 3 + 0.5 * x + rng.normal(0, 2, 50))
    assert slope.low < slope.value < slope.high
    assert slope.value == pytest.approx(0.5, abs=0.1)


def test_interval_of_a_slope_covers_it_nine_times_in_ten():
    rng = np.random.default_rng(2)
    x = np.arange(20.0)
    covered = 0
    for _ in range(400):
        slope = theil_sen(x, 0.3 * x + rng.standard_t(3, 20))
        covered += slope.low <= 0.3 <= slope.high
    assert 0.86 <= covered / 400 <= 0.96


def test_slopes_of_many_points_and_of_few():
    x = np.arange(100_000.0)
    assert theil_sen(x, 2 * x).value == pytest.approx(2)
    assert theil_sen(x[:7], x[:7]) is None
    flat = theil_sen(x[:10], np.full(10, 5.0))
    assert (flat.value, flat.low, flat.high) == (0.0, 0.0, 0.0)
