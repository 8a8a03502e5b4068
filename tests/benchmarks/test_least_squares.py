import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from least_squares import fit


def test_outliers_do_not_move_the_parameters():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 5, 200)
    y = 3 * np.exp(-0.7 * x) + rng.normal(0, 0.02, 200)
    y[::20] += 5

    def residuals(at):
        return (at[0] * np.exp(-at[1] * x) - y) / 0.02

    fitted = fit(residuals, np.array([1.0, 1.0]), np.array([10.0, 10.0]))
    assert fitted == pytest.approx([3, 0.7], rel=0.02)


def test_parameters_without_measurements_stay_at_the_prior():
    fitted = fit(lambda at: (at[:1] - 5) / 0.01, np.array([1.0, 2.0]), np.array([3.0, 0.1]))
    assert fitted == pytest.approx([5, 2], abs=0.01)


def test_prior_and_measurement_are_weighted_by_their_deviations():
    fitted = fit(lambda at: at - 1, np.zeros(1), np.ones(1))
    assert fitted == pytest.approx([0.5], abs=1e-3)


def test_the_physical_fit_has_a_prior_for_each_shipped_constant():
    import physical_fit
    from joulecast.forecasting.physical.constants import shipped

    assert set(shipped()["constants"]) == set(physical_fit.PRIORS)
