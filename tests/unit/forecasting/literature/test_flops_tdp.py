import pytest

from joulecast.forecasting.literature.flops_tdp import rated_duration_s, training_flops


def test_three_passes_of_training_and_one_of_validation():
    assert training_flops(2.0, samples=10) == 60e9
    assert training_flops(2.0, samples=10, validated=5) == 70e9
    assert rated_duration_s(70e9, peak_tflops=35.0) == pytest.approx(2e-3)
