import numpy as np
import pytest

from joulecast.forecasting.literature.least_squares import fit
from joulecast.forecasting.physical.constants import PRIORS, Constants, shipped


def test_known_parameters_are_found_again_in_spite_of_outliers():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 5, 200)
    y = 3 * np.exp(-0.7 * x) + rng.normal(0, 0.02, 200)
    y[::20] += 5

    def residuals(at):
        return (at[0] * np.exp(-at[1] * x) - y) / 0.02

    found = fit(residuals, np.array([1.0, 1.0]), np.array([10.0, 10.0]))
    assert found == pytest.approx([3, 0.7], rel=0.02)


def test_what_nothing_is_measured_of_stays_at_the_prior():
    found = fit(lambda at: (at[:1] - 5) / 0.01, np.array([1.0, 2.0]), np.array([3.0, 0.1]))
    assert found == pytest.approx([5, 2], abs=0.01)


def test_prior_and_measurement_are_weighed_by_their_deviations():
    found = fit(lambda at: at - 1, np.zeros(1), np.ones(1))
    assert found == pytest.approx([0.5], abs=1e-3)


def test_shipped_constants_are_those_of_the_model_and_physical():
    values = shipped()["constants"]
    assert set(values) == set(PRIORS)
    assert all(v > 0 for v in values.values())
    constants = Constants.of(values)
    assert constants.efficiency.exposed <= 1
    assert np.all(constants.efficiency.compute <= 2.25)  # what Winograd saves at most
    assert 1 <= constants.draw.gamma <= 3.5
    assert 0.5 < constants.draw.held <= 1
    for rung in ("catalog", "calibrated"):
        assert set(shipped()["errors"][rung]) == {"duration", "energy", "power"}
