"""A comparison in words."""

import io

import pytest
from rich.console import Console

from joulecast.analysis.statistics.compare import GroupPair, compare
from joulecast.analysis.statistics.correlation import correlate
from joulecast.analysis.statistics.effect_sizes import EffectSize
from joulecast.analysis.table.columns import Table
from joulecast.reports.terminal.compare import (
    p_text,
    pair_sentence,
    render_comparison,
    render_correlations,
)


def pair(change: float | None, difference: float | None, delta: float = -0.98, **more) -> GroupPair:
    fields = {"p": 0.0001, "p_adjusted": 0.0002, "significant": True} | more
    return GroupPair(
        a="vgg16",
        b="resnet50",
        effect=EffectSize("cliffs-delta", delta, "large", -1.0, -0.9),
        median_change_pct=change,
        median_difference=difference,
        **fields,
    )


def shown(found, width: int = 100, **options) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    if hasattr(found, "overall"):
        render_correlations(found, [], console)
    else:
        render_comparison(found, ["2 running"], console, **options)
    return out.getvalue()


def test_the_smaller_one_is_said_to_be_less() -> None:
    assert pair_sentence(pair(-29.3, -5.0), "energy_j") == (
        "resnet50 uses 29 % less than vgg16 (p < 0.001, Cliff's delta -0.98, large)"
    )
    # The other way round it is the same sentence about the same two groups.
    assert pair_sentence(pair(25.0, 5.0, 0.98), "energy_j") == (
        "vgg16 uses 20 % less than resnet50 (p < 0.001, Cliff's delta -0.98, large)"
    )


@pytest.mark.parametrize(
    ("value", "change", "difference", "said"),
    [
        ("duration_s", -5.04, -1.0, "resnet50 takes 5.0 % less than vgg16"),
        ("accuracy", -2.0, -0.02, "resnet50 has 2.0 % less accuracy than vgg16"),
        ("gpu_energy_j", -20.0, -1.0, "resnet50 uses 20 % less gpu_energy_j than vgg16"),
        ("energy_j", 0.0, 0.0, "resnet50 uses as much as vgg16"),
        ("energy_j", 0.01, 0.1, "vgg16 uses as much as resnet50"),
        ("energy_j", -99.7, -9.0, "resnet50 uses 99.7 % less than vgg16"),
        ("energy_j", None, 2000.0, "resnet50 uses 2.00 kJ more than vgg16"),
        ("loss", None, -0.5, "resnet50 has 0.5 less loss than vgg16"),
        ("energy_j", None, None, "resnet50 against vgg16: unknown"),
    ],
)
def test_every_pair_has_a_sentence(
    value: str, change: float | None, difference: float | None, said: str
) -> None:
    assert pair_sentence(pair(change, difference), value).startswith(f"{said} (")


def test_p_as_people_write_it() -> None:
    assert [p_text(p) for p in (None, 1e-9, 0.0132, 0.34)] == [
        "p unknown",
        "p < 0.001",
        "p = 0.013",
        "p = 0.34",
    ]


def table(**parts: list[float | None]) -> Table:
    return Table(
        "runs.csv",
        {
            "energy_j": [x for part in parts.values() for x in part],
            "architecture": [name for name, part in parts.items() for _ in part],
            "accuracy": [0.1 * i for i, part in enumerate(parts.values()) for _ in part],
        },
    )


def test_all_is_said_in_words() -> None:
    skewed = [1000.0 * 2.0**i for i in range(10)]
    rows = table(a=skewed, b=[x * 40 for x in skewed], c=[*skewed[:-1], None], d=[None])
    text = " ".join(shown(compare(rows, "energy_j", "architecture")).split())
    for words in (
        "energy_j by architecture",
        "29 values, runs.csv",
        "not normal: a (p",
        "Equal spread (Levene, median-centered)",
        "Chosen: a, b and c are not normal by Shapiro-Wilk, so ranks are compared: Kruskal-Wallis",
        "Yes: Kruskal-Wallis H(2) = ",
        "eta squared",
        "Pairs that differ (Dunn's test, Holm)",
        "a uses 98 % less than b",
        "No difference shown",
        "d: no value, so in no test",
        "2 running",
    ):
        assert words in text, words


def test_only_the_pairs_of_the_baseline() -> None:
    rows = table(a=[1.0, 2, 3], b=[4.0, 5, 6], c=[7.0, 8, 9])
    found = compare(rows, "energy_j", "architecture", baseline="c")
    text = shown(found, baseline="c")
    assert "than c" in text and "less than b" not in text


def test_one_group_and_one_repetition_say_why_not() -> None:
    assert "Not tested: there is one group, a (3 values)" in shown(
        compare(table(a=[1.0, 2, 3]), "energy_j", "architecture")
    )
    text = shown(compare(table(a=[1.0], b=[2.0]), "energy_j", "architecture"))
    assert "Pairs not tested" in text and "a uses 50 % less than b (p unknown" in text


def test_many_pairs_are_cut_and_counted() -> None:
    parts = {f"g{i}": [i + 1.0, i + 2.0, i + 3.0] for i in range(12)}
    text = shown(compare(table(**parts), "energy_j", "architecture"))
    assert text.count("Cliff's delta") == 30 and "and 36 pairs more: --baseline GROUP" in text


def test_names_cannot_steer_the_terminal() -> None:
    rows = table(**{"\x1b[31mred\n": [1.0, 2, 4], "b": [1.0, 2, 3]})
    assert "\x1b" not in shown(compare(rows, "energy_j", "architecture"))
    assert "\x1b" not in shown(correlate(rows, "energy_j", "accuracy", "architecture"))


def test_correlations_by_group() -> None:
    rows = table(a=[1.0, 2, 3], b=[4.0, 5, 6])
    text = shown(correlate(rows, "energy_j", "accuracy", "architecture"))
    assert "All rows: rho 0.88" in text and "6 rows" in text
    assert "a: unknown: one of the two is the same in all rows (3 rows)" in text
