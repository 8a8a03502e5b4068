"""Assumptions, tests of all groups and of pairs, against other implementations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.assumptions import MOST_SHAPIRO, levene, shapiro
from joulecast.analysis.statistics.groups import Group
from joulecast.analysis.statistics.omnibus import kruskal_wallis, welch_anova
from joulecast.analysis.statistics.posthoc import dunn, games_howell, holm

values = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-50, 50).map(lambda x: round(x, 2))),
    min_size=1,
    max_size=12,
)
several = st.lists(values, min_size=2, max_size=5)


def groups(*parts: object) -> list[Group]:
    return [Group(f"g{i}", np.array(part, dtype=float)) for i, part in enumerate(parts)]


def normal(seed: int, *shifts: float, n: int = 12) -> list[Group]:
    rng = np.random.default_rng(seed)
    return groups(*(rng.normal(s, 1 + i, n + 3 * i) for i, s in enumerate(shifts)))


# --- assumptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "reason"), [(0, "0 values"), (1, "1 value:"), (2, "2 values")])
def test_shapiro_needs_three(n: int, reason: str) -> None:
    found = shapiro(groups(range(n))[0], 0.05)
    assert found.p is None and found.normal is None and reason in found.reason


@pytest.mark.parametrize("value", [0.0, 5.0, -3e17, 1e-300])
def test_shapiro_of_a_constant_is_no_p(value: float) -> None:
    found = shapiro(groups([value] * 9)[0], 0.05)
    assert (found.p, found.normal, found.reason) == (None, None, "all values are the same")


def test_shapiro_of_rounding_alone_is_no_p() -> None:
    assert shapiro(groups([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3])[0], 0.05).p is None


def test_shapiro_tells_skewed_from_normal() -> None:
    rng = np.random.default_rng(0)
    assert shapiro(groups(rng.normal(3e9, 1e3, 50))[0], 0.05).normal is True
    assert shapiro(groups(rng.exponential(size=50))[0], 0.05).normal is False


def test_shapiro_does_not_depend_on_the_unit() -> None:
    x = np.random.default_rng(0).normal(1e-9, 1e-10, 40)
    here, there = (shapiro(groups(x * s)[0], 0.05) for s in (1.0, 1e200))
    assert here.p == pytest.approx(there.p, rel=1e-6)


def test_shapiro_of_a_large_group_takes_a_sample_that_stays() -> None:
    x = np.random.default_rng(1).normal(size=100_000)
    first, second = (shapiro(groups(x)[0], 0.05) for _ in range(2))
    assert first == second
    assert (first.n, first.tested) == (100_000, MOST_SHAPIRO)
    assert first.p is not None


def test_levene_against_anova_of_distances_from_the_median() -> None:
    from scipy import stats

    found = normal(3, 0, 0, 0)
    distances = [np.abs(g.values - np.median(g.values)) for g in found]
    expected = stats.f_oneway(*distances)
    test = levene(found, 0.05)
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (([1.0], [2.0]), "one value in each group"),
        (([1.0, 1.0], [2.0, 2.0, 2.0]), "no group has any spread"),
        (([1.0, 2.1], [0.3, 5.7]), "equally far"),
        (([1.0, 2.0, 3.0],), "there is one"),
    ],
)
def test_levene_where_it_is_undefined(parts: tuple[list[float], ...], reason: str) -> None:
    found = levene(groups(*parts), 0.05)
    assert found.p is None and found.equal is None and reason in found.reason


# --- all groups ----------------------------------------------------------------------------------


def test_kruskal_against_its_formula() -> None:
    a, b, c = [1.0, 4.0, 7.0], [2.0, 5.0, 8.0, 10.0], [3.0, 6.0, 9.0]  # no ties
    found = kruskal_wallis(groups(a, b, c))
    ranks = [sum(part) for part in (a, b, c)]  # the values are their own ranks
    h = 12 / (10 * 11) * sum(r * r / n for r, n in zip(ranks, (3, 4, 3), strict=True)) - 3 * 11
    assert found.statistic == pytest.approx(h)
    assert found.p == pytest.approx(math.exp(-h / 2))  # chi-squared of two degrees of freedom
    assert found.df == (2.0,)


def test_kruskal_of_two_is_mann_whitney() -> None:
    from scipy import stats

    a, b = normal(5, 0, 1)
    other = stats.mannwhitneyu(a.values, b.values, use_continuity=False, method="asymptotic")
    assert kruskal_wallis([a, b]).p == pytest.approx(other.pvalue)


def test_welch_against_statsmodels() -> None:
    oneway = pytest.importorskip("statsmodels.stats.oneway")
    found = normal(7, 0, 1, 3, 0)
    other = oneway.anova_oneway([g.values for g in found], use_var="unequal")
    test = welch_anova(found)
    assert test.statistic == pytest.approx(other.statistic)
    assert test.p == pytest.approx(other.pvalue)
    assert test.df == pytest.approx(other.df)


def test_welch_of_two_is_the_t_test() -> None:
    from scipy import stats

    a, b = normal(8, 0, 1)
    other = stats.ttest_ind(a.values, b.values, equal_var=False)
    found = welch_anova([a, b])
    assert found.p == pytest.approx(other.pvalue)
    assert found.statistic == pytest.approx(other.statistic**2)


def test_welch_does_not_depend_on_the_unit() -> None:
    found = normal(9, 5, 6)
    huge = [Group(g.name, g.values * 1e300) for g in found]
    assert welch_anova(huge).p == pytest.approx(welch_anova(found).p)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((), "no group has a value"),
        (([1.0, 2.0],), "there is one group, g0 (2 values)"),
        (([1.0], [2.0], [3.0]), "one value in each group"),
    ],
)
def test_too_little_for_any_test(parts: tuple[list[float], ...], reason: str) -> None:
    for test in (kruskal_wallis, welch_anova):
        found = test(groups(*parts))
        assert found.p is None and reason in found.reason and found.to_json() is None


def test_welch_needs_variances() -> None:
    assert "g1 has one value" in welch_anova(groups([1.0, 2.0], [3.0])).reason
    assert "g0 has no variance" in welch_anova(groups([1.0, 1.0], [3.0, 4.0])).reason
    assert "all values" in kruskal_wallis(groups([2.0, 2.0], [2.0, 2.0, 2.0])).reason


@settings(deadline=None)
@given(several)
def test_a_p_is_a_probability_or_has_a_reason(parts: list[list[float]]) -> None:
    found = groups(*parts)
    for test in (kruskal_wallis(found), welch_anova(found), levene(found, 0.05)):
        assert (test.p is None) == (test.reason is not None)
        assert test.p is None or 0 <= test.p <= 1
        assert test.statistic is None or math.isfinite(test.statistic)
    for one in found:
        normality = shapiro(one, 0.05)
        assert (normality.p is None) == (normality.reason is not None)


# --- pairs ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(several)
def test_dunn_and_holm_against_scikit_posthocs(parts: list[list[float]]) -> None:
    other = pytest.importorskip("scikit_posthocs")
    found = groups(*parts)
    if len({x for part in parts for x in part}) == 1:
        assert set(dunn(found).values()) == {None}
        return
    alone, adjusted = dunn(found), holm(dunn(found))
    expected = other.posthoc_dunn(parts).to_numpy()
    expected_adjusted = other.posthoc_dunn(parts, p_adjust="holm").to_numpy()
    for (i, j), p in alone.items():
        assert p == pytest.approx(expected[i, j], rel=1e-6, abs=1e-12)
        assert adjusted[i, j] == pytest.approx(expected_adjusted[i, j], rel=1e-6, abs=1e-12)


def test_dunn_of_two_is_kruskal() -> None:
    found = normal(11, 0, 1)
    assert dunn(found)[0, 1] == pytest.approx(kruskal_wallis(found).p)


def test_games_howell_against_scipy() -> None:
    from scipy import stats

    found = normal(13, 0, 1, 3)
    other = stats.tukey_hsd(*(g.values for g in found), equal_var=False).pvalue
    for (i, j), p in games_howell(found).items():
        assert p == pytest.approx(other[i, j], rel=1e-6)


def test_games_howell_where_it_is_undefined() -> None:
    found = games_howell(groups([1.0, 1.0], [2.0, 2.0], [1.0, 2.0, 4.0], [9.0]))
    assert found[0, 1] is None  # neither varies
    assert 0 < found[0, 2] < 1  # one does
    assert [found[i, 3] for i in range(3)] == [None] * 3


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=10))
def test_holm_against_statsmodels(raw: list[float | None]) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    pairs = {(0, i + 1): p for i, p in enumerate(raw)}
    adjusted = holm(pairs)
    known = [p for p in raw if p is not None]
    mine = [p for p in adjusted.values() if p is not None]
    assert [p is None for p in adjusted.values()] == [p is None for p in raw]
    if known:
        assert mine == pytest.approx(multitest.multipletests(known, method="holm")[1])
