"""Effect sizes, against brute force and by their own laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.effect_sizes import cliffs_delta, eta_squared, omega_squared

some = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=25).map(np.array)


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


@settings(deadline=None)
@given(some, some)
def test_cliffs_delta_is_what_all_pairs_say(a: np.ndarray, b: np.ndarray) -> None:
    found = cliffs_delta(a, b)
    assert found.value == pytest.approx(brute(a, b), abs=1e-12)
    back = cliffs_delta(b, a)
    assert back.value == pytest.approx(-found.value)
    assert back.word == found.word
    if found.low is not None:
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert (found.low is None) == (min(len(a), len(b)) < 5)


@settings(deadline=None)
@given(some, some)
def test_the_interval_is_the_one_of_all_pairs(a: np.ndarray, b: np.ndarray) -> None:
    found = cliffs_delta(a, b)
    if found.low is None or abs(found.value) == 1:
        return
    low, high = brute_interval(a, b, 1.6448536269514722)
    assert found.low == pytest.approx(max(-1, low), abs=1e-9)
    assert found.high == pytest.approx(min(1, high), abs=1e-9)


def test_groups_that_do_not_overlap() -> None:
    a = np.arange(10.0)
    found = cliffs_delta(a, a + 100)
    assert (found.value, found.high, found.word) == (1.0, 1.0, "large")
    assert 0.4 < found.low < 1  # ten values each do not prove that none ever overlaps
    assert cliffs_delta(a + 100, a).value == -1.0


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth = 2 * 0.5 * (1 + math.erf(1 / 2)) - 1  # of N(1, 1) over N(0, 1)
    held = 0
    for _ in range(1000):
        found = cliffs_delta(rng.normal(0, 1, 15), rng.normal(1, 1, 15))
        held += found.low <= truth <= found.high
    assert 860 <= held <= 940


@pytest.mark.parametrize(
    ("wins", "word"), [(7, "negligible"), (8, "small"), (17, "medium"), (24, "large")]
)
def test_words_of_romano(wins: int, word: str) -> None:
    a = np.zeros(1)
    b = np.array([1.0] * wins + [0.0] * (50 - wins))  # delta is wins / 50
    assert cliffs_delta(a, b).word == word


def test_nothing_to_compare() -> None:
    found = cliffs_delta(np.empty(0), np.ones(3))
    assert found.value is None and found.reason == "a group has no values"


def test_a_hundred_thousand_values_each() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=100_000), rng.normal(0.5, 1, 100_000)
    found = cliffs_delta(a, b)
    assert found.value == pytest.approx(math.erf(0.25), abs=0.01)
    assert found.low < math.erf(0.25) < found.high


def test_shares_of_variance() -> None:
    assert eta_squared(20.0, 3, 30).value == pytest.approx(18 / 27)
    assert eta_squared(1.0, 3, 30).value == 0  # not below it
    assert eta_squared(2.0, 3, 3).value is None
    assert omega_squared(5.0, 2, 30).value == pytest.approx(8 / 38)
    assert omega_squared(0.5, 2, 30).value == 0
    assert omega_squared(5.0, 2, 30).word == "large"
