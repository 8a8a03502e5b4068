"""Spearman's rank correlation."""

import json
import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.correlation import correlate, spearman
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError


def table(x: list, y: list, **more: list) -> Table:
    return Table("t", {"x": x, "y": y} | more)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=9, max_size=40))
def test_against_scipy(pairs: list[tuple[int, int]]) -> None:
    from scipy import stats

    x, y = (np.array(v, dtype=float) for v in zip(*pairs, strict=True))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    rho, p = spearman(x, y)
    other = stats.spearmanr(x, y)
    assert rho == pytest.approx(other.statistic, abs=1e-9)
    if abs(rho) < 0.999:
        assert p == pytest.approx(other.pvalue, rel=1e-6, abs=1e-9)


def test_few_pairs_count_all_orders() -> None:
    assert spearman(np.arange(3.0), np.arange(3.0)) == (1.0, pytest.approx(2 / 6))
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])
    rho, p = spearman(x, y)
    as_far = [
        abs(1 - 6 * sum((a - b) ** 2 for a, b in zip(x, order, strict=True)) / 120) >= rho - 1e-9
        for order in permutations(y)
    ]
    assert p == pytest.approx(sum(as_far) / 120)


def test_a_perfect_order_is_not_p_zero() -> None:
    x = np.arange(12.0)
    assert spearman(x, x**3) == (1.0, pytest.approx(2 / math.factorial(12)))
    tied = np.repeat([1.0, 2.0], 6)  # 2 of the 924 ways to choose the upper six
    assert spearman(tied, tied)[1] == pytest.approx(2 / 924)


def test_groups_may_contradict_all_rows() -> None:
    rng = np.random.default_rng(0)
    place = np.repeat([0.0, 10.0], 30)
    x = place + rng.normal(size=60)
    y = -3 * place + x
    result = correlate(table(x.tolist(), y.tolist(), g=["a"] * 30 + ["b"] * 30), "x", "y", "g")
    assert result.overall.rho < 0
    assert [g.rho for g in result.groups] == pytest.approx([1.0, 1.0])
    assert len(result.notes) == 1


def test_missing_values_are_counted_and_constants_have_no_rho() -> None:
    result = correlate(
        table([1.0, 2.0, None, 4.0, 5.0, 6.0], [1.0, math.nan, 3.0, 4.0, 5.0, 9.0]), "x", "y"
    )
    assert (result.overall.n, result.overall.missing) == (4, 2)
    assert correlate(table([1.0, 2.0], [1.0, 2.0]), "x", "y").overall.reason
    same = correlate(table([1.0] * 5, [1.0, 2, 3, 4, 5]), "x", "y").overall
    assert same.rho is None and same.p is None and same.reason


def test_rows_without_a_label() -> None:
    rows = table([1.0, 2, 3, 4], [1.0, 2, 3, 4], g=["a", "a", "a", None])
    result = correlate(rows, "x", "y", "g")
    assert result.unlabeled == 1 and [g.n for g in result.groups] == [3]
    json.dumps(result.to_json(), allow_nan=False)


def test_columns_that_cannot_be() -> None:
    rows = table([1.0, 2, 3], [1.0, 2, 3])
    with pytest.raises(BadInputError, match="z"):
        correlate(rows, "x", "z")
    with pytest.raises(UsageError):
        correlate(rows, "x", "x")


def test_the_interval_is_that_of_bonett_and_wright_from_ten_pairs_on() -> None:
    x, y = list(range(10)), [1.0, 0, 2, 4, 3, 5, 6, 9, 7, 8]
    overall = correlate(table([float(v) for v in x], y), "x", "y").overall
    half = 1.6448536 * math.sqrt((1 + overall.rho**2 / 2) / 7)
    assert math.atanh(overall.low) == pytest.approx(math.atanh(overall.rho) - half)
    assert math.atanh(overall.high) == pytest.approx(math.atanh(overall.rho) + half)
    nine = correlate(table([float(v) for v in x[:9]], y[:9]), "x", "y").overall
    assert nine.rho is not None and nine.low is None and nine.high is None
