"""Tests of pairs. Dunn and Holm against other libraries: integration/test_statistics_libraries."""

import math
from statistics import NormalDist

import pytest
from scipy import stats

from fakes.groups import groups_of, normal_groups
from joulecast.analysis.statistics.omnibus import kruskal_wallis
from joulecast.analysis.statistics.posthoc import dunn, games_howell, holm


def test_dunn_of_two_is_kruskal() -> None:
    groups = normal_groups(11, 0, 1)
    assert dunn(groups)[0, 1] == pytest.approx(kruskal_wallis(groups).p)
    tied = groups_of([1.0, 1.0, 2.0, 3.0], [2.0, 3.0, 3.0])
    assert dunn(tied)[0, 1] == pytest.approx(kruskal_wallis(tied).p)


def test_dunn_of_equal_values_is_undefined() -> None:
    assert dunn(groups_of([1.0], [1.0, 1.0], [1.0])) == {(0, 1): None, (0, 2): None, (1, 2): None}


def test_games_howell_is_that_of_scipy() -> None:
    groups = normal_groups(13, 0, 1, 3)
    expected = stats.tukey_hsd(*(g.values for g in groups), equal_var=False).pvalue
    p_values = games_howell(groups)
    assert list(p_values) == [(0, 1), (0, 2), (1, 2)]
    assert [p_values[pair] for pair in p_values] == pytest.approx(
        [expected[pair] for pair in p_values], rel=1e-6
    )


def test_games_howell_of_groups_without_variance_is_undefined() -> None:
    p_values = games_howell(groups_of([1.0, 1.0], [2.0, 2.0], [1.0, 2.0, 4.0], [9.0]))
    # Neither of the first two varies; the third does; the last has one value.
    assert p_values[0, 1] is None
    assert 0 < p_values[0, 2] < 1
    assert [p_values[i, 3] for i in range(3)] == [None] * 3


def test_holm_multiplies_by_the_number_of_larger_p_and_keeps_the_order() -> None:
    p_values = {(0, 1): 0.01, (0, 2): 0.02, (1, 2): None, (0, 3): 0.021, (1, 3): 0.7}
    adjusted = holm(p_values)
    assert adjusted[0, 1] == pytest.approx(0.04)
    assert adjusted[0, 2] == pytest.approx(0.06)
    # 2 x 0.021 is less than the p before it.
    assert adjusted[0, 3] == pytest.approx(0.06)
    assert adjusted[1, 3] == pytest.approx(0.7)
    assert adjusted[1, 2] is None
    assert holm({(0, 1): 0.6, (0, 2): 0.7}) == {(0, 1): 1.0, (0, 2): 1.0}


def test_dunn_of_three_groups_with_ties_is_its_formula() -> None:
    p_values = dunn(groups_of([1.0, 1.0, 2.0], [2.0, 3.0, 4.0, 4.0], [5.0]))
    # Ranks 1.5 1.5 3.5 | 3.5 5 6.5 6.5 | 8; three ties of two: 8 * 9 / 12 - 3 * (8 - 2) / (12 * 7).
    variance = 6 - 18 / 84
    means, sizes = (6.5 / 3, 21.5 / 4, 8.0), (3, 4, 1)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        z = (means[j] - means[i]) / math.sqrt(variance * (1 / sizes[i] + 1 / sizes[j]))
        assert p_values[i, j] == pytest.approx(2 * NormalDist().cdf(-z), rel=1e-9)


def test_games_howell_of_a_constant_and_a_group_that_varies() -> None:
    p_values = games_howell(groups_of([1.0, 1.0], [2.0, 2.0], [1.0, 2.0, 4.0], [9.0]))
    # Mean 7/3, variance 7/3, squared error 7/9; the constant adds nothing, so df are 3 - 1.
    q = (7 / 3 - 1) / math.sqrt(7 / 9 / 2)
    assert p_values[0, 2] == pytest.approx(stats.studentized_range.sf(q, 4, 2), rel=1e-6)


def test_holm_of_no_p_at_all() -> None:
    assert holm({(0, 1): None}) == {(0, 1): None}
    assert holm({}) == {}


def test_games_howell_of_equal_means_is_one() -> None:
    assert games_howell(groups_of([1.0, 2.0, 3.0], [0.0, 2.0, 4.0]))[0, 1] == pytest.approx(1.0)


def test_holm_leaves_the_unadjusted_p_as_they_are() -> None:
    p_values = {(0, 1): 0.01, (0, 2): 0.02}
    assert holm(p_values) == {(0, 1): 0.02, (0, 2): 0.02}
    assert p_values == {(0, 1): 0.01, (0, 2): 0.02}
