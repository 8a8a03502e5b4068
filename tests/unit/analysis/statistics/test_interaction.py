import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.formula.api import ols

from joulecast.analysis.statistics.aligned_ranks import aligned_ranks, mean_ranks
from joulecast.analysis.statistics.interaction import interaction
from joulecast.analysis.statistics.two_way import cells_of
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError


def frame(n=120, seed=1, a=4, b=3, cross=0.5, noise=1.0):
    """Unbalanced: levels are drawn."""
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, a, n), rng.integers(0, b, n)
    y = 10 + 1.5 * i + 2 * j + cross * i * j + noise * rng.normal(size=n)
    return pd.DataFrame({"A": [f"a{x}" for x in i], "B": [f"b{x}" for x in j], "y": y})


def table(df):
    return Table("runs", {c: df[c].tolist() for c in df.columns})


def by_statsmodels(formula, df, typ, names):
    lines = sm.stats.anova_lm(ols(formula, df).fit(), typ=typ)
    return [(lines.loc[n, "F"], lines.loc[n, "PR(>F)"], lines.loc[n, "sum_sq"]) for n in names]


SUM = "y ~ C(A, Sum) * C(B, Sum)"
SUM_NAMES = ["C(A, Sum)", "C(B, Sum)", "C(A, Sum):C(B, Sum)"]


@pytest.mark.parametrize("seed", range(5))
def test_unbalanced_as_type_iii_of_statsmodels(seed):
    df = frame(seed=seed)
    found = interaction(table(df), "y", "A", "B", method="anova")
    expected = by_statsmodels(SUM, df, 3, SUM_NAMES)
    assert found.sums == "III"
    residual = ols(SUM, df).fit().ssr
    for effect, (f, p, ss) in zip(found.effects, expected, strict=True):
        assert effect.f == pytest.approx(f, rel=1e-9)
        assert effect.p == pytest.approx(p, rel=1e-6)
        assert effect.partial_eta_squared == pytest.approx(ss / (ss + residual), rel=1e-9)


def test_missing_cells_as_type_ii_of_statsmodels():
    df = frame()
    df = df[~((df.A == "a3") & (df.B == "b2"))]
    found = interaction(table(df), "y", "A", "B", method="anova")
    assert found.missing == [("a3", "b2")]
    assert found.sums == "II"
    additive = ols("y ~ C(A) + C(B)", df).fit()
    cells = ols("y ~ C(cell)", df.assign(cell=df.A + df.B)).fit()
    mean_square = cells.ssr / (len(df) - 11)
    lines = sm.stats.anova_lm(additive, typ=2)
    a, b, both = found.effects
    assert a.f == pytest.approx(lines.loc["C(A)", "sum_sq"] / 3 / mean_square, rel=1e-9)
    assert b.f == pytest.approx(lines.loc["C(B)", "sum_sq"] / 2 / mean_square, rel=1e-9)
    assert (both.df, both.df_error) == (5, len(df) - 11)
    assert both.f == pytest.approx((additive.ssr - cells.ssr) / 5 / mean_square, rel=1e-9)
    assert any("not run: a3, b2" in note for note in found.notes)
    assert any("without b2 every combination was run" in note for note in found.notes)


def test_aligned_ranks_as_wobbrock_defines_them():
    """Balanced, row by row as in the paper: strip all effects but one, then rank."""
    rng = np.random.default_rng(0)
    i, j = (x.ravel() for x in np.mgrid[0:3, 0:2].repeat(4, axis=2).reshape(2, 3, 8))
    y = rng.exponential(size=len(i)) + i * (1 + j)
    df = pd.DataFrame({"i": i, "j": j, "y": y})
    mean, grand = df.groupby(["i", "j"]).y.transform("mean"), df.y.mean()
    by_i, by_j = df.groupby("i").y.transform("mean"), df.groupby("j").y.transform("mean")
    expected = [
        (y - mean + by_i - grand).rank(),
        (y - mean + by_j - grand).rank(),
        (y - mean + mean - by_i - by_j + grand).rank(),
    ]
    for found, ranks in zip(aligned_ranks(y, i, j, cells_of(y, i, j)), expected, strict=True):
        assert found.tolist() == ranks.tolist()


def test_each_aligned_response_keeps_nothing_of_the_others_in_unbalanced_designs_too():
    df = frame(noise=0.0)
    i, j = pd.factorize(df.A)[0], pd.factorize(df.B)[0]
    y = df.y.to_numpy()
    cells = cells_of(y, i, j)
    for column in aligned_ranks(y, i, j, cells)[:2]:
        assert len(np.unique(column)) <= 4  # of A: one rank for each of its levels; B likewise


def test_ranks_of_ties_are_shared():
    assert mean_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_auto_takes_the_analysis_of_variance_where_it_may_and_ranks_where_not():
    assert interaction(table(frame()), "y", "A", "B").method == "anova"
    skewed = frame()
    skewed["y"] = np.exp(skewed.y)
    found = interaction(table(skewed), "y", "A", "B")
    assert found.method == "art"
    assert "not normal" in found.why
    forced = interaction(table(skewed), "y", "A", "B", method="anova")
    assert any("approximate" in note for note in forced.notes)


@pytest.mark.parametrize("method", ["anova", "art"])
def test_finds_an_interaction_and_tells_it_from_none(method):
    crossed = interaction(table(frame(cross=0.8)), "y", "A", "B", method=method)
    assert crossed.effects[2].p < 0.001
    assert crossed.finding.startswith("The effect of A on y depends on B: F(6, 108) = ")
    none = interaction(table(frame(cross=0.0, seed=4)), "y", "A", "B", method=method)
    assert none.effects[2].p > 0.05
    assert none.finding.startswith("No sign that the effect of A on y depends on B")


def test_false_alarms_are_as_rare_as_said():
    """Ranks aligned, of skewed values without interaction: 5 % of studies, give or take."""
    alarms = 0
    for seed in range(200):
        df = frame(n=60, a=3, b=2, cross=0.0, seed=seed)
        rng = np.random.default_rng(seed)
        df["y"] = df.y + rng.exponential(2.0, len(df))
        alarms += interaction(table(df), "y", "A", "B", method="art").effects[2].p < 0.05
    assert 2 <= alarms <= 20


def test_cells_hold_medians_for_the_plot_and_the_least_of_each_level():
    found = interaction(table(frame()), "y", "A", "B")
    assert len(found.cells) == 12
    assert [(c.a, c.b) for c in found.cells[:3]] == [("a0", "b0"), ("a0", "b1"), ("a0", "b2")]
    assert found.least == {"b0": "a0", "b1": "a0", "b2": "a0"}
    assert sum(c.median.n for c in found.cells) == 120


def test_one_run_per_combination():
    df = pd.DataFrame(
        [
            (f"a{i}", f"b{j}", float(3 * i + j + 0.1 * ((i * 5 + j * 3) % 4)))
            for i in range(4)
            for j in range(3)
        ],
        columns=["A", "B", "y"],
    )
    found = interaction(table(df), "y", "A", "B")
    a, b, both = found.effects
    lines = sm.stats.anova_lm(ols("y ~ C(A) + C(B)", df).fit(), typ=2)
    assert a.f == pytest.approx(lines.loc["C(A)", "F"])
    assert b.f == pytest.approx(lines.loc["C(B)", "F"])
    assert both.p is None
    assert "cannot be told from scatter" in both.reason
    assert found.why.startswith("no assumption fails, but not all could be tested")
    assert "is unknown" in found.finding
    with pytest.raises(UsageError, match="twice"):
        interaction(table(df), "y", "A", "B", method="art")


def test_combinations_that_share_no_level_cannot_be_told_apart():
    rows = [("a0", "b0", 1.0), ("a0", "b0", 1.2), ("a1", "b1", 3.0), ("a1", "b1", 3.1)]
    found = interaction(table(pd.DataFrame(rows, columns=["A", "B", "y"])), "y", "A", "B")
    assert all(e.p is None for e in found.effects)
    assert all("too few combinations" in e.reason for e in found.effects)


@pytest.mark.parametrize("method", ["auto", "anova", "art"])
def test_constant_values(method):
    df = frame()
    df["y"] = 0.7
    found = interaction(table(df), "y", "A", "B", method=method)
    assert all(e.p is None and e.reason == "all values are the same" for e in found.effects)
    json.dumps(found.to_json(), allow_nan=False)


def test_no_scatter_within_combinations():
    df = frame(noise=0.0)
    found = interaction(table(df), "y", "A", "B", method="anova")
    assert all(e.p is None and "no scatter" in e.reason for e in found.effects)
    json.dumps(found.to_json(), allow_nan=False)


def test_the_scale_of_the_values_does_not_matter():
    df = frame()
    big = df.assign(y=df.y * 1e12)
    one, two = (interaction(table(d), "y", "A", "B").effects for d in (df, big))
    assert [e.f for e in one] == pytest.approx([e.f for e in two], rel=1e-9)


def test_rows_without_a_value_are_left_out_and_counted():
    df = frame()
    cells = df.y.tolist()
    cells[0], cells[1] = None, "NaN"
    found = interaction(
        Table("runs", {"A": df.A.tolist(), "B": [None, *df.B[1:]], "y": cells}), "y", "A", "B"
    )
    assert found.left_out == {"no y": 2}
    assert sum(c.median.n for c in found.cells) == 118


def test_misuse():
    df = frame()
    with pytest.raises(BadInputError, match="A is a0 in all rows: a factor needs two levels"):
        interaction(table(df[df.A == "a0"]), "y", "A", "B")
    with pytest.raises(UsageError, match="no method"):
        interaction(table(df), "y", "A", "B", method="anovva")
    with pytest.raises(UsageError, match="group by"):
        interaction(table(df), "y", "A", "A")
    with pytest.raises(BadInputError, match="no row is left"):
        interaction(table(df.assign(y=np.nan)), "y", "A", "B")
    many = pd.DataFrame({"A": [f"r{i}" for i in range(300)], "B": ["x", "y", "z"] * 100, "y": 1.0})
    with pytest.raises(BadInputError, match="300 levels"):
        interaction(table(many), "y", "A", "B")


def test_a_hundred_thousand_rows():
    df = frame(n=100_000, a=10, b=8)
    df["y"] = np.exp(df.y / 10)
    found = interaction(table(df), "y", "A", "B")
    assert found.method == "art"
    assert found.effects[2].df_error == 100_000 - 80
