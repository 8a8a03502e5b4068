import numpy as np

from joulecast.forecasting.physical.constants import Constants, shipped


def test_shipped_constants_are_physical():
    values = shipped()["constants"]
    assert len(values) == 38
    assert all(v > 0 for v in values.values())
    constants = Constants.of(values)
    assert constants.efficiency.exposed <= 1
    # Winograd saves a factor of 2.25 at most.
    assert np.all(constants.efficiency.compute <= 2.25)
    assert 1 <= constants.draw.gamma <= 3.5
    assert 0.5 < constants.draw.sustained <= 1
    for rung in ("catalog", "calibrated"):
        assert set(shipped()["errors"][rung]) == {"duration", "energy", "power"}
