import pytest

from joulecast.forecasting.base import Work
from joulecast.forecasting.literature.carbontracker import CarbonTracker


def after(forecaster, works):
    for work in works:
        forecaster.add(work)
    return forecaster


WORKS = [Work(1, 30, 900), Work(1, 10, 300), Work(1, 10, 300)]


def test_mean_of_the_first_epochs_times_the_number_of_them():
    forecast = after(CarbonTracker(), WORKS).forecast(10)
    assert forecast.energy.value == pytest.approx(5000)
    assert forecast.duration.value == pytest.approx(500 / 3)
    assert (forecast.energy.low, forecast.energy.high) == (None, None)


def test_nothing_seen_or_nothing_to_forecast():
    assert CarbonTracker().forecast(10) is None
    assert after(CarbonTracker(), [Work(0, 5, 5)]).forecast(10) is None
    seen = after(CarbonTracker(), WORKS)
    assert seen.forecast(float("inf")) is None
    assert seen.forecast(float("nan")) is None
    assert seen.forecast(0) is None


def test_never_below_the_energy_so_far():
    forecaster = after(CarbonTracker(), [Work(1, 10, 10), Work(1, 10, 990)])
    assert forecaster.forecast(1).energy.value == 1000
    assert forecaster.forecast(2, Work(0, 50, 500)).energy.value == 1500
    assert forecaster.forecast(2, Work(0, 50, 500)).duration.value == 70
