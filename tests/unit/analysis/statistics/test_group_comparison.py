"""Groups compared: which test is chosen, what is left out, what the document contains."""

import json
import math
import re
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from joulecast.analysis.statistics.effect_sizes import cliffs_delta
from joulecast.analysis.statistics.group_comparison import Comparison, compare_groups, pair_of
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


def test_a_pair_is_significant_by_its_adjusted_p() -> None:
    rows = table(a=[1.0, 2.0, 3.0], b=[4.0, 5.0, 6.0], c=[7.0, 8.0, 9.0])
    pairs = compared(rows, test="kruskal", alpha=0.2).pairs
    # Mean ranks 2, 5 and 8, each with a variance of 9 * 10 / 12 / 3 = 2.5.
    near, far = (2 * NormalDist().cdf(-z / math.sqrt(5)) for z in (3, 6))
    assert [(p.a, p.b) for p in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [p.p for p in pairs] == pytest.approx([near, far, near])
    # Holm: the smallest times three, the next times two; the last is not below the one before.
    assert [p.p_adjusted for p in pairs] == pytest.approx([2 * near, 3 * far, 2 * near])
    # p of neighbors is 0.18: below the level only before its adjustment.
    assert near < 0.2 < 2 * near
    assert [p.significant for p in pairs] == [False, True, False]
    assert [p.median_difference for p in pairs] == [3, 6, 3]
    assert [p.median_change_pct for p in pairs] == pytest.approx([150, 300, 60])
    # A p at the level is not below it.
    (at,) = (p.p_adjusted for p in pairs[1:2])
    assert compared(rows, test="kruskal", alpha=at).pairs[1].significant is False


def test_pairs_by_means_are_those_of_scipy() -> None:
    groups = {"a": normal(0), "b": normal(1), "c": normal(3, 15)}
    expected = stats.tukey_hsd(*groups.values(), equal_var=False).pvalue
    pairs = compared(table(**groups), test="welch").pairs
    assert [p.p_adjusted for p in pairs] == pytest.approx(
        [expected[0, 1], expected[0, 2], expected[1, 2]], rel=1e-6
    )
    assert [p.significant for p in pairs] == [
        bool(p < 0.05) for p in (expected[0, 1], expected[0, 2], expected[1, 2])
    ]


def test_two_groups_by_means_have_the_p_of_welchs_t_test() -> None:
    a, b = normal(0), normal(1, 15)
    comparison = compared(table(a=a, b=b))
    assert comparison.alpha == 0.05 and comparison.test.name == "welch-anova"
    expected = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert comparison.test.p == pytest.approx(expected)
    # Of two groups the studentized range is the t test.
    assert comparison.pairs[0].p_adjusted == pytest.approx(expected, rel=1e-5)


def test_an_empty_group_is_noted_once() -> None:
    (note,) = compared(table(a=normal(0), b=normal(9), c=[None])).notes
    assert note.startswith("c: no value")


def test_a_baseline_of_no_groups_at_all() -> None:
    with pytest.raises(BadInputError, match="there is nothing at all"):
        compared(Table("t", {"energy_j": [1.0], "architecture": [None]}), baseline="a")
    with pytest.raises(BadInputError, match="there is a and b"):
        compared(table(a=[1.0], b=[2.0]), baseline="zzz")
    with pytest.raises(BadInputError, match="the nearest is vgg16"):
        compared(table(vgg16=[1.0], b=[2.0]), baseline="vgg19")


def test_two_single_values_and_a_third_have_pairs_by_ranks() -> None:
    pairs = compared(table(a=[1.0], b=[2.0, 3.0]), test="kruskal").pairs
    # Mean ranks 1 and 2.5; 3 * 4 / 12 * (1 + 1 / 2).
    assert pairs[0].p == pytest.approx(2 * NormalDist().cdf(-1.5 / math.sqrt(1.5)))


def test_change_over_blocks_is_the_geometric_mean_of_ratios() -> None:
    medians = np.array([[1.0, 2.0], [10.0, 5.0], [4.0, 16.0]])
    effect = cliffs_delta(np.zeros(1), np.ones(1))
    pair = pair_of(("a", "b"), medians, effect, (0.01, 0.04), 0.05)
    # Ratios 2, 1/2 and 4; differences 1, -5 and 12.
    assert pair.median_change_pct == pytest.approx(100 * (4 ** (1 / 3) - 1))
    assert pair.median_difference == pytest.approx(8 / 3)
    assert (pair.p, pair.p_adjusted, pair.significant, pair.reason) == (0.01, 0.04, True, None)


@pytest.mark.parametrize(
    ("medians", "change"),
    [((2.0, 0.0), -100), ((0.0, 2.0), None), ((2.0, -1.0), None), ((-2.0, 1.0), None)],
)
def test_a_change_needs_a_median_above_zero(
    medians: tuple[float, float], change: float | None
) -> None:
    effect = cliffs_delta(np.zeros(1), np.ones(1))
    pair = pair_of(("a", "b"), np.array([medians]), effect, (None, None), 0.05)
    assert pair.median_change_pct == change
    assert (pair.reason is None) == (change is not None)
    assert pair.significant is None


def test_why_a_test_was_chosen() -> None:
    assert "no group has" in compared(table(a=[None])).why
    assert "one group has" in compared(table(a=normal(0))).why
    assert compared(table(a=skewed(1, 20), b=skewed(2, 20))).why.startswith("a and b are not")
    assert compared(table(a=skewed(1, 20), b=normal(0))).why.startswith("a is not")
    # Two values are too few for Shapiro-Wilk: ranks are compared.
    unknown = compared(table(a=[1.0, 2.0], b=normal(100)))
    assert unknown.test.name == "kruskal-wallis" and "a is unknown" in unknown.why


def test_four_values_are_few_for_means_too() -> None:
    (note,) = compared(table(a=normal(0, 4), b=normal(30)), test="welch").notes
    assert note.startswith("a: fewer than 5 values, too few")
    (note,) = compared(table(a=normal(0, 4), b=normal(30)), test="kruskal").notes
    assert note.startswith("a: fewer than 5 values, so p is rough")


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
        assert (pair.effect.value is None) == (pair.effect.reason is not None)
        assert pair.effect.value is None or -1 <= pair.effect.value <= 1


def test_groups_of_different_machines_get_a_note_where_their_meters_share_much() -> None:
    rows = table(a=[100.0] * 3, b=[90.0, 91.0, 92.0]).columns
    wide = {
        "energy_low_j": [50.0] * 6,
        "energy_high_j": [200.0] * 6,
        "energy_own_low_j": [89.0] * 6,
        "energy_own_high_j": [101.0] * 6,
    }

    def notes(hosts: str, **bounds: list[float]) -> list[str]:
        columns = {**rows, **wide, **bounds, "host": list(hosts)}
        return [n for n in compared(Table("t", columns)).notes if "machines" in n]

    assert len(notes("xxxyyy")) == len(notes("xxxxxy")) == 1
    assert notes("xxxxxx") == notes("xyzxyz") == []
    assert notes("xxxyyy", energy_own_low_j=[50.0] * 6, energy_own_high_j=[200.0] * 6) == []
