"""Normality and equal variances."""

import numpy as np
import pytest
from scipy import stats

from fakes.groups import groups_of, normal_groups
from joulecast.analysis.statistics.assumptions import MAX_SHAPIRO, levene, shapiro


@pytest.mark.parametrize("n", [0, 1, 2])
def test_shapiro_needs_three_values(n: int) -> None:
    result = shapiro(groups_of(range(n))[0], 0.05)
    assert (result.n, result.tested, result.p, result.normal) == (n, 0, None, None)
    assert result.reason


@pytest.mark.parametrize("value", [0.0, 5.0, -3e17, 1e-300])
def test_shapiro_of_a_constant_is_undefined(value: float) -> None:
    result = shapiro(groups_of([value] * 9)[0], 0.05)
    assert result.p is None and result.normal is None and result.reason


def test_shapiro_of_rounding_alone_is_undefined() -> None:
    assert shapiro(groups_of([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3])[0], 0.05).p is None


def test_shapiro_separates_skewed_from_normal() -> None:
    rng = np.random.default_rng(0)
    assert shapiro(groups_of(rng.normal(3e9, 1e3, 50))[0], 0.05).normal is True
    assert shapiro(groups_of(rng.exponential(size=50))[0], 0.05).normal is False


def test_shapiro_is_that_of_scipy_in_any_unit() -> None:
    x = np.random.default_rng(0).normal(1e-9, 1e-10, 40)
    expected = stats.shapiro(x * 1e9)
    for scale in (1.0, 1e50):
        result = shapiro(groups_of(x * scale)[0], 0.05)
        assert result.statistic == pytest.approx(expected.statistic, rel=1e-6)
        assert result.p == pytest.approx(expected.pvalue, rel=1e-6)


def test_shapiro_of_a_large_group_tests_the_same_sample_each_time() -> None:
    x = np.random.default_rng(1).normal(size=100_000)
    first, second = (shapiro(groups_of(x)[0], 0.05) for _ in range(2))
    assert first == second and first.p is not None
    assert (first.n, first.tested) == (100_000, MAX_SHAPIRO)


def test_shapiro_of_a_constant_sample_is_undefined() -> None:
    x = np.zeros(1_000_000)
    x[0] = 1.0
    result = shapiro(groups_of(x)[0], 0.05)
    assert (result.tested, result.p) == (MAX_SHAPIRO, None)


def test_levene_is_the_anova_of_distances_from_the_median() -> None:
    groups = normal_groups(3, 0, 0, 0)
    expected = stats.f_oneway(*(np.abs(g.values - np.median(g.values)) for g in groups))
    result = levene(groups, 0.05)
    assert result.statistic == pytest.approx(expected.statistic)
    assert result.p == pytest.approx(expected.pvalue)
    assert result.equal == (result.p >= 0.05)


@pytest.mark.parametrize(
    "parts",
    [
        ([1.0], [2.0]),
        ([1.0, 1.0], [2.0, 2.0, 2.0]),
        ([1.0, 2.1], [0.3, 5.7]),
        ([1.0, 2.0, 3.0],),
        (),
    ],
)
def test_levene_is_undefined_without_variation_of_distances(parts: tuple) -> None:
    result = levene(groups_of(*parts), 0.05)
    assert result.p is None and result.equal is None and result.reason
