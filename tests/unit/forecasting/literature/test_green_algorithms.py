import pytest

from joulecast.forecasting.base import Work
from joulecast.forecasting.literature.green_algorithms import GreenAlgorithms


def test_rated_power_and_memory_times_the_time():
    forecaster = GreenAlgorithms(tdp_w=350, ram_gb=64, usage_factor=0.5)
    forecaster.add(Work(1, 100, 1))
    forecaster.add(Work(1, 80, 1))
    forecast = forecaster.forecast(20)
    assert forecast.duration.value == pytest.approx(1800)
    assert forecast.energy.value == pytest.approx((175 + 64 * 0.3725) * 1800)
    assert (forecast.energy.low, forecast.duration.high) == (None, None)


def test_full_load_by_default():
    forecaster = GreenAlgorithms(tdp_w=300, ram_gb=0)
    forecaster.add(Work(0.5, 10, 1))
    assert forecaster.forecast(1).energy.value == pytest.approx(6000)


def test_never_below_the_energy_so_far():
    forecaster = GreenAlgorithms(tdp_w=1, ram_gb=0)
    forecaster.add(Work(1, 10, 4000))
    assert forecaster.forecast(2).energy.value == 4000


def test_nothing_before_the_first_work():
    assert GreenAlgorithms(300, 0).forecast(10) is None
