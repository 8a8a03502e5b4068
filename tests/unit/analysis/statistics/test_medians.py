import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from joulecast.analysis.statistics.medians import median, median_rank


@pytest.mark.parametrize(
    ("n", "rank"), [(1, 0), (4, 0), (5, 1), (8, 2), (10, 2), (20, 6), (30, 11)]
)
def test_ranks_as_in_the_tables(n, rank):
    # W. J. Conover, Practical Nonparametric Statistics, table A3 of the binomial.
    assert median_rank(n) == rank


@given(st.integers(5, 2000))
def test_the_interval_covers_ninety_percent_and_not_much_more(n):
    outside = 2 * binom.cdf(median_rank(n) - 1, n, 0.5)
    assert outside <= 0.1 + (1e-3 if n > 500 else 1e-12)
    one_more = median_rank(n) + (1 if n > 500 else 0)  # beyond 500 it may be one rank wider
    assert 2 * binom.cdf(one_more, n, 0.5) > 0.1


def test_one_repetition_has_no_interval():
    result = median(np.array([3.0]))
    assert (result.value, result.low, result.high, result.n) == (3.0, None, None, 1)
    assert "one repetition" in str(result.reason)


def test_few_repetitions_report_how_many_are_needed():
    assert "3 repetitions" in str(median(np.array([1.0, 2.0, 9.0])).reason)


def test_five_values_have_their_range_as_interval():
    result = median(np.array([5.0, 1.0, 4.0, 2.0, 3.0]))
    assert (result.value, result.low, result.high, result.reason) == (3.0, 1.0, 5.0, None)
