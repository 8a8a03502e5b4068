"""What `joulecast compare` shows in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...analysis.statistics.assumptions import Normality, values
from ...analysis.statistics.compare import Comparison, GroupPair
from ...analysis.statistics.correlation import Correlation, Correlations
from ...analysis.statistics.effect_sizes import EffectSize
from ...analysis.statistics.omnibus import Omnibus
from ...analysis.table.column_units import Unit, unit_of
from ...units import format_number, one_line
from .run import notes, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_PAIRS = 30
"""Sentences; what there is more is in the JSON, or comes one group at a time by `--baseline`."""

_TESTS = {"kruskal-wallis": "Kruskal-Wallis", "welch-anova": "Welch's ANOVA"}
_POSTHOC = {"dunn-holm": "Dunn's test, Holm", "games-howell": "Games-Howell"}
_BLOCKS = {True: "Pairs that differ", False: "No difference shown", None: "Pairs not tested"}
_EFFECTS = {
    "eta-squared": "eta squared",
    "omega-squared": "omega squared",
    "cliffs-delta": "Cliff's delta",
}


def render_comparison(
    found: Comparison, remarks: Sequence[str], console: Console, baseline: str | None = None
) -> None:
    """Print the groups, what may be assumed of them, the test, and the pairs in words.

    With a `baseline` only its pairs.
    """
    from rich.text import Text

    unit = unit_of(found.value)
    count = sum(group.n for group in found.groups)
    title = f"{one_line(found.value)} by {one_line(found.by)}  "
    console.print(Text.assemble((title, "bold"), f"{values(count)}, {one_line(found.table, 200)}"))
    section(console, "Groups")
    console.print(_groups(found, unit))
    missing = _missing(found)
    if missing:
        console.print(Text(missing, "dim"))
    section(console, "What may be assumed")
    for line in _assumptions(found):
        console.print(Text(line))
    section(console, "Do the groups differ?")
    console.print(Text(test_sentence(found), "bold" if found.test.p is not None else "bold yellow"))
    pairs = [p for p in found.pairs if baseline is None or baseline in (p.a, p.b)]
    pairs.sort(key=lambda p: -abs(p.median_change_pct or 0.0))
    room = MOST_PAIRS
    for significant, title in _BLOCKS.items():
        block = [p for p in pairs if p.significant is significant]
        if block and room > 0:
            section(console, f"{title} ({_POSTHOC[found.posthoc]})")
            for pair in block[:room]:
                console.print(Text(pair_sentence(pair, found.value, unit)))
            room -= len(block)
    if room < 0:
        more = f"and {-room:,} pairs more: --baseline GROUP, or --json"
        console.print(Text(more, "dim"))
    notes(console, "Notes", [*remarks, *found.notes], "-", "dim")


def render_correlations(found: Correlations, remarks: Sequence[str], console: Console) -> None:
    """Print how two columns go together, overall and by group."""
    from rich.text import Text

    title = f"{one_line(found.x)} and {one_line(found.y)}  "
    console.print(Text.assemble((title, "bold"), one_line(found.table, 200)))
    section(console, "Do they rise together? (Spearman)")
    console.print(Text(correlation_sentence(found.overall)))
    for group in found.groups:
        console.print(Text(correlation_sentence(group)))
    if found.unlabeled:
        console.print(Text(f"{found.unlabeled:,} rows have no {one_line(found.by or '')}", "dim"))
    notes(console, "Notes", [*remarks, *found.notes], "-", "dim")


def p_text(p: float | None) -> str:
    """`p < 0.001`, `p = 0.013`, `p unknown`."""
    if p is None:
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def test_sentence(found: Comparison) -> str:
    """`Yes: Kruskal-Wallis H(4) = 133.8, p < 0.001, eta squared 0.90 (large)`."""
    test = found.test
    if test.p is None or test.statistic is None or test.effect is None:
        return f"Not tested: {test.reason}."
    yes = test.p < found.alpha
    answer = "Yes" if yes else f"Not shown at the level {found.alpha:g}"
    return f"{answer}: {_TESTS[test.name]} {_statistic(test)}, {p_text(test.p)}" + (
        f", {effect_text(test.effect)}." if test.effect.value is not None else "."
    )


def _statistic(test: Omnibus) -> str:
    symbol = "H" if test.name == "kruskal-wallis" else "F"
    freedom = ", ".join(f"{df:.4g}" for df in test.df)
    statistic = "unknown" if test.statistic is None else format_number(test.statistic, 4)
    return f"{symbol}({freedom}) = {statistic}"


def effect_text(effect: EffectSize) -> str:
    """`Cliff's delta -0.98, large`."""
    if effect.value is None:
        return f"{_EFFECTS[effect.name]} unknown"
    return f"{_EFFECTS[effect.name]} {effect.value:.2f}, {effect.word}"


def pair_sentence(pair: GroupPair, value: str, unit: Unit | None = None) -> str:
    """`resnet50 uses 29 % less than vgg16 (p < 0.001, Cliff's delta -0.98, large)`.

    By medians, the smaller against the larger where that is known.
    """
    unit = unit_of(value) if unit is None else unit
    a, b = one_line(pair.a), one_line(pair.b)
    effect, change = pair.effect, pair.median_change_pct
    if change is not None and change > 0:
        # Said of the smaller one: b is x % above a, so a is x / (100 + x) below b.
        a, b = b, a
        change = -100 * change / (100 + change)
        effect = replace(effect, value=None if effect.value is None else -effect.value)
    uses, than = _verb(value, unit)
    if pair.median_difference is None:
        said = f"{b} against {a}: unknown"
    elif change is not None and change > -0.05:
        said = f"{b} {uses} as much{than} as {a}"
    elif change is not None:
        size = f"{-change:.1f}" if -change < 9.95 or 99 < -change < 100 else f"{-change:.0f}"
        said = f"{b} {uses} {size} % less{than} than {a}"
    elif pair.median_difference == 0:
        said = f"{b} {uses} as much{than} as {a}"
    else:
        much = unit.text(abs(pair.median_difference) * unit.factor)
        word = "less" if pair.median_difference < 0 else "more"
        said = f"{b} {uses} {much} {word}{than} than {a}"
    return f"{said} ({p_text(pair.p_adjusted)}, {effect_text(effect)})"


def _verb(value: str, unit: Unit) -> tuple[str, str]:
    """How a sentence says that a group has less of it."""
    name = value.lower()
    if unit.name == "J" and "energy" in name:
        return "uses", "" if name in ("energy_j", "energy (mj)") else f" {one_line(value)}"
    if unit.name == "s":
        return "takes", "" if name == "duration_s" else f" {one_line(value)}"
    return "has", f" {one_line(value)}"


def correlation_sentence(found: Correlation) -> str:
    """`Cloud: rho 0.99 (0.98 to 0.99), p < 0.001, 150 rows`."""
    lead = "All rows" if found.group is None else one_line(found.group)
    missing = f", {found.missing:,} without one of them" if found.missing else ""
    rows = f"{found.n:,} row{'s' * (found.n != 1)}{missing}"
    if found.rho is None:
        return f"{lead}: unknown: {found.reason} ({rows})"
    bounds = "" if found.low is None else f" ({found.low:.2f} to {found.high:.2f})"
    return f"{lead}: rho {found.rho:.2f}{bounds}, {p_text(found.p)}, {rows}"


def _groups(found: Comparison, unit: Unit) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column(one_line(found.by), overflow="fold")
    for title in ("n", "missing", "median", "mean", "std"):
        table.add_column(title, justify="right", no_wrap=True)
    for group in found.groups:
        figures = (group.median, group.mean, group.std)
        cells = [
            Text("-", "dim") if x is None else Text(unit.text(x * unit.factor)) for x in figures
        ]
        gone = Text(f"{group.missing:,}") if group.missing else Text("-", "dim")
        table.add_row(Text(one_line(group.name) or "(blank)"), f"{group.n:,}", gone, *cells)
    return table


def _missing(found: Comparison) -> str:
    if not found.unlabeled:
        return ""
    rows = f"{found.unlabeled:,} row{'s' * (found.unlabeled != 1)}"
    return f"left out: {rows} without {one_line(found.by)}"


def _assumptions(found: Comparison) -> list[str]:
    lines = _normality(found.normality)
    spread = found.spread
    if spread.p is None:
        lines.append(f"Equal spread (Levene): not tested: {spread.reason}.")
    else:
        verdict = "alike" if spread.equal else "not alike"
        lines.append(f"Equal spread (Levene, median-centered): {verdict}, {p_text(spread.p)}.")
    return [*lines, f"Chosen: {found.why}."]


def _normality(tests: Sequence[Normality]) -> list[str]:
    words = {True: "nothing against it in", False: "not normal:", None: "not tested:"}
    lines = []
    for verdict, text in words.items():
        said = [
            f"{one_line(t.group)} ({t.reason if t.p is None else p_text(t.p)}"
            + (f", a random {t.tested:,} of {t.n:,}" if 0 < t.tested < t.n else "")
            + ")"
            for t in tests
            if t.normal is verdict
        ]
        if said:
            shown = ", ".join(said[:8]) + (f" and {len(said) - 8} more" if len(said) > 8 else "")
            lines.append(f"Normality (Shapiro-Wilk): {text} {shown}.")
    return lines
