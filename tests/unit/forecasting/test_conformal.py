import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.forecasting.conformal import Spread, grouped_half_width


def half_width(errors):
    """Of errors that share no cause."""
    return grouped_half_width([[error] for error in errors])


def test_of_nineteen_errors_the_eighteenth_is_the_half_width():
    assert half_width([i / 100 for i in range(1, 20)]) == pytest.approx(0.18)
    assert half_width([-0.3, 0.1]) == 0.3  # too few: the largest


def test_without_errors_there_is_no_interval():
    with pytest.raises(ValueError, match="held-out"):
        half_width([])
    with pytest.raises(ValueError, match="held-out"):
        grouped_half_width([[], []])


def test_new_errors_of_the_same_kind_are_covered_nine_times_in_ten():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        errors = rng.standard_t(3, size=40)
        covered.append(abs(rng.standard_t(3)) <= half_width(errors.tolist()))
    assert 0.88 < np.mean(covered) < 0.93


def test_a_large_group_does_not_drown_a_small_one():
    small = [0.5, 0.5]
    groups = [[0.01] * 1000, *([small] * 8)]
    assert grouped_half_width(groups) == 0.5
    assert half_width([e for group in groups for e in group]) == 0.01


def test_new_groups_are_covered_nine_times_in_ten():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1000):  # errors of a group share their cause: most of each is the group's
        groups = [rng.normal(rng.normal(), 0.2, size=15).tolist() for _ in range(14)]
        half = grouped_half_width(groups[1:])
        covered.append(np.mean(np.abs(groups[0]) <= half))
    assert 0.9 <= np.mean(covered) < 0.96


def test_of_few_groups_it_is_the_quantile_of_those_there_are():
    assert grouped_half_width([[e / 10 for e in range(1, 11)]] * 8) == pytest.approx(0.9)
    assert grouped_half_width([[e / 10 for e in range(1, 11)]] * 9) == pytest.approx(1.0)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50))
def test_groups_of_one_leave_at_most_a_tenth_outside(errors):
    half = grouped_half_width([[e] for e in errors])
    outside = sum(abs(e) > half for e in errors)
    assert outside <= 0.1 * len(errors)
    assert half in [abs(e) for e in errors]


@given(st.floats(1e-6, 1e12), st.floats(0, 3), st.floats(1, 3))
def test_the_interval_holds_its_value_and_grows(value, half, factor):
    spread = Spread(half)
    plain, wide = spread.around(value), spread.widened(factor).around(value)
    assert wide.low <= plain.low * (1 + 1e-9) <= value * (1 + 1e-9)
    assert wide.high >= plain.high * (1 - 1e-9)
    assert math.isclose(plain.low * plain.high, value**2, rel_tol=1e-9)
