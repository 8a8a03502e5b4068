import numpy as np

from joulecast.forecasting.physical.constants import PRIORS, Constants, shipped


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
