import numpy as np
import pytest

from joulecast.forecast.step import step_energy
from joulecast.units import Estimate, Provenance


def epochs(values, error=0.0):
    return [Estimate(v, v * (1 - error), v * (1 + error)) for v in values]


def test_spent_plus_the_mean_of_the_window_for_each_to_come():
    forecast = step_energy(epochs([30, 10, 12, 10, 12]), planned=10)
    assert forecast.value == pytest.approx(74 + 5 * 11)


def test_what_is_still_to_come_is_modelled_whatever_the_meters():
    assert step_energy(epochs([30, 10, 12]), 10).provenance is Provenance.MODELLED
    assert step_energy(epochs([30, 10, 12]), 3).provenance is Provenance.MEASURED
    assumed = Estimate(10, 10, 10, "J", Provenance.ASSUMED)
    assert step_energy([*epochs([30]), assumed, *epochs([10])], 10).provenance is Provenance.ASSUMED


def test_it_waits_for_two_stable_epochs():
    assert step_energy([], 10) is None
    assert step_energy(epochs([30]), 10) is None
    assert step_energy(epochs([30, 10]), 10) is None
    assert step_energy(epochs([30, 10, 10]), 10).value == pytest.approx(50 + 70)


def test_a_finished_run_costs_what_it_cost():
    assert step_energy(epochs([30, 10], 0.1), 2) == Estimate(40, 36, 44)
    assert step_energy(epochs([7]), 1).value == 7


def test_the_meters_error_remains_when_epochs_are_all_alike():
    forecast = step_energy(epochs([10] * 5, 0.2), 50)
    assert (forecast.low, forecast.high) == (pytest.approx(400), pytest.approx(600))


def test_the_interval_holds_for_independent_noise():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(600):
        run = 100 + rng.normal(0, 8, 30)
        forecast = step_energy(epochs(run[:6]), 30)
        inside += forecast.low <= run.sum() <= forecast.high
    assert 0.86 <= inside / 600 <= 0.94
