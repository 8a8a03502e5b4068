"""Groups compared within blocks, against Friedman, Kruskal-Wallis and exact counts."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from joulecast.analysis.statistics import blocked
from joulecast.analysis.statistics.blocked import compare_within_blocks
from joulecast.analysis.table.columns import Table


def crossed(effect, spread, repeated=3, a=("cnn", "mlp"), b=("1", "2"), seed=0):
    """Runs of every combination; `effect(i, j)` is the energy of a cell."""
    rng = np.random.default_rng(seed)
    rows = [
        (x, y, effect(i, j) * float(rng.lognormal(0, spread)))
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        for _ in range(repeated)
    ]
    arch, width, energy = map(list, zip(*rows, strict=True))
    return Table("runs.csv", {"arch": arch, "width": width, "energy_j": energy})


def compared(table, by="arch", others=("width",)):
    return compare_within_blocks(table, "energy_j", by, others)


def test_an_effect_that_the_other_factor_hides_is_found():
    # Each cnn uses 1.75 times its mlp; width makes a factor of 2.
    c = compared(crossed(lambda i, j: (1.75, 1.0)[i] * (1, 2)[j], 0.02))
    # Of 20 * 20 shuffles of three against three, two are as extreme.
    assert c.test.p == pytest.approx(2 / 400, abs=0.002)
    assert c.test.effect.value == pytest.approx((c.test.statistic - 1) / 9)
    assert c.blocks == ("width",) and c.test.name == "van-elteren"
    (pair,) = c.pairs
    assert (pair.a, pair.b, pair.effect.value, pair.significant) == ("cnn", "mlp", -1.0, True)
    assert pair.p == pair.p_adjusted == c.test.p
    assert pair.median_change_pct == pytest.approx(100 * (1 / 1.75 - 1), abs=1.5)
    assert pair.median_difference == pytest.approx(-0.75 * 1.5, abs=0.06)


def test_an_effect_that_turns_around_is_not_consistent():
    c = compared(crossed(lambda i, j: 2.0 if i == j else 1.0, 0.02))
    assert c.test.p > 0.5 and c.pairs[0].effect.value == 0
    assert c.pairs[0].median_change_pct == pytest.approx(0, abs=2)


def test_one_run_of_each_combination_is_friedmans_test(monkeypatch):
    monkeypatch.setattr(blocked, "_MAX_SHUFFLED", 0)
    table = crossed(lambda i, j: (1 + i / 3) * (1 + j), 0.3, 1, tuple("abcd"), tuple("123456"))
    rows = np.array(table.columns["energy_j"]).reshape(4, 6)
    expected = stats.friedmanchisquare(*rows)
    test = compared(table).test
    assert (test.statistic, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.df == (3.0,)


def test_one_block_is_kruskal_wallis_with_its_ties(monkeypatch):
    monkeypatch.setattr(blocked, "_MAX_SHUFFLED", 0)
    values = {"a": [1.0, 2, 2, 5], "b": [2.0, 4, 6], "c": [5.0, 7, 8, 9, 9]}
    arch = [name for name, of in values.items() for _ in of]
    energy = [v for of in values.values() for v in of]
    table = Table("t", {"arch": arch, "width": ["1"] * len(arch), "energy_j": energy})
    expected = stats.kruskal(*values.values())
    test = compared(table).test
    assert (test.statistic, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    k, n = 3, len(arch)
    assert test.effect.value == pytest.approx((test.statistic - k + 1) / (n - k))


def test_few_runs_get_the_p_of_all_shuffles():
    table = crossed(lambda i, j: (1 + i / 4) * (1 + j), 0.2, 1, ("a", "b", "c"), ("1", "2"), seed=3)
    # Friedman's statistic of every order of both blocks, from the rank sums of the three groups.
    ranks = [stats.rankdata(r) for r in np.array(table.columns["energy_j"]).reshape(3, 2).T]
    orders = list(permutations((1.0, 2.0, 3.0)))
    sums = np.array([np.add(x, y) for x in orders for y in orders])
    spread = ((sums - 4) ** 2).sum(axis=1)
    exact = np.mean(spread >= ((sum(ranks) - 4) ** 2).sum() - 1e-9)
    assert compared(table).test.p == pytest.approx(exact, abs=0.02)


def test_p_is_right_where_there_is_no_effect(monkeypatch):
    # Fewer make p coarser, not larger or smaller.
    monkeypatch.setattr(blocked, "_SHUFFLES", 499)
    ps = [
        compared(crossed(lambda i, j: 1 + j, 0.1, 2, ("a", "b", "c"), seed=seed)).test.p
        for seed in range(60)
    ]
    assert np.mean(np.array(ps) < 0.2) == pytest.approx(0.2, abs=0.12)


def test_many_runs_use_the_limit_of_many():
    small = crossed(lambda i, j: 1 + j, 0.1, 60)
    large = crossed(lambda i, j: 1 + j, 0.1, 300)
    assert compared(small).test.p != pytest.approx(_limit(compared(small).test), abs=1e-9)
    assert compared(large).test.p == pytest.approx(_limit(compared(large).test), abs=1e-12)


def _limit(test):
    return stats.chi2.sf(test.statistic, test.df[0])


def test_blocks_count_by_their_runs():
    # A block of 9 against one of 2 runs, whose effects are opposite: the larger one decides.
    table = Table(
        "t",
        {
            "arch": [*"aaaa", *"bbbbb", "a", "b"],
            "width": ["1"] * 9 + ["2"] * 2,
            "energy_j": [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 30, 20],
        },
    )
    c = compared(table)
    assert c.test.statistic == pytest.approx(25 / 7)
    assert c.pairs[0].effect.value == pytest.approx((20 - 1) / 21)
    assert c.pairs[0].median_difference == pytest.approx((7 - 2.5 - 10) / 2)


def test_pairs_that_no_block_has_both_of_are_left_out():
    table = Table(
        "t",
        {
            "arch": [*"aabb", *"bbcc", *"dd"],
            "width": [*"1111", *"2222", *"33"],
            "energy_j": [1.0, 2, 3, 4, 1, 2, 3, 4, 1, 2],
        },
    )
    c = compared(table)
    assert [(p.a, p.b) for p in c.pairs] == [("a", "b"), ("b", "c")]
    assert c.pairs[0].p_adjusted == pytest.approx(min(1, 2 * c.pairs[0].p))
    assert c.test.df == (2.0,)


def test_nothing_shared_is_none_and_nothing_different_has_a_reason():
    alone = Table("t", {"arch": ["a", "b"], "width": ["1", "2"], "energy_j": [1.0, 2.0]})
    assert compared(alone) is None
    same = compared(crossed(lambda i, j: 1.0 + j, 0.0))
    assert same.test.p is None and same.test.reason and same.pairs[0].p_adjusted is None


def test_rows_without_a_value_a_label_or_a_block_are_left_out():
    table = crossed(lambda i, j: (1.75, 1.0)[i] * (1, 2)[j], 0.02)
    more = {"arch": ["cnn", None, "mlp"], "width": [None, "1", "2"], "energy_j": [9e9, 9e9, None]}
    longer = Table("t", {c: [*cells, *more[c]] for c, cells in table.columns.items()})
    assert compared(longer).test == compared(table).test
    assert compared(longer).unlabeled == 1


def test_a_median_of_zero_gives_no_change_in_per_cent():
    table = crossed(lambda i, j: float(i), 0.02)
    pair = compared(table).pairs[0]
    assert pair.median_change_pct is None and pair.reason and pair.effect.value == 1.0
