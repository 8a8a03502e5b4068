"""Effect sizes, against brute force and by their own laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.effect_sizes import (
    CLIFF,
    cliffs_delta,
    eta_squared,
    omega_squared,
    word,
)

some = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=25).map(np.array)


def brute(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sign(b[None, :] - a[:, None]).mean())


def brute_interval(a: np.ndarray, b: np.ndarray, z: float) -> tuple[float, float]:
    """Feng and Cliff 2004, written from the matrix of dominances."""
    d_ij = np.sign(b[:, None] - a[None, :])
    n, m = d_ij.shape
    d = d_ij.mean()
    rows, columns = d_ij.mean(axis=1), d_ij.mean(axis=0)
    cells = ((d_ij - d) ** 2).sum()
    spread = m**2 * ((rows - d) ** 2).sum() + n**2 * ((columns - d) ** 2).sum()
    variance = max((spread - cells) / (m * n * (m - 1) * (n - 1)), (1 - d * d) / (m * n - 1))
    half = z * math.sqrt(variance) * math.sqrt((1 - d * d) ** 2 + z * z * variance)
    scale = 1 - d * d + z * z * variance
    return float((d - d**3 - half) / scale), float((d - d**3 + half) / scale)


@settings(max_examples=50, deadline=None)
@given(some, some)
def test_cliffs_delta_is_the_mean_sign_of_all_pairs(a: np.ndarray, b: np.ndarray) -> None:
    effect = cliffs_delta(a, b)
    assert effect.value == pytest.approx(brute(a, b), abs=1e-12)
    back = cliffs_delta(b, a)
    assert back.value == pytest.approx(-effect.value)
    assert back.word == effect.word
    if effect.low is not None:
        assert -1 <= effect.low <= effect.value <= effect.high <= 1
        assert (back.low, back.high) == pytest.approx((-effect.high, -effect.low))
    assert (effect.low is None) == (min(len(a), len(b)) < 5)


@settings(max_examples=50, deadline=None)
@given(some, some)
def test_the_interval_is_the_one_of_all_pairs(a: np.ndarray, b: np.ndarray) -> None:
    effect = cliffs_delta(a, b)
    if effect.low is None or abs(effect.value) == 1:
        return
    low, high = brute_interval(a, b, 1.6448536269514722)
    assert effect.low == pytest.approx(max(-1, low), abs=1e-9)
    assert effect.high == pytest.approx(min(1, high), abs=1e-9)


def test_groups_that_do_not_overlap() -> None:
    a = np.arange(10.0)
    effect = cliffs_delta(a, a + 100)
    assert (effect.value, effect.high, effect.word) == (1.0, 1.0, "large")
    assert 0.4 < effect.low < 1  # ten values each do not prove that no value overlaps
    assert cliffs_delta(a + 100, a).value == -1.0


def test_nine_of_ten_intervals_cover_the_true_value() -> None:
    rng = np.random.default_rng(1)
    truth = 2 * 0.5 * (1 + math.erf(1 / 2)) - 1  # of N(1, 1) over N(0, 1)
    covered = 0
    for _ in range(1000):
        effect = cliffs_delta(rng.normal(0, 1, 15), rng.normal(1, 1, 15))
        covered += effect.low <= truth <= effect.high
    assert 860 <= covered <= 940


@pytest.mark.parametrize(
    ("wins", "word"), [(7, "negligible"), (8, "small"), (17, "medium"), (24, "large")]
)
def test_words_of_romano(wins: int, word: str) -> None:
    a = np.zeros(2)
    b = np.array([1.0] * wins + [0.0] * (50 - wins))  # delta is wins / 50
    assert cliffs_delta(a, b).word == word


def test_nothing_to_compare() -> None:
    effect = cliffs_delta(np.empty(0), np.ones(3))
    assert effect.value is None and effect.reason


@pytest.mark.parametrize("b", [np.ones(1), np.ones(3)])
def test_one_value_has_no_effect_size(b: np.ndarray) -> None:
    for effect in (cliffs_delta(np.zeros(1), b), cliffs_delta(b, np.zeros(1))):
        assert (effect.value, effect.word) == (None, None)
        assert effect.reason == "a group has one value"


def test_a_hundred_thousand_values_each() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=100_000), rng.normal(0.5, 1, 100_000)
    effect = cliffs_delta(a, b)
    assert effect.value == pytest.approx(math.erf(0.25), abs=0.01)
    assert effect.low < math.erf(0.25) < effect.high


def test_shares_of_variance() -> None:
    assert eta_squared(20.0, 3, 30).value == pytest.approx(18 / 27)
    assert eta_squared(1.0, 3, 30).value == 0  # not below it
    assert eta_squared(2.0, 3, 3).value is None
    assert omega_squared(5.0, 2, 30).value == pytest.approx(8 / 38)
    assert omega_squared(0.5, 2, 30).value == 0
    assert omega_squared(5.0, 2, 30).word == "large"


@pytest.mark.parametrize(
    ("share", "word"),
    [
        (0.009, "negligible"),
        (0.011, "small"),
        (0.061, "medium"),
        (0.139, "medium"),
        (0.141, "large"),
    ],
)
def test_words_of_cohen(share: float, word: str) -> None:
    # Of three groups and 103 values, eta squared is (H - 2) / 100.
    assert eta_squared(100 * share + 2, 3, 103).word == word


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1469, "negligible"),
        (0.147, "small"),
        (0.3299, "small"),
        (0.33, "medium"),
        (0.4739, "medium"),
        (0.474, "large"),
    ],
)
def test_bounds_of_romano_belong_to_the_larger_word(value: float, expected: str) -> None:
    assert word(value, CLIFF) == expected


@pytest.mark.parametrize(
    ("f", "expected"), [(1.0099, "negligible"), (1.063, "small"), (1.0645, "medium")]
)
def test_words_of_cohen_for_omega(f: float, expected: str) -> None:
    # Of df 1000 and 1000 values, omega squared is (f - 1) / f: 0.0098, 0.059 and 0.0606.
    assert omega_squared(f, 1000, 1000).word == expected


def test_the_interval_of_groups_that_do_not_overlap() -> None:
    # The smaller group has 10 values: (10 - z^2) / (10 + z^2), and the same below zero.
    bound = (10 - 1.6448536269514722**2) / (10 + 1.6448536269514722**2)
    above = cliffs_delta(np.arange(10.0), 100 + np.arange(12.0))
    below = cliffs_delta(100 + np.arange(10.0), np.arange(12.0))
    assert (above.low, above.value, above.high) == pytest.approx((bound, 1, 1))
    assert (below.low, below.value, below.high) == pytest.approx((-1, -1, -bound))


def test_the_variance_is_not_below_that_of_one_draw() -> None:
    # Of 35 pairs one is equal and none is larger: the unbiased variance is half of the floor.
    a, b = np.array([0.0, 1, 2, 2, 3]), np.array([-3.0, -2, -2, -2, -1, -1, 0])
    effect = cliffs_delta(a, b)
    delta, z = -34 / 35, 1.6448536269514722
    variance = (1 - delta**2) / 34
    half = z * math.sqrt(variance) * math.sqrt((1 - delta**2) ** 2 + z * z * variance)
    scale = 1 - delta**2 + z * z * variance
    assert effect.value == pytest.approx(delta)
    assert effect.low == pytest.approx((delta - delta**3 - half) / scale)
    assert effect.high == pytest.approx((delta - delta**3 + half) / scale)


def test_five_values_are_enough_for_an_interval() -> None:
    five, four = np.arange(5.0), np.arange(4.0)
    assert cliffs_delta(five, five).low is not None
    assert cliffs_delta(five, four).low is None and cliffs_delta(four, five).high is None


def test_one_value_more_than_groups_has_a_share_of_variance() -> None:
    assert eta_squared(3.0, 3, 4).value == 1.0
    assert eta_squared(3.0, 3, 3).reason
