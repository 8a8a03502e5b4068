import pytest

from joulecast.forecasting.base import Work
from joulecast.forecasting.literature.step import StepEnergy, StepPower
from joulecast.forecasting.literature.step_fluss import StepEnergyFluss, StepPowerFluss


def after(forecaster, works):
    for work in works:
        forecaster.add(work)
    return forecaster


WARM_UP = [Work(1, 20, 3000)] + [Work(1, 10, 1500)] * 9
STABLE = [Work(1, 10, 2000), Work(1, 12, 2400), Work(1, 8, 1600), Work(1, 10, 1900)]
STABLE += [Work(1, 10, 2100)]


@pytest.mark.parametrize("form", [StepEnergy, StepPower])
def test_the_first_forecast_is_after_the_window(form):
    works = [*WARM_UP, *STABLE]
    assert after(form(), works[:14]).forecast(50) is None
    forecast = after(form(), works).forecast(50)
    assert (forecast.energy.low, forecast.energy.high) == (None, None)
    assert forecast.duration.value == pytest.approx(110 + 50 + 35 * 10)


def test_energy_form_adds_the_mean_of_the_window_to_the_energy_so_far():
    forecast = after(StepEnergy(), [*WARM_UP, *STABLE]).forecast(50)
    assert forecast.energy.value == pytest.approx(3000 + 9 * 1500 + 10_000 + 35 * 2000)


def test_power_form_multiplies_the_power_of_the_window_by_the_time():
    forecast = after(StepPower(), [*WARM_UP, *STABLE]).forecast(50)
    assert forecast.energy.value == pytest.approx(10_000 / 50 * (110 + 50 + 35 * 10))


def test_the_window_does_not_move():
    later = [*WARM_UP, *STABLE, *[Work(1, 10, 5000)] * 5]
    forecast = after(StepEnergy(), later).forecast(50)
    assert forecast.energy.value == pytest.approx(16_500 + 10_000 + 25_000 + 30 * 2000)


def test_steps_and_epochs_give_the_same_forecast():
    def cut(work):
        return [Work(work.progress / 3, work.duration_s / 3, work.energy_j / 3)] * 3

    whole = after(StepPower(), [*WARM_UP, *STABLE]).forecast(50)
    parts = after(StepPower(), [p for w in [*WARM_UP, *STABLE] for p in cut(w)]).forecast(50)
    assert parts.energy.value == pytest.approx(whole.energy.value)
    assert parts.duration.value == pytest.approx(whole.duration.value)


def test_no_forecast_below_the_energy_so_far_nor_of_an_endless_run():
    forecaster = after(StepPower(), [*WARM_UP, *STABLE])
    assert forecaster.forecast(float("inf")) is None
    assert forecaster.forecast(0) is None
    pending = Work(0, 1e6, 1e9)
    forecast = forecaster.forecast(16, pending)
    assert forecast.energy.value == 26_500 + 1e9
    assert forecast.duration.value == 160 + 1e6


def test_work_without_a_duration_has_no_power():
    assert after(StepPower(), [Work(1, 0, 5)] * 15).forecast(50).energy.value == 75


class At:
    """A search that returns a fixed time and keeps the traces it was given."""

    def __init__(self, t_s):
        self.t_s, self.lengths, self.power_w = t_s, [], None

    def __call__(self, t_s, power_w):
        assert len(t_s) == len(power_w)
        self.lengths.append(len(t_s))
        self.power_w = power_w
        return self.t_s


def test_the_stabilizing_point_replaces_the_fixed_epoch():
    steps = [Work(0.1, 1, 50)] * 20 + [Work(0.1, 1, 80)] * 60
    find = At(20.0)
    forecast = after(StepEnergyFluss(search=find), steps).forecast(30)
    assert find.power_w[18:22].tolist() == [50, 50, 80, 80]
    assert forecast.energy.value == pytest.approx(20 * 50 + 60 * 80 + 22 * 800)
    power = after(StepPowerFluss(search=At(20.0)), steps).forecast(30)
    assert power.energy.value == pytest.approx(80 * 300)


def test_a_trace_too_short_to_search_is_not_searched():
    find = At(0.0)
    assert after(StepEnergyFluss(search=find), [Work(1, 1, 1)] * 39).forecast(100) is None
    assert find.lengths == []


def test_the_search_is_not_repeated_for_every_work():
    find = At(None)
    forecaster = StepEnergyFluss(search=find)
    for _ in range(400):
        forecaster.add(Work(1, 1, 1))
        assert forecaster.forecast(1000) is None
    assert len(find.lengths) < 40
    assert find.lengths[-1] > 300


def test_no_forecast_before_the_window_after_the_point_is_complete():
    forecaster = after(StepEnergyFluss(search=At(38.0)), [Work(1, 1, 1)] * 41)
    assert forecaster.forecast(100) is None
    assert after(forecaster, [Work(1, 1, 1)] * 2).forecast(100).energy.value == 100
