"""Groups compared: which test is chosen, what is left out, what the document contains."""

import json
import math
import re
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.group_comparison import Comparison, compare_groups
from joulecast.analysis.statistics.groups import MAX_GROUPS
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError


def table(**parts: list) -> Table:
    return Table(
        "t",
        {
            "energy_j": [x for part in parts.values() for x in part],
            "architecture": [name for name, part in parts.items() for _ in part],
        },
    )


def compared(rows: Table, **options: object) -> Comparison:
    comparison = compare_groups(rows, "energy_j", "architecture", **options)
    json.dumps(comparison.to_json(), allow_nan=False)
    return comparison


def normal(shift: float, n: int = 20) -> list[float]:
    """Quantiles of a normal distribution, which Shapiro-Wilk never rejects."""
    return [NormalDist(100 + shift, 3).inv_cdf((i + 0.5) / n) for i in range(n)]


def skewed(seed: int, scale: float, n: int = 30) -> list[float]:
    return (scale * np.random.default_rng(seed).exponential(size=n)).tolist()


def test_normal_groups_are_compared_by_means() -> None:
    comparison = compared(table(a=normal(0), b=normal(20), c=normal(0.2)))
    assert (comparison.test.name, comparison.posthoc) == ("welch-anova", "games-howell")
    by = {(p.a, p.b): p for p in comparison.pairs}
    assert by["a", "b"].significant and not by["a", "c"].significant
    assert by["a", "b"].median_change_pct == pytest.approx(20, abs=4)
    assert by["a", "b"].effect.value == 1 and by["b", "c"].effect.value == -1
    assert by["b", "c"].median_change_pct < 0
    assert by["a", "b"].p is None


def test_one_skewed_group_is_enough_for_ranks() -> None:
    comparison = compared(table(a=normal(0), b=skewed(2, 20)))
    assert (comparison.test.name, comparison.posthoc) == ("kruskal-wallis", "dunn-holm")
    assert [(n.group, n.normal) for n in comparison.normality] == [("a", True), ("b", False)]
    assert comparison.why.split()[0] == "b"
    assert comparison.spread.equal is False
    assert len(comparison.notes) == 1 and "variances" in comparison.notes[0]


@pytest.mark.parametrize(
    ("test", "name"), [("welch", "welch-anova"), ("kruskal", "kruskal-wallis")]
)
def test_a_requested_test(test: str, name: str) -> None:
    for rows in (table(a=normal(0), b=normal(9)), table(a=skewed(1, 2), b=skewed(2, 9))):
        comparison = compared(rows, test=test)
        assert (comparison.requested, comparison.test.name) == (test, name)
        # Normality is reported all the same.
        assert len(comparison.normality) == 2


def test_the_document_has_the_fields_as_keys() -> None:
    document = compared(table(a=skewed(1, 1), b=skewed(2, 9))).to_json()
    assert next(iter(document)) == "schema" and document["schema"] == "joulecast/compare/1"
    assert set(document["groups"][0]) == {"name", "n", "missing", "median", "mean", "std"}
    assert {"normality", "spread", "requested", "why", "unit", "baseline"} <= set(document)
    assert document["test"]["effect"]["name"] == "eta-squared"
    (pair,) = document["pairs"]
    assert {"a", "b", "p", "p_adjusted", "significant", "median_change_pct"} <= set(pair)
    assert (pair["effect"]["name"], pair["effect"]["word"]) == ("cliffs-delta", "large")


def test_figures_are_in_si() -> None:
    rows = Table("t", {"e (kJ)": ["1", "2 J", "3", "4"], "g": ["a", "a", "b", "b"]})
    comparison = compare_groups(rows, "e (kJ)", "g")
    assert comparison.unit == "J"
    assert [g.median for g in comparison.groups] == [501.0, 3500.0]
    assert comparison.pairs[0].median_difference == 2999.0


def test_one_repetition_has_medians_and_no_test() -> None:
    for test in ("auto", "welch", "kruskal"):
        comparison = compared(table(a=[10.0], b=[5.0]), test=test)
        assert comparison.test.p is None and comparison.test.reason
        (pair,) = comparison.pairs
        assert (pair.median_change_pct, pair.p_adjusted, pair.significant) == (-50, None, None)


def test_single_pairs_are_weak_where_the_groups_do_not_differ() -> None:
    def notes(*shifts: float) -> int:
        groups = {name: normal(shift) for name, shift in zip("abc", shifts, strict=False)}
        return len(compared(table(**groups)).notes)

    assert notes(0, 0, 0) == 1
    assert notes(0, 0, 9) == 0
    # Of two groups the pair is the whole.
    assert notes(0, 0) == 0


def test_few_values_are_noted() -> None:
    notes = compared(table(a=[1.0, 2.0, 3.5, 9.0], b=normal(3)), test="kruskal").notes
    (note,) = [note for note in notes if note.startswith("a: ")]
    assert re.findall(r"\d+", note)[0] == "5"
    notes = compared(table(a=normal(0, 5), b=normal(3, 5)), test="kruskal").notes
    assert not notes


def test_one_group_and_no_value_leave_nothing_to_test() -> None:
    one = compared(table(a=normal(0)))
    assert one.pairs == () and one.test.p is None and one.normality[0].p is not None
    nothing = compared(table(a=[math.nan] * 4, b=[None] * 5))
    assert nothing.pairs == () and nothing.normality == ()
    assert nothing.test.reason and nothing.spread.reason


def test_constant_values_have_no_p() -> None:
    comparison = compared(table(a=[3.0] * 5, b=[3.0] * 6))
    assert comparison.test.p is None and comparison.spread.p is None
    assert [n.p for n in comparison.normality] == [None, None]
    assert comparison.pairs[0].effect.value == 0 and comparison.pairs[0].p_adjusted is None
    # Ranks separate two constants, means without variance do not.
    assert compared(table(a=[3.0] * 5, b=[4.0] * 6)).test.p < 0.01
    assert compared(table(a=[3.0] * 5, b=[4.0] * 6), test="welch").test.p is None


def test_a_median_of_zero_has_no_change_in_per_cent() -> None:
    (pair,) = compared(table(a=[0.0] * 5, b=[1.0, 2, 3, 4, 5])).pairs
    assert pair.median_change_pct is None and pair.reason and pair.median_difference == 3


def test_missing_values_are_left_out_and_counted() -> None:
    rows = Table(
        "t",
        {
            "energy_j": [1.0, None, math.nan, "", "3", "4", "n/a", 7.0, 8.0],
            "architecture": ["a", "a", "a", "b", "b", "b", "c", None, ""],
        },
        notes=("one run was left out",),
    )
    comparison = compared(rows)
    assert [(g.name, g.n, g.missing) for g in comparison.groups] == [
        ("a", 1, 2),
        ("b", 2, 1),
        ("c", 0, 1),
    ]
    assert comparison.unlabeled == 2
    assert (rows.notes[0], "c:") == (comparison.notes[0], comparison.notes[1].split()[0])
    assert [(p.a, p.b) for p in comparison.pairs] == [("a", "b")]


def test_groups_of_very_different_size() -> None:
    comparison = compared(table(a=normal(0, 5000), b=normal(30, 3), c=[130.0]))
    assert [g.n for g in comparison.groups] == [5000, 3, 1]
    by = {(p.a, p.b): p for p in comparison.pairs}
    assert by["a", "b"].p_adjusted < 0.05 and by["a", "b"].effect.low is None


def test_numeric_labels_are_sorted_by_size() -> None:
    rows = Table("t", {"energy_j": [1.0] * 4, "architecture": ["64", "8", "128", "8.0"]})
    assert [g.name for g in compared(rows).groups] == ["8", "64", "128"]


def test_binary_values() -> None:
    comparison = compared(table(a=[0.0] * 18 + [1.0] * 2, b=[1.0] * 19 + [0.0]))
    assert comparison.test.name == "kruskal-wallis" and comparison.test.p < 0.001
    assert comparison.pairs[0].effect.value == pytest.approx(0.85)


def test_a_baseline_comes_first() -> None:
    rows = table(a=normal(0), b=normal(5), vgg=normal(9))
    comparison = compared(rows, baseline="vgg")
    assert comparison.baseline == "vgg"
    assert [(p.a, p.b) for p in comparison.pairs] == [("vgg", "a"), ("vgg", "b"), ("a", "b")]
    with pytest.raises(BadInputError, match="vgg"):
        compared(rows, baseline="vgg16")


def test_columns_that_cannot_be_compared() -> None:
    rows = table(a=normal(0))
    with pytest.raises(BadInputError, match="energy_j"):
        compare_groups(rows, "energy", "architecture")
    with pytest.raises(BadInputError):
        compare_groups(rows, "architecture", "energy_j")
    with pytest.raises(UsageError):
        compare_groups(rows, "energy_j", "energy_j")
    labels = [float(i) for i in range(MAX_GROUPS + 1)]
    many = Table("t", {"energy_j": [1.0] * len(labels), "architecture": labels})
    with pytest.raises(BadInputError, match=str(MAX_GROUPS)):
        compared(many)


@pytest.mark.parametrize("test", ["kruskal", "welch"])
def test_a_hundred_thousand_rows(test: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c", "d", "e"], 100_000).tolist()
    shift = {"a": 0.0, "b": 0.0, "c": 0.5, "d": 1.0, "e": 0.0}
    energy = rng.normal(100, 1, 100_000) + np.array([shift[label] for label in labels])
    rows = Table("t", {"energy_j": energy.tolist(), "architecture": labels})
    comparison = compared(rows, test=test)
    assert {n.tested for n in comparison.normality} == {5000}
    delta = {(p.a, p.b): p.effect.value for p in comparison.pairs}
    assert delta["a", "d"] == pytest.approx(math.erf(0.5), abs=0.02)
    assert delta["a", "b"] == pytest.approx(0, abs=0.02)


value = st.one_of(
    st.none(),
    st.floats(-1e100, 1e100),
    st.sampled_from([0.0, 1.0, 1e100, -1e100, 5e-324, 1e-200]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(value, st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=40),
    st.sampled_from(["auto", "welch", "kruskal"]),
)
def test_any_values_give_finite_figures_or_a_reason(rows: list, test: str) -> None:
    values, labels = zip(*rows, strict=True)
    rows = Table("t", {"score": list(values), "architecture": list(labels)})
    comparison = compare_groups(rows, "score", "architecture", test=test)
    json.dumps(comparison.to_json(), allow_nan=False)
    assert (comparison.test.p is None) == (comparison.test.reason is not None)
    for pair in comparison.pairs:
        assert pair.p_adjusted is None or 0 <= pair.p_adjusted <= 1
        assert (pair.p_adjusted is None) == (pair.significant is None)
        assert -1 <= pair.effect.value <= 1
