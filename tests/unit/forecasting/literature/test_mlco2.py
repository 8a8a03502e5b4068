import pytest

from joulecast.forecasting.base import Work
from joulecast.forecasting.literature.mlco2 import MLCO2


def test_rated_power_times_the_time():
    forecaster = MLCO2(tdp_w=250)
    assert forecaster.forecast(10) is None
    forecaster.add(Work(1, 40, 1))
    forecaster.add(Work(1, 20, 1))
    forecast = forecaster.forecast(10)
    assert forecast.duration.value == pytest.approx(300)
    assert forecast.energy.value == pytest.approx(75_000)
    assert forecast.energy.low is None
