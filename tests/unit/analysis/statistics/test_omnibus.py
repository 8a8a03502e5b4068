"""Tests of all groups."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from fakes.groups import groups_of, normal_groups
from joulecast.analysis.statistics.assumptions import levene, shapiro
from joulecast.analysis.statistics.groups import Group
from joulecast.analysis.statistics.omnibus import kruskal_wallis, welch_anova

values = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-50, 50).map(lambda x: round(x, 2))),
    min_size=1,
    max_size=12,
)


def test_kruskal_is_its_formula() -> None:
    # Without ties the values are their own ranks.
    a, b, c = [1.0, 4.0, 7.0], [2.0, 5.0, 8.0, 10.0], [3.0, 6.0, 9.0]
    result = kruskal_wallis(groups_of(a, b, c))
    ranks = [sum(part) for part in (a, b, c)]
    h = 12 / (10 * 11) * sum(r * r / n for r, n in zip(ranks, (3, 4, 3), strict=True)) - 3 * 11
    assert result.statistic == pytest.approx(h)
    # The survival function of chi-squared with two degrees of freedom.
    assert result.p == pytest.approx(math.exp(-h / 2))
    assert result.df == (2.0,)


def test_kruskal_of_two_is_mann_whitney() -> None:
    a, b = normal_groups(5, 0, 1)
    expected = stats.mannwhitneyu(a.values, b.values, use_continuity=False, method="asymptotic")
    assert kruskal_wallis([a, b]).p == pytest.approx(expected.pvalue)


def test_welch_of_two_is_the_t_test() -> None:
    a, b = normal_groups(8, 0, 1)
    expected = stats.ttest_ind(a.values, b.values, equal_var=False)
    result = welch_anova([a, b])
    assert result.p == pytest.approx(expected.pvalue)
    assert result.statistic == pytest.approx(expected.statistic**2)
    assert result.df == pytest.approx((1.0, expected.df))


def test_welch_does_not_depend_on_the_unit() -> None:
    groups = normal_groups(9, 5, 6)
    huge = [Group(g.name, g.values * 1e99) for g in groups]
    assert welch_anova(huge).p == pytest.approx(welch_anova(groups).p)


@pytest.mark.parametrize(
    ("parts", "word"),
    [((), "no group"), (([1.0, 2.0],), "one group"), (([1.0], [2.0], [3.0]), "one value")],
)
def test_too_little_for_any_test(parts: tuple[list[float], ...], word: str) -> None:
    for test in (kruskal_wallis, welch_anova):
        result = test(groups_of(*parts))
        assert result.p is None and word in result.reason


@pytest.mark.parametrize("parts", [([1.0, 2.0], [3.0]), ([1.0, 1.0], [3.0, 4.0])])
def test_welch_needs_variances(parts: tuple[list[float], ...]) -> None:
    result = welch_anova(groups_of(*parts))
    assert result.p is None and result.reason
    assert kruskal_wallis(groups_of(*parts)).p is not None


def test_kruskal_of_equal_values_is_undefined() -> None:
    result = kruskal_wallis(groups_of([2.0, 2.0], [2.0, 2.0, 2.0]))
    assert result.p is None and result.reason


@settings(max_examples=50, deadline=None)
@given(st.lists(values, min_size=2, max_size=5))
def test_a_p_is_a_probability_or_has_a_reason(parts: list[list[float]]) -> None:
    groups = groups_of(*parts)
    for test in (kruskal_wallis(groups), welch_anova(groups), levene(groups, 0.05)):
        assert (test.p is None) == (test.reason is not None)
        assert test.p is None or 0 <= test.p <= 1
        assert test.statistic is None or math.isfinite(test.statistic)
    for group in groups:
        normality = shapiro(group, 0.05)
        assert (normality.p is None) == (normality.reason is not None)
        assert np.isfinite(normality.p or 0.0)


def test_welch_of_three_is_that_of_statsmodels() -> None:
    groups = normal_groups(4, 0, 1, 3)
    expected = anova_oneway([g.values for g in groups], use_var="unequal", welch_correction=True)
    result = welch_anova(groups)
    assert (result.statistic, result.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert result.df == pytest.approx(expected.df)
    # 12 + 15 + 18 values.
    above = 2 * (expected.statistic - 1)
    assert result.effect.name == "omega-squared"
    assert result.effect.value == pytest.approx(above / (above + 45))


def test_the_effect_of_kruskal_is_from_h_of_all_values() -> None:
    result = kruskal_wallis(groups_of([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]))
    # Mean ranks 2, 5 and 8: H = 12 / 90 * 3 * (4 + 25 + 64) - 30; (H - 3 + 1) / (9 - 3).
    assert result.statistic == pytest.approx(7.2)
    assert (result.effect.name, result.effect.value) == ("eta-squared", pytest.approx(5.2 / 6))


def test_one_value_in_some_groups_only_leaves_ranks_to_compare() -> None:
    result = kruskal_wallis(groups_of([1.0], [2.0], [3.0, 4.0]))
    # Ranks 1, 2 and 3.5: H = 12 / 20 * (1 + 4 + 24.5) - 15.
    assert result.statistic == pytest.approx(2.7)
    assert result.df == (2.0,)


def test_a_reason_names_the_groups() -> None:
    assert "g0 has" in welch_anova(groups_of([1.0], [2.0, 3.0])).reason
    assert "have one value" in welch_anova(groups_of([1.0], [2.0], [3.0, 4.0])).reason
    constant = welch_anova(groups_of([1.0, 1.0], [2.0, 3.0], [4.0, 5.0])).reason
    assert "g0 has no variance" in constant
    assert "(2 values)" in welch_anova(groups_of([1.0, 2.0])).reason


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_welch_of_variances_beyond_floats_is_undefined(size: float) -> None:
    groups = groups_of([size, -size], [size, 2 * size])
    with np.errstate(all="ignore"):
        result = welch_anova(groups)
    assert (result.statistic, result.p, result.df) == (None, None, ())
    assert "undefined" in result.reason
    assert kruskal_wallis(groups).p is not None
