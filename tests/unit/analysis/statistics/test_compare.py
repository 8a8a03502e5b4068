"""Groups compared: what is decided, what is dropped, what can never be in the JSON."""

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.statistics.compare import compare
from joulecast.analysis.statistics.groups import MOST_GROUPS
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


def compared(rows: Table, **options: object):
    found = compare(rows, "energy_j", "architecture", **options)
    json.dumps(found.to_json(), allow_nan=False)
    return found


def normal(shift: float, n: int = 20) -> list[float]:
    """As normal as numbers can be: the quantiles."""
    return [NormalDist(100 + shift, 3).inv_cdf((i + 0.5) / n) for i in range(n)]


def skewed(seed: int, scale: float, n: int = 30) -> list[float]:
    return (scale * np.random.default_rng(seed).exponential(size=n)).tolist()


def test_normal_groups_are_compared_by_means() -> None:
    found = compared(table(a=normal(0), b=normal(20), c=normal(0.2)))
    assert found.test.name == "welch-anova" and found.posthoc == "games-howell"
    assert "no group fails" in found.why
    by = {(p.a, p.b): p for p in found.pairs}
    assert by["a", "b"].significant and not by["a", "c"].significant
    assert by["a", "b"].median_change_pct == pytest.approx(20, abs=4)
    assert by["a", "b"].effect.value == 1 and by["b", "c"].effect.value == -1
    assert by["b", "c"].median_change_pct < 0


def test_one_skewed_group_is_enough_for_ranks() -> None:
    found = compared(table(a=normal(0), b=skewed(2, 20)))
    assert found.test.name == "kruskal-wallis" and found.posthoc == "dunn-holm"
    assert found.why.startswith("b is not normal by Shapiro-Wilk")
    assert found.spread.equal is False
    assert any("not spread alike" in note for note in found.notes)


@pytest.mark.parametrize(("asked", "name"), [("welch", "welch-anova"), ("kruskal", "kruskal-w")])
def test_a_test_that_is_asked_for(asked: str, name: str) -> None:
    for rows in (table(a=normal(0), b=normal(9)), table(a=skewed(1, 2), b=skewed(2, 9))):
        found = compared(rows, test=asked)
        assert found.test.name.startswith(name) and "asked for" in found.why
        assert len(found.normality) == 2  # reported all the same


def test_the_json_has_the_promised_form() -> None:
    document = compared(table(a=skewed(1, 1), b=skewed(2, 9))).to_json()
    assert next(iter(document)) == "schema" and document["schema"] == "joulecast/compare/1"
    assert {"name", "n", "median", "mean"} <= set(document["groups"][0])
    assert set(document["assumptions"]) == {"shapiro", "levene"}
    assert {"name", "statistic", "p", "effect"} <= set(document["test"])
    assert document["test"]["effect"]["name"] == "eta-squared"
    (pair,) = document["pairs"]
    assert {"a", "b", "p_adjusted", "effect", "median_change_pct"} <= set(pair)
    assert pair["effect"]["name"] == "cliffs-delta" and pair["effect"]["word"] == "large"


def test_one_repetition_has_medians_and_no_test() -> None:
    for test in ("auto", "welch", "kruskal"):
        found = compared(table(a=[10.0], b=[5.0]), test=test)
        assert found.test.p is None and "one value in each group" in found.test.reason
        (pair,) = found.pairs
        assert pair.median_change_pct == -50 and pair.p_adjusted is None
        assert pair.significant is None
        assert found.to_json()["test"] is None and found.to_json()["reason"]


def test_pairs_are_not_to_be_read_into_where_the_groups_do_not_differ() -> None:
    def warns(*shifts: float) -> bool:
        groups = {name: normal(shift) for name, shift in zip("abc", shifts, strict=False)}
        return any("do not read much into" in note for note in compared(table(**groups)).notes)

    assert warns(0, 0, 0)
    assert not warns(0, 0, 9)
    assert not warns(0, 0)  # of two groups the pair is the whole


def test_one_group_says_so() -> None:
    found = compared(table(a=normal(0)))
    assert "there is one group, a (20 values)" in found.test.reason
    assert found.why == "none, for there is nothing to test: one group has values"
    assert found.to_json()["decision"]["test"] is None
    assert found.pairs == () and found.normality[0].p is not None


def test_groups_without_values_leave_nothing_to_test() -> None:
    found = compared(table(a=[math.nan] * 4, b=[math.nan] * 5))
    assert found.to_json()["decision"] == {
        "asked": "auto",
        "test": None,
        "why": "none, for there is nothing to test: no group has a value",
    }
    assert (found.test.reason, found.spread.reason) == (
        "no group has a value",
        "it compares groups, and there is none",
    )


def test_constant_values_have_no_p() -> None:
    found = compared(table(a=[3.0] * 5, b=[3.0] * 6))
    assert found.test.p is None and "are the same" in found.test.reason
    assert found.spread.p is None and all(n.p is None for n in found.normality)
    assert found.pairs[0].effect.value == 0 and found.pairs[0].p_adjusted is None
    apart = compared(table(a=[3.0] * 5, b=[4.0] * 6))  # ranks can tell these
    assert apart.test.name == "kruskal-wallis" and apart.test.p < 0.01
    welch = compared(table(a=[3.0] * 5, b=[4.0] * 6), test="welch")
    assert welch.test.p is None and "no variance" in welch.test.reason


def test_a_constant_that_is_zero_has_no_change_in_per_cent() -> None:
    (pair,) = compared(table(a=[0.0] * 5, b=[1.0, 2, 3, 4, 5])).pairs
    assert pair.median_change_pct is None and pair.reason and pair.median_difference == 3


def test_missing_values_are_dropped_and_counted() -> None:
    rows = Table(
        "t",
        {
            "energy_j": [1.0, None, math.nan, "", "3", "4", "n/a", 7.0, 8.0],
            "architecture": ["a", "a", "a", "b", "b", "b", "c", None, ""],
        },
    )
    found = compared(rows)
    assert [(g.name, g.n, g.missing) for g in found.groups] == [
        ("a", 1, 2),
        ("b", 2, 1),
        ("c", 0, 1),
    ]
    assert found.unlabeled == 2
    assert any(note.startswith("c: no value") for note in found.notes)
    assert [(p.a, p.b) for p in found.pairs] == [("a", "b")]


def test_nothing_known_at_all() -> None:
    found = compared(table(a=[None, None], b=[None]))
    assert found.test.reason == "no group has a value" and found.pairs == ()


def test_groups_of_very_different_size() -> None:
    found = compared(table(a=normal(0, 5000), b=normal(30, 3), c=[130.0]))
    assert [g.n for g in found.groups] == [5000, 3, 1]
    by = {(p.a, p.b): p for p in found.pairs}
    assert by["a", "b"].p_adjusted < 0.05 and by["a", "b"].effect.low is None


def test_labels_that_are_numbers_come_in_their_order() -> None:
    rows = Table("t", {"energy_j": [1.0] * 4, "architecture": ["64", "8", "128", "8.0"]})
    assert [g.name for g in compared(rows).groups] == ["8", "64", "128"]


def test_binary_values() -> None:
    found = compared(table(a=[0.0] * 18 + [1.0] * 2, b=[1.0] * 19 + [0.0]))
    assert found.test.name == "kruskal-wallis" and found.test.p < 0.001
    assert found.pairs[0].effect.value == pytest.approx(0.85)


def test_a_baseline_comes_first() -> None:
    rows = table(a=normal(0), b=normal(5), vgg=normal(9))
    found = compared(rows, baseline="vgg")
    assert [(p.a, p.b) for p in found.pairs] == [("vgg", "a"), ("vgg", "b"), ("a", "b")]
    with pytest.raises(BadInputError, match="no architecture is vgg16: the nearest is vgg"):
        compared(rows, baseline="vgg16")


def test_what_cannot_be() -> None:
    rows = table(a=normal(0))
    with pytest.raises(BadInputError, match="no column energy: the nearest are energy_j"):
        compare(rows, "energy", "architecture")
    with pytest.raises(BadInputError, match="architecture is a, not a finite number"):
        compare(rows, "architecture", "energy_j")
    with pytest.raises(UsageError, match="by itself"):
        compare(rows, "energy_j", "energy_j")
    with pytest.raises(UsageError, match="one of auto, welch, kruskal"):
        compared(rows, test="anova")
    with pytest.raises(UsageError, match="between 0 and 1"):
        compared(rows, alpha=1.5)
    many = Table("t", {"energy_j": [1.0] * 99, "architecture": [float(i) for i in range(99)]})
    with pytest.raises(BadInputError, match=f"99 different values.*at most {MOST_GROUPS}"):
        compared(many)


@pytest.mark.parametrize("test", ["kruskal", "welch"])
def test_a_hundred_thousand_rows(test: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c", "d", "e"], 100_000).tolist()
    shift = {"a": 0.0, "b": 0.0, "c": 0.5, "d": 1.0, "e": 0.0}
    energy = rng.normal(100, 1, 100_000) + np.array([shift[label] for label in labels])
    rows = Table("t", {"energy_j": energy.tolist(), "architecture": labels})
    found = compared(rows, test=test)
    assert {n.tested for n in found.normality} == {5000}
    delta = {(p.a, p.b): p.effect.value for p in found.pairs}
    assert delta["a", "d"] == pytest.approx(math.erf(0.5), abs=0.02)
    assert delta["a", "b"] == pytest.approx(0, abs=0.02)


value = st.one_of(
    st.none(),
    st.floats(allow_infinity=False),
    st.sampled_from([0.0, 1.0, 1e308, -1e308, 5e-324, 1e-200]),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(value, st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=40),
    st.sampled_from(["auto", "welch", "kruskal"]),
)
def test_whatever_the_values_the_json_is_json(rows: list, test: str) -> None:
    values, labels = zip(*rows, strict=True)
    found = compared(
        Table("t", {"energy_j": list(values), "architecture": list(labels)}), test=test
    )
    assert (found.test.p is None) == (found.test.reason is not None)
    for pair in found.pairs:
        assert pair.p_adjusted is None or 0 <= pair.p_adjusted <= 1
        assert (pair.p_adjusted is None) == (pair.significant is None)
        assert -1 <= pair.effect.value <= 1
