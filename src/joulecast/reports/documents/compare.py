"""The reports of `joulecast compare`: of one factor, of two, and of a correlation."""

from collections.abc import Sequence
from dataclasses import replace

from ...analysis.statistics.assumptions import Normality
from ...analysis.statistics.correlation import Correlation, Correlations
from ...analysis.statistics.effect_sizes import EffectSize
from ...analysis.statistics.group_comparison import Comparison, GroupPair
from ...analysis.statistics.interaction import FactorEffect, Interaction
from ...analysis.statistics.omnibus import Omnibus
from ...analysis.statistics.wording import (
    effect_text,
    p_text,
    some,
    statistic_name,
)
from ...column_units import Unit
from ...units import counted, format_number, one_line
from .model import Block, Column, Document, Line, ReportTable, Section, Styled, figures, notes

MAX_PAIRS = 30
"""Sentences shown; the JSON document has all pairs, and --baseline shows those of one group."""

_BLOCKS = {True: "Pairs that differ", False: "No difference shown", None: "Pairs not tested"}
_ORDER = list(_BLOCKS)
_NORMALITY = {True: "no evidence against it in", False: "not normal:", None: "not tested:"}


# --- one factor ----------------------------------------------------------------------------------


def comparison_document(comparison: Comparison) -> Document:
    """The groups, what may be assumed of them, the test, and the pairs in words."""
    count = sum(group.n for group in comparison.groups)
    equal = f" at equal {some(comparison.blocks)}" if comparison.blocks else ""
    title = f"{one_line(comparison.value)} by {one_line(comparison.by)}{equal}  "
    head = (
        Styled(title, "strong"),
        f"{counted(count, 'value')}, {one_line(comparison.table, 200)}",
    )
    groups: list[Block] = [_groups(comparison)]
    if comparison.unlabeled:
        rows = counted(comparison.unlabeled, "row")
        groups.append(Styled(f"left out: {rows} without {one_line(comparison.by)}", "dim"))
    tested = comparison.test.p is not None
    answer = Styled(test_sentence(comparison), "strong" if tested else "warning")
    return Document(
        [head],
        [
            Section("Groups", groups),
            Section("What may be assumed", _assumptions(comparison)),
            Section("Do the groups differ?", [answer]),
            *_pair_sections(comparison),
            *notes("Notes", comparison.notes),
        ],
    )


def _groups(comparison: Comparison) -> ReportTable:
    unit = Unit(comparison.unit)
    rows: list[list[Line]] = []
    for group in comparison.groups:
        values = [
            Styled("-", "dim") if x is None else unit.text(x)
            for x in (group.median, group.mean, group.std)
        ]
        missing = f"{group.missing:,}" if group.missing else Styled("-", "dim")
        rows.append([one_line(group.name) or "(blank)", f"{group.n:,}", missing, *values])
    columns = [
        Column(one_line(comparison.by), fit="fold"),
        *figures("n", "missing", "median", "mean", "std"),
    ]
    return ReportTable(columns, rows)


def _assumptions(comparison: Comparison) -> list[Block]:
    lines: list[Block] = []
    for verdict, text in _NORMALITY.items():
        groups = [_normality(n) for n in comparison.normality if n.normal is verdict]
        if groups:
            more = f" and {len(groups) - 8} more" if len(groups) > 8 else ""
            lines.append(f"Normality (Shapiro-Wilk): {text} {', '.join(groups[:8])}{more}.")
    spread = comparison.spread
    if spread.p is None:
        lines.append(f"Equal variances (Levene): not tested: {spread.reason}.")
    else:
        verdict_text = "not rejected" if spread.equal else "rejected"
        lines.append(
            f"Equal variances (Levene, around medians): {verdict_text}, {p_text(spread.p)}."
        )
    return [*lines, f"Chosen: {comparison.why}."]


def _normality(test: Normality) -> str:
    sample = f", a random {test.tested:,} of {test.n:,}" if 0 < test.tested < test.n else ""
    return f"{one_line(test.group)} ({test.reason or p_text(test.p)}{sample})"


def test_sentence(comparison: Comparison) -> str:
    """`Yes: Kruskal-Wallis H(4) = 133.8, p < 0.001, eta squared 0.90, large.`"""
    test = comparison.test
    if test.p is None or test.effect is None:
        return f"Not tested: {test.reason}."
    shown = test.p < comparison.alpha
    answer = "Yes" if shown else f"Not shown at the level {comparison.alpha:g}"
    effect = "" if test.effect.value is None else f", {_effect_text(test.effect)}"
    return f"{answer}: {statistic_name(test.name)} {_statistic(test)}, {p_text(test.p)}{effect}."


def _statistic(test: Omnibus) -> str:
    symbol = {"kruskal-wallis": "H", "welch-anova": "F"}.get(test.name, "chi squared ")
    freedom = ", ".join(f"{df:.4g}" for df in test.df)
    statistic = "unknown" if test.statistic is None else format_number(test.statistic, 4)
    return f"{symbol}({freedom}) = {statistic}"


def _pair_sections(comparison: Comparison) -> list[Section]:
    """The pairs in words, the largest differences first; with a baseline only its own."""
    baseline = comparison.baseline
    pairs = [p for p in comparison.pairs if baseline is None or baseline in (p.a, p.b)]
    pairs.sort(key=lambda p: (_ORDER.index(p.significant), -abs(p.median_change_pct or 0.0)))
    blocks: dict[bool | None, list[Block]] = {}
    for pair in pairs[:MAX_PAIRS]:
        sentence = pair_sentence(pair, comparison.value, comparison.unit)
        blocks.setdefault(pair.significant, []).append(sentence)
    hidden = len(pairs) - MAX_PAIRS
    if hidden > 0:
        more = Styled(f"and {hidden:,} more pairs: --baseline GROUP, or --json", "dim")
        blocks[pairs[MAX_PAIRS - 1].significant].append(more)
    posthoc = statistic_name(comparison.posthoc)
    return [
        Section(f"{_BLOCKS[significant]} ({posthoc})", lines)
        for significant, lines in blocks.items()
    ]


def pair_sentence(pair: GroupPair, value: str, unit: str | None) -> str:
    """`resnet50 uses 29 % less than vgg16 (p < 0.001, Cliff's delta -0.98, large)`.

    By medians, the smaller against the larger where that is known.
    """
    a, b, effect, change = pair.a, pair.b, pair.effect, pair.median_change_pct
    if change is not None and change > 0:
        # If b is x % above a, then a is x / (100 + x) below b.
        a, b = b, a
        change = -100 * change / (100 + change)
        effect = replace(effect, value=None if effect.value is None else -effect.value)
    verb, noun = _verb(value, unit)
    relation = f"{verb} {_relation(change, pair.median_difference, unit, noun)}"
    statistics = f"{p_text(pair.p_adjusted)}, {_effect_text(effect)}"
    return f"{one_line(b)} {relation} {one_line(a)} ({statistics})"


def _relation(change: float | None, difference: float, unit: str | None, noun: str) -> str:
    """`29 % less than`, `as much as`, or an amount where there is no change in per cent."""
    if difference == 0 or (change is not None and change > -0.05):
        return f"as much{noun} as"
    if change is None:
        amount = Unit(unit).text(abs(difference))
        return f"{amount} {'less' if difference < 0 else 'more'}{noun} than"
    digits = 1 if -change < 9.95 or 99 < -change < 100 else 0
    return f"{-change:.{digits}f} % less{noun} than"


def _verb(value: str, unit: str | None) -> tuple[str, str]:
    """How a sentence states that a group has less of the value: the verb and the noun."""
    name = value.lower()
    if unit == "J" and "energy" in name:
        return "uses", "" if name in ("energy_j", "energy (mj)") else f" {one_line(value)}"
    if unit == "s":
        return "takes", "" if name == "duration_s" else f" {one_line(value)}"
    return "has", f" {one_line(value)}"


def _effect_text(effect: EffectSize) -> str:
    """`Cliff's delta -0.98, large`."""
    text = effect_text(effect.name, effect.value)
    return text if effect.word is None else f"{text}, {effect.word}"


# --- correlation ---------------------------------------------------------------------------------


def correlations_document(correlations: Correlations) -> Document:
    """How two columns vary together, overall and by group."""
    title = f"{one_line(correlations.x)} and {one_line(correlations.y)}  "
    lines: list[Block] = [_correlation(c) for c in (correlations.overall, *correlations.groups)]
    if correlations.unlabeled:
        missing = (
            f"{counted(correlations.unlabeled, 'row')} without {one_line(correlations.by or '')}"
        )
        lines.append(Styled(missing, "dim"))
    return Document(
        [(Styled(title, "strong"), one_line(correlations.table, 200))],
        [
            Section("Do they rise together? (Spearman)", lines),
            *notes("Notes", correlations.notes),
        ],
    )


def _correlation(correlation: Correlation) -> str:
    """`Cloud: rho 0.99 (0.98 to 0.99), p < 0.001, 150 rows`."""
    lead = "All rows" if correlation.group is None else one_line(correlation.group)
    rows = counted(correlation.n, "row")
    if correlation.missing:
        rows += f", {correlation.missing:,} without one of them"
    if correlation.rho is None:
        return f"{lead}: unknown: {correlation.reason} ({rows})"
    low, high = correlation.low, correlation.high
    bounds = "" if low is None else f" ({low:.2f} to {high:.2f})"
    return f"{lead}: rho {correlation.rho:.2f}{bounds}, {p_text(correlation.p)}, {rows}"


# --- two factors ---------------------------------------------------------------------------------


def interaction_document(result: Interaction) -> Document:
    """The answer, the effects, the medians of all combinations, and notes."""
    analyzed = result.rows - sum(result.left_out.values())
    method = f"{statistic_name(result.method)}, sums of squares of type {result.sums}: {result.why}"
    effects: list[Block] = [_effects(result.effects)]
    effects += [
        Styled(f"{one_line(e.name)}: {e.reason}", "warning")
        for e in result.effects
        if e.reason is not None
    ]
    left_out = [f"{counted(n, 'row')}: {one_line(reason)}" for reason, n in result.left_out.items()]
    return Document(
        [
            (Styled(one_line(result.table, 200), "strong"), f"  {counted(analyzed, 'run')}"),
            "",
            Styled(result.finding, "strong"),
            Styled(method, "dim"),
        ],
        [
            Section("Effects", effects),
            Section(f"Medians of {one_line(result.value)}", [_medians(result)]),
            *notes("Left out", left_out, style="warning"),
            *notes("Notes", result.notes),
        ],
    )


def _effects(effects: Sequence[FactorEffect]) -> ReportTable:
    rows: list[list[Line]] = []
    for e in effects:
        row = [one_line(e.name), f"{e.df}, {e.df_error}", "-", "-", "-"]
        if e.f is not None and e.p is not None and e.partial_eta_squared is not None:
            p = p_text(e.p).removeprefix("p ").removeprefix("= ")
            row[2:] = [format_number(e.f), p, f"{e.partial_eta_squared:.2f}"]
        rows.append([*row])
    return ReportTable(
        [Column("effect", fit="cut"), *figures("df", "F", "p", "partial eta²")], rows
    )


def _medians(result: Interaction) -> ReportTable:
    """Levels of a down, those of b across."""
    unit = Unit(result.unit)
    medians = {(c.a, c.b): c.median.value for c in result.cells}
    rows: list[list[Line]] = []
    for a in result.levels_a:
        row: list[Line] = [one_line(a)]
        for b in result.levels_b:
            mark = "*" if result.lowest[b] == a else " "
            is_run = (a, b) in medians
            row.append(f"{unit.text(medians[a, b])}{mark}" if is_run else Styled("not run", "dim"))
        rows.append(row)
    columns = [Column(one_line(result.a, 24), fit="cut")]
    columns += figures(*(one_line(b, 16) for b in result.levels_b))
    return ReportTable(columns, rows, caption="* the lowest of its column", wrap=True)
