import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.tradeoff.pareto import on_front

POINTS = st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 3)), min_size=1, max_size=40)


def brute_force(cost, quality, maximize):
    worth = quality if maximize else -quality
    return [
        not any(c <= a and w >= b and (c < a or w > b) for c, w in zip(cost, worth, strict=True))
        for a, b in zip(cost, worth, strict=True)
    ]


@given(POINTS, st.booleans())
def test_as_by_brute_force_with_many_ties(points, maximize):
    cost, quality = np.array(points, dtype=float).T
    assert on_front(cost, quality, maximize).tolist() == brute_force(cost, quality, maximize)


@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=30))
def test_as_by_brute_force_on_any_figures(points):
    cost, quality = np.array(points, dtype=float).T
    assert on_front(cost, quality).tolist() == brute_force(cost, quality, True)


@given(POINTS, st.randoms())
def test_the_order_of_the_points_does_not_matter(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    cost, quality = np.array(points, dtype=float).T
    assert on_front(cost[order], quality[order]).tolist() == on_front(cost, quality)[order].tolist()


def test_points_alike_in_both_are_all_on_it_or_none():
    cost, quality = np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.5, 0.5, 0.4, 0.4])
    assert on_front(cost, quality).tolist() == [True, True, False, False]


def test_of_equal_cost_only_the_best_and_of_equal_quality_only_the_cheapest():
    cost, quality = np.array([1.0, 1.0, 2.0]), np.array([0.5, 0.6, 0.6])
    assert on_front(cost, quality).tolist() == [False, True, False]
    assert on_front(cost, quality, maximize=False).tolist() == [True, False, False]


def test_no_point_and_one():
    assert on_front(np.empty(0), np.empty(0)).tolist() == []
    assert on_front(np.array([3.0]), np.array([0.0])).tolist() == [True]


def test_a_million_points():
    rng = np.random.default_rng(0)
    cost, quality = rng.uniform(1, 2, (2, 1_000_000))
    front = on_front(cost, quality)
    assert 0 < front.sum() < 100  # about ln n of them
    assert quality[front].max() == quality.max()
    assert cost[front].min() == cost.min()
