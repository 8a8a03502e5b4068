"""Statistics against statsmodels and scikit-posthocs, which take seconds to import."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_oneway

from joulecast.analysis.statistics.groups import Group
from joulecast.analysis.statistics.interaction import interaction
from joulecast.analysis.statistics.omnibus import welch_anova
from joulecast.analysis.statistics.posthoc import dunn, holm
from joulecast.analysis.table.load import load_table

values = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-50, 50).map(lambda x: round(x, 2))),
    min_size=1,
    max_size=12,
)


def groups_of(parts: list) -> list[Group]:
    return [Group(f"g{i}", np.array(part, dtype=float)) for i, part in enumerate(parts)]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(values, min_size=2, max_size=5).filter(lambda p: len({x for v in p for x in v}) > 1)
)
def test_dunn_and_holm(parts: list[list[float]]) -> None:
    unadjusted = dunn(groups_of(parts))
    adjusted = holm(unadjusted)
    expected = scikit_posthocs.posthoc_dunn(parts).to_numpy()
    expected_adjusted = scikit_posthocs.posthoc_dunn(parts, p_adjust="holm").to_numpy()
    assert len(unadjusted) == len(parts) * (len(parts) - 1) // 2
    for (i, j), p in unadjusted.items():
        assert p == pytest.approx(expected[i, j], rel=1e-6, abs=1e-12)
        assert adjusted[i, j] == pytest.approx(expected_adjusted[i, j], rel=1e-6, abs=1e-12)


def test_holm() -> None:
    p_values = [0.04, 0.001, 0.03, 0.5, 0.02]
    adjusted = holm({(0, i + 1): p for i, p in enumerate(p_values)})
    assert list(adjusted.values()) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_welch_anova() -> None:
    rng = np.random.default_rng(7)
    groups = groups_of([rng.normal(s, 1 + i, 12 + 3 * i) for i, s in enumerate((0, 1, 3, 0))])
    expected = anova_oneway([g.values for g in groups], use_var="unequal")
    result = welch_anova(groups)
    assert result.statistic == pytest.approx(expected.statistic)
    assert result.p == pytest.approx(expected.pvalue)
    assert result.df == pytest.approx(expected.df)


# --- two factors ---------------------------------------------------------------------------------


def unbalanced(seed: int) -> pd.DataFrame:
    """Four levels of A and three of B, drawn at random."""
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, 4, 120), rng.integers(0, 3, 120)
    y = 10 + 1.5 * i + 2 * j + 0.5 * i * j + rng.normal(size=120)
    return pd.DataFrame({"A": [f"a{x}" for x in i], "B": [f"b{x}" for x in j], "y": y})


def anova(runs: pd.DataFrame):
    return interaction(load_table(runs), "y", "A", "B", method="anova")


@pytest.mark.parametrize("seed", range(3))
def test_unbalanced_cells_as_type_iii(seed: int) -> None:
    runs = unbalanced(seed)
    result = anova(runs)
    fit = ols("y ~ C(A, Sum) * C(B, Sum)", runs).fit()
    lines = sm.stats.anova_lm(fit, typ=3)
    names = ["C(A, Sum)", "C(B, Sum)", "C(A, Sum):C(B, Sum)"]
    assert result.sums == "III"
    for effect, name in zip(result.effects, names, strict=True):
        ss = lines.loc[name, "sum_sq"]
        assert effect.f == pytest.approx(lines.loc[name, "F"], rel=1e-9)
        assert effect.p == pytest.approx(lines.loc[name, "PR(>F)"], rel=1e-6)
        assert effect.partial_eta_squared == pytest.approx(ss / (ss + fit.ssr), rel=1e-9)


def test_missing_cells_as_type_ii() -> None:
    runs = unbalanced(1)
    runs = runs[~((runs.A == "a3") & (runs.B == "b2"))]
    result = anova(runs)
    additive = ols("y ~ C(A) + C(B)", runs).fit()
    cells = ols("y ~ C(cell)", runs.assign(cell=runs.A + runs.B)).fit()
    mean_square = cells.ssr / (len(runs) - 11)
    lines = sm.stats.anova_lm(additive, typ=2)
    a, b, both = result.effects
    assert result.sums == "II"
    assert a.f == pytest.approx(lines.loc["C(A)", "sum_sq"] / 3 / mean_square, rel=1e-9)
    assert b.f == pytest.approx(lines.loc["C(B)", "sum_sq"] / 2 / mean_square, rel=1e-9)
    assert (both.df, both.df_error) == (5, len(runs) - 11)
    assert both.f == pytest.approx((additive.ssr - cells.ssr) / 5 / mean_square, rel=1e-9)


def test_one_run_per_combination_as_type_ii() -> None:
    rows = [
        (f"a{i}", f"b{j}", 3.0 * i + j + 0.1 * ((i * 5 + j * 3) % 4))
        for i in range(4)
        for j in range(3)
    ]
    runs = pd.DataFrame(rows, columns=["A", "B", "y"])
    a, b, _ = anova(runs).effects
    lines = sm.stats.anova_lm(ols("y ~ C(A) + C(B)", runs).fit(), typ=2)
    assert a.f == pytest.approx(lines.loc["C(A)", "F"])
    assert b.f == pytest.approx(lines.loc["C(B)", "F"])
