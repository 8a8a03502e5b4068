"""Two factors. Sums of squares against statsmodels: integration/test_statistics_libraries."""

import json

import numpy as np
import pytest

from joulecast.analysis.statistics.aligned_ranks import aligned_ranks, mean_ranks
from joulecast.analysis.statistics.interaction import interaction
from joulecast.analysis.statistics.two_way import cells_of
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError


def drawn(n=120, seed=1, a=4, b=3, cross=0.5, noise=1.0):
    """Levels (drawn, so unbalanced) and values."""
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, a, n), rng.integers(0, b, n)
    return i, j, 10 + 1.5 * i + 2 * j + cross * i * j + noise * rng.normal(size=n)


def table(i, j, y):
    columns = {"A": [f"a{x}" for x in i], "B": [f"b{x}" for x in j], "y": [float(x) for x in y]}
    return Table("runs", columns)


def analyzed(i, j, y, **options):
    result = interaction(table(i, j, y), "y", "A", "B", **options)
    json.dumps(result.to_json(), allow_nan=False)
    return result


def test_aligned_ranks_as_wobbrock_defines_them():
    # Balanced, row by row as in the paper: all effects but one are removed, then the rest ranked.
    rng = np.random.default_rng(0)
    i, j = (x.ravel() for x in np.mgrid[0:3, 0:2].repeat(4, axis=2).reshape(2, 3, 8))
    y = rng.exponential(size=len(i)) + i * (1 + j)
    cell = np.array([y[(i == a) & (j == b)].mean() for a, b in zip(i, j, strict=True)])
    by_i = np.array([y[i == a].mean() for a in i])
    by_j = np.array([y[j == b].mean() for b in j])
    responses = [
        y - cell + by_i - y.mean(),
        y - cell + by_j - y.mean(),
        y - cell + cell - by_i - by_j + y.mean(),
    ]
    for ranks, response in zip(aligned_ranks(y, i, j, cells_of(y, i, j)), responses, strict=True):
        assert ranks.tolist() == (np.argsort(np.argsort(response)) + 1).tolist()


def test_aligned_responses_contain_nothing_of_the_other_effects_in_unbalanced_designs():
    i, j, y = drawn(noise=0.0)
    for ranks in aligned_ranks(y, i, j, cells_of(y, i, j))[:2]:
        # One rank for each level of the factor itself.
        assert 2 <= len(np.unique(ranks)) <= 4


def test_ties_share_their_ranks():
    assert mean_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    assert mean_ranks(np.array([0.3, 0.1 + 0.2])).tolist() == [1.5, 1.5]


def test_auto_chooses_ranks_where_the_analysis_of_variance_may_not_be_used():
    i, j, y = drawn()
    assert analyzed(i, j, y).method == "anova"
    assert analyzed(i, j, np.exp(y)).method == "art"
    forced = analyzed(i, j, np.exp(y), method="anova")
    assert forced.method == "anova" and "approximate" in forced.notes[0]


@pytest.mark.parametrize("method", ["anova", "art"])
def test_an_interaction_is_found_where_there_is_one(method):
    crossed = analyzed(*drawn(cross=0.8), method=method)
    assert crossed.effects[2].p < 0.001 and crossed.finding.startswith("The effect of A")
    assert (crossed.effects[2].df, crossed.effects[2].df_error) == (6, 108)
    none = analyzed(*drawn(cross=0.0, seed=4), method=method)
    assert none.effects[2].p > 0.05 and none.finding.startswith("No sign")


def test_one_of_twenty_designs_without_interaction_gives_a_false_alarm():
    alarms = 0
    for seed in range(200):
        i, j, y = drawn(n=60, a=3, b=2, cross=0.0, seed=seed)
        y = y + np.random.default_rng(seed).exponential(2.0, len(y))
        alarms += analyzed(i, j, y, method="art").effects[2].p < 0.05
    assert 2 <= alarms <= 20


def test_missing_combinations_make_main_effects_type_ii():
    i, j, y = drawn()
    keep = ~((i == 3) & (j == 2))
    result = analyzed(i[keep], j[keep], y[keep])
    assert result.missing == (("a3", "b2"),) and result.sums == "II"
    assert [e.df for e in result.effects] == [3, 2, 5]
    assert any("a3, b2" in note for note in result.notes)
    assert any("without b2" in note for note in result.notes)


def test_balanced_designs_have_the_classical_sums_of_squares():
    rng = np.random.default_rng(2)
    i, j = (x.ravel() for x in np.mgrid[0:3, 0:2].repeat(5, axis=2).reshape(2, 3, 10))
    y = rng.normal(size=len(i)) + i + j
    result = analyzed(i, j, y, method="anova")
    ss_a = sum(10 * (y[i == k].mean() - y.mean()) ** 2 for k in range(3))
    cells = [y[(i == a) & (j == b)] for a in range(3) for b in range(2)]
    error = sum(((c - c.mean()) ** 2).sum() for c in cells)
    assert result.sums == "III"
    assert result.effects[0].f == pytest.approx((ss_a / 2) / (error / 24))
    assert result.effects[0].partial_eta_squared == pytest.approx(ss_a / (ss_a + error))


def test_cells_have_medians_and_each_level_its_lowest():
    result = analyzed(*drawn())
    assert len(result.cells) == 12
    assert [(c.a, c.b) for c in result.cells[:3]] == [("a0", "b0"), ("a0", "b1"), ("a0", "b2")]
    assert result.lowest == {"b0": "a0", "b1": "a0", "b2": "a0"}
    assert sum(c.median.n for c in result.cells) == 120


def test_one_run_per_combination_has_no_test_of_the_interaction():
    i, j = (x.ravel() for x in np.mgrid[0:4, 0:3])
    y = 3.0 * i + j + 0.1 * ((i * 5 + j * 3) % 4)
    result = analyzed(i, j, y)
    a, b, both = result.effects
    assert a.p < 0.05 and b.p < 0.05
    assert both.p is None and both.reason and "is unknown" in result.finding
    with pytest.raises(UsageError):
        analyzed(i, j, y, method="art")


def test_combinations_that_share_no_level_cannot_be_separated():
    result = analyzed([0, 0, 1, 1], [0, 0, 1, 1], [1.0, 1.2, 3.0, 3.1])
    assert [(e.p, e.df) for e in result.effects] == [(None, 0)] * 3


@pytest.mark.parametrize("method", ["auto", "anova", "art"])
def test_constant_values_have_no_p(method):
    i, j, y = drawn()
    result = analyzed(i, j, np.full_like(y, 0.7), method=method)
    assert [e.p for e in result.effects] == [None] * 3
    assert len({e.reason for e in result.effects}) == 1 and result.effects[0].reason


def test_repetitions_that_do_not_differ_have_no_p():
    result = analyzed(*drawn(noise=0.0), method="anova")
    assert [e.p for e in result.effects] == [None] * 3
    assert {bool(e.reason) for e in result.effects} == {True}


def test_the_unit_of_the_values_does_not_matter():
    i, j, y = drawn()
    small, large = (analyzed(i, j, y * factor).effects for factor in (1, 1e12))
    assert [e.f for e in small] == pytest.approx([e.f for e in large], rel=1e-9)


def test_rows_without_a_value_are_left_out_and_counted():
    columns = dict(table(*drawn()).columns)
    columns["y"][0], columns["y"][1], columns["B"][0] = None, "NaN", None
    result = interaction(Table("runs", columns, notes=("note",)), "y", "A", "B")
    assert result.left_out == {"no y": 2} and result.notes[0] == "note"
    assert sum(c.median.n for c in result.cells) == 118


def test_factors_that_cannot_be_analyzed():
    i, j, y = drawn()
    with pytest.raises(BadInputError):
        analyzed(np.zeros_like(i), j, y)
    with pytest.raises(BadInputError):
        analyzed(i, j, np.full_like(y, np.nan))
    with pytest.raises(BadInputError, match="300"):
        analyzed(np.arange(300), np.arange(300) % 3, np.ones(300))
    with pytest.raises(UsageError):
        interaction(table(i, j, y), "y", "A", "A")


def test_a_hundred_thousand_rows():
    i, j, y = drawn(n=100_000, a=10, b=8)
    result = analyzed(i, j, np.exp(y / 10))
    assert result.method == "art"
    assert result.effects[2].df_error == 100_000 - 80


def test_a_third_factor_is_no_variation_of_repetitions():
    rng = np.random.default_rng(1)
    rows = [
        (a, b, c, (1 + a) * (1 + b) + 50.0 * c + 0.1 * rng.standard_normal())
        for a in (0, 1)
        for b in (0, 1)
        for c in (0, 1, 2)
        for _ in range(3)
    ]
    table = Table("t", dict(zip("abcv", map(list, zip(*rows, strict=True)), strict=True)))
    pooled = interaction(table, "v", "a", "b", method="anova")
    blocked = interaction(table, "v", "a", "b", method="anova", blocks=["c"])
    assert pooled.effects[2].p > 0.5 and blocked.effects[2].p < 1e-6
    # 36 runs less 4 cells less 2 of the three blocks.
    assert blocked.effects[2].df_error == 30
    assert blocked.cells == pooled.cells
    # Least squares with the third factor added.
    a, b, c, v = (np.array(table.columns[name], float) for name in "abcv")
    full = np.column_stack([np.ones(36), a, b, a * b, c == 1, c == 2])
    residual = v - full @ np.linalg.lstsq(full, v, rcond=None)[0]
    less = np.delete(full, 3, axis=1)
    other = v - less @ np.linalg.lstsq(less, v, rcond=None)[0]
    f = (other @ other - residual @ residual) / (residual @ residual / 30)
    assert blocked.effects[2].f == pytest.approx(f, rel=1e-6)


def test_a_factor_that_is_the_machine_gets_a_note_where_meters_share_much():
    i, j, y = drawn()
    columns = dict(table(i, j, np.exp(y / 10)).columns)
    columns["energy_j"] = energy = columns.pop("y")
    for name, factor in (("low", 0.5), ("high", 2.0), ("own_low", 0.98), ("own_high", 1.02)):
        columns[f"energy_{name}_j"] = [x * factor for x in energy]

    def notes(hosts):
        result = interaction(Table("t", columns | {"host": hosts}), "energy_j", "A", "B")
        return [note for note in result.notes if "machines" in note]

    (note,) = notes([str(b) for b in columns["B"]])
    assert " B " in note and " A " not in note
    assert notes(["one"] * len(energy)) == []
