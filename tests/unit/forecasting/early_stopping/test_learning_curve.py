import numpy as np
import pytest

from joulecast.forecasting.early_stopping.learning_curve import continuations


def draws(values, ahead, many=400):
    at = np.arange(1.0, len(values) + 1)
    later = np.arange(len(values) + 1.0, len(values) + 1 + ahead)
    return continuations(at, np.asarray(values), later, many, np.random.default_rng(3)), later


@pytest.mark.parametrize(
    "curve",
    [
        lambda t: 0.2 + 2 * t**-0.5,
        lambda t: 0.2 + 2 * np.exp(-t / 15),
        lambda t: 0.9 - 0.8 / t,  # an accuracy
    ],
)
def test_a_curve_of_known_shape_is_continued(curve) -> None:
    """With noise of one hundredth of its range."""
    seen, later = np.arange(1.0, 41), np.arange(41.0, 61)
    inside, errors, of_staying = [], [], []
    for seed in range(20):
        noise = 0.01 * np.ptp(curve(seen)) * np.random.default_rng(seed).standard_normal(60)
        paths, _ = draws(curve(seen) + noise[:40], 20)
        low, middle, high = np.quantile(paths, [0.05, 0.5, 0.95], axis=0)
        follows = curve(later) + noise[40:]
        inside.append((low <= follows) & (follows <= high))
        errors.append(np.abs(middle - curve(later)))
        of_staying.append(np.abs((curve(seen) + noise[:40])[-3:].mean() - curve(later)))
        assert (high - low)[-1] > (high - low)[0] > 0  # further away is less sure
    assert np.mean(inside) > 0.85
    assert np.mean(errors) < 1.2 * np.mean(of_staying)


def test_few_points_are_less_sure_than_many() -> None:
    curve = 0.2 + 2 * np.arange(1.0, 61) ** -0.5
    few, _ = draws(curve[:4], 30)
    many, _ = draws(curve, 30)
    assert np.ptp(few[:, -1]) / np.ptp(curve[:4]) > 2 * np.ptp(many[:, -1]) / np.ptp(curve)


def test_the_noise_goes_on_as_it_was() -> None:
    rng = np.random.default_rng(5)
    paths, _ = draws(1.0 + rng.normal(0, 0.1, 60), 200, many=100)
    within = (np.diff(paths, 2, axis=1).std() / np.sqrt(6)) / 0.1
    assert 0.6 < within < 1.6


def test_scale_and_direction_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    curve = 0.2 + 2 * np.arange(1.0, 31) ** -0.5 + rng.normal(0, 0.05, 30)
    paths, _ = draws(curve, 10)
    larger, _ = draws(1e6 * curve + 3e6, 10)
    np.testing.assert_allclose(larger, 1e6 * paths + 3e6, rtol=1e-6)


@pytest.mark.parametrize(
    "values", [[0.5] * 10, [0.0] * 3, [1e90, 1.0, 1.0, 1.0], [1, 1, 1 + 1e-15]]
)
def test_odd_curves_give_numbers(values) -> None:
    paths, _ = draws(values, 50)
    assert paths.shape == (400, 50) and np.isfinite(paths).all()
