"""The reports of `joulecast compare`."""

import numpy as np
import pytest

from fakes.golden import golden
from joulecast.analysis.statistics.compare import compare
from joulecast.analysis.statistics.correlation import correlate
from joulecast.analysis.statistics.effect_sizes import EffectSize
from joulecast.analysis.statistics.group_comparison import GroupPair
from joulecast.analysis.statistics.wording import p_text
from joulecast.analysis.table.columns import Table
from joulecast.reports.documents.compare import (
    comparison_document,
    correlations_document,
    interaction_document,
    pair_sentence,
)
from joulecast.reports.terminal.render import to_text


def table(**parts: list[float | None]) -> Table:
    return Table(
        "runs.csv",
        {
            "energy_j": [x for part in parts.values() for x in part],
            "architecture": [name for name, part in parts.items() for _ in part],
            "accuracy": [0.1 * i for i, part in enumerate(parts.values()) for _ in part],
        },
        notes=("runs left out because they did not finish: 2 running",),
    )


def crossed(environments: int = 2) -> Table:
    """Seven runs of each of three architectures and some environments, but for one combination."""
    rng = np.random.default_rng(0)
    rows = [
        (f"[b]net {i}[/b] of a long name", f"env{j}", 100.0 * (i + 1) * (j + 1))
        for i in range(3)
        for j in range(environments)
        for _ in range(7)
        if (i, j) != (2, 1)
    ]
    a, b, energy = (list(column) for column in zip(*rows, strict=True))
    varied = (np.array(energy) * rng.normal(1, 0.02, len(rows))).tolist()
    return Table("t", {"architecture": a, "env": b, "energy_j": [*varied]})


def text(source: Table, width: int = 100, **options) -> str:
    return to_text(comparison_document(compare(source, by="architecture", **options)), width)


def pair(change: float | None, difference: float, delta: float = -0.98) -> GroupPair:
    effect = EffectSize("cliffs-delta", delta, "large", -1.0, -0.9)
    return GroupPair("vgg16", "resnet50", 0.0001, 0.0002, True, effect, change, difference)


def test_wording() -> None:
    skewed = [1000.0 * 2.0**i for i in range(10)]
    ranks = table(a=skewed, b=[x * 40 for x in skewed], c=[*skewed[:-1], None], d=[None])
    means = table(a=[1.0, 2.0, 3.0], b=[4.0, 5.0, 6.0], c=[7.0, 8.0, 9.0])
    unlabeled = Table("t", {"energy_j": [1.0, 2, 2, 4], "architecture": ["a", "a", "b", None]})
    pages = [
        text(ranks),
        text(means, baseline="c"),
        text(table(a=[1.0, 2, 3])),
        text(table(a=[1.0], b=[2.0])),
        text(unlabeled),
        to_text(correlations_document(correlate(means, "energy_j", "accuracy", "architecture"))),
        to_text(interaction_document(compare(crossed(), by="architecture,env"))),
        to_text(interaction_document(compare(crossed(9), by="architecture,env")), 80),
    ]
    golden("compare", "\n\n=====\n\n".join(pages))


def test_pairs_in_words() -> None:
    cases = [
        ("energy_j", "J", -29.3, -5.0),
        ("energy_j", "J", 25.0, 5.0),
        ("duration_s", "s", -5.04, -1.0),
        ("accuracy", None, -2.0, -0.02),
        ("gpu_energy_j", "J", -20.0, -1.0),
        ("energy_j", "J", 0.0, 0.0),
        ("energy_j", "J", 0.01, 0.1),
        ("energy_j", "J", -0.1, -0.1),
        ("energy_j", "J", -99.7, -9.0),
        ("energy_j", "J", None, 2000.0),
        ("loss", None, None, -0.5),
    ]
    sentences = [pair_sentence(pair(*change), value, unit) for value, unit, *change in cases]
    golden("compare_pairs", "\n".join(sentences))


def test_the_larger_group_is_the_reference_and_the_sign_follows() -> None:
    # b is 25 % above a, so a is 20 % below b.
    sentence = pair_sentence(pair(25.0, 5.0, 0.98), "energy_j", "J")
    assert sentence.startswith("vgg16") and "20 %" in sentence and "-0.98" in sentence


@pytest.mark.parametrize(
    ("p", "shown"), [(None, "unknown"), (1e-9, "< 0.001"), (0.0132, "= 0.013"), (0.34, "= 0.34")]
)
def test_p_is_rounded_to_two_digits(p: float | None, shown: str) -> None:
    assert p_text(p) == f"p {shown}"


def test_only_the_pairs_of_the_baseline_are_shown() -> None:
    shown = text(table(a=[1.0, 2, 3], b=[4.0, 5, 6], c=[7.0, 8, 9]), baseline="c")
    assert shown.count("Cliff's delta") == 2


def test_many_pairs_are_cut_and_counted() -> None:
    shown = text(table(**{f"g{i}": [i + 1.0, i + 2.0, i + 3.0] for i in range(12)}))
    assert shown.count("Cliff's delta") == 30 and "36 more pairs" in shown


def test_names_cannot_control_the_terminal() -> None:
    rows = table(**{"\x1b[31mred\n": [1.0, 2, 4], "b": [1.0, 2, 3]})
    assert "red" in text(rows) and "\x1b" not in text(rows)
    correlations = correlate(rows, "energy_j", "accuracy", "architecture")
    assert "\x1b" not in to_text(correlations_document(correlations))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_medians_of_many_levels_fit_the_terminal(width: int) -> None:
    result = compare(crossed(environments=9), by="architecture,env")
    shown = to_text(interaction_document(result), width)
    assert max(map(len, shown.splitlines())) <= width
    for j in range(9):
        assert f" env{j}" in shown
    assert shown.count("not run") == 2 and "[b]net" in shown
