"""The tables of a study: for the terminal, and for a paper with all digits in their `data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import FactorTest, Findings
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import measure
from ...units import format_number, format_quantity, one_line
from ..words.common import percent
from ..words.spans import Elided, ends
from ..words.study import level_name, p_text, test_name, within_text
from .model import Column, Exact, Line, Style, Styled, Table, figures

MAX_MEASURES = 4
# Columns of a terminal from which it shows one measure more.
_MEASURE_WIDTH = 16
_LABELS: dict[str, Style] = {
    "A": "good",
    "B": "good",
    "C": "good",
    "D": "warning",
    "E": "warning",
    "F": "bad",
    "G": "bad",
}


def paper_tables(findings: Findings) -> list[Table]:
    """Configurations, tests, pairs, front, interactions; those without rows are left out."""
    tables = [
        configurations_table(findings),
        _tests(findings),
        _pairs(findings),
        _front(findings),
        _interactions(findings),
    ]
    return [table for table in tables if table.rows]


def configurations_table(findings: Findings, max_rows: int | None = None) -> Table:
    """Medians of each configuration, its label, its place on the front, its emissions.

    Args:
        findings: of the study.
        max_rows: of more, the middle is left out; None: all rows.
    """
    shown = findings.measures[:MAX_MEASURES]
    columns = [
        Column(),
        Column("configuration", fit="cut"),
        *figures("runs"),
        *(
            column
            for i, m in enumerate(shown)
            for column in figures(
                one_line(m.label, 14), min_width=80 + _MEASURE_WIDTH * (i - 1) if i > 1 else 0
            )
        ),
        Column("front"),
        *figures("CO2e", min_width=100),
    ]
    weighed = _weighed(findings)
    groups = findings.by_energy()
    rows: list[list[Line]] = []
    for group in groups if max_rows is None else ends(groups, max_rows):
        if isinstance(group, Elided):
            blank: list[Line] = [""] * (len(columns) - 2)
            rows.append(["", Styled(f"{group.count:,} more", "dim"), *blank])
        else:
            rows.append(_configuration(findings, group, weighed.get(group.name)))
    notes = "Labels from A (least energy) to G, of the range of this study." if weighed else ""
    return Table(
        columns,
        rows,
        notes,
        name="configurations",
        title=f"Medians over the runs of each configuration of {findings.name}.",
        data=_configurations_data(findings, groups, weighed),
    )


def _configuration(
    findings: Findings, group: ConfigurationGroup, c: Configuration | None
) -> list[Line]:
    label = (c.label if c else None) or ""
    failed = Styled(f" +{group.failed}" if group.failed else "", "bad")
    carbon = findings.carbon.configurations.get(group.name)
    grams = carbon.operational if carbon else None
    share = "" if c is None or c.front_share is None else f" {percent(c.front_share)}"
    medians: list[Line] = []
    for m in findings.measures[:MAX_MEASURES]:
        median = group.medians.get(m.column)
        medians.append(Styled("unknown", "dim") if median is None else m.text(median.value))
    return [
        Styled(label, _LABELS.get(label, "")),
        one_line(group.name),
        (str(len(group.rows)), failed),
        *medians,
        Styled(f"yes{share}", "good") if c and c.on_front else "",
        "" if grams is None else format_quantity(grams.value, "g"),
    ]


def _configurations_data(
    findings: Findings, groups: Sequence[ConfigurationGroup], weighed: Mapping[str, Configuration]
) -> dict[str, list[Exact]]:
    data: dict[str, list[Exact]] = {f: [g.factors[f] for g in groups] for f in findings.factors}
    data = data or {"configuration": [g.name for g in groups]}
    data |= {"n": [len(g.rows) for g in groups], "failed": [g.failed for g in groups]}
    for m in findings.measures:
        medians = [g.medians.get(m.column) for g in groups]
        data[f"{m.column}_median"] = [x.value if x else None for x in medians]
        data[f"{m.column}_low"] = [x.low if x else None for x in medians]
        data[f"{m.column}_high"] = [x.high if x else None for x in medians]
    of = [weighed.get(g.name) for g in groups]
    carbon = [findings.carbon.configurations.get(g.name) for g in groups]
    data["label"] = [c.label if c else None for c in of]
    data["on_front"] = [("yes" if c.on_front else "no") if c else None for c in of]
    data["front_share"] = [c.front_share if c else None for c in of]
    data["carbon_g"] = [c.operational.value if c and c.operational else None for c in carbon]
    return data


def _weighed(findings: Findings) -> dict[str, Configuration]:
    configurations = findings.tradeoff.configurations if findings.tradeoff else []
    return {c.name: c for c in configurations}


def _tests(findings: Findings) -> Table:
    rows: list[list[Line]] = []
    data: list[dict[str, Exact]] = []
    for test in findings.tests:
        c, t = test.comparison, test.comparison.test
        effect = t.effect
        size = effect.value if effect else None
        data.append(
            {
                "value": c.value,
                "by": c.by,
                "among": within_text(test.within),
                "test": t.name,
                "statistic": t.statistic,
                "p": t.p,
                "effect": effect.name if effect else None,
                "size": size,
                "word": effect.word if effect else None,
                "reason": t.reason,
            }
        )
        rows.append(
            [
                measure(c.value).label,
                c.by,
                _among(test),
                test_name(t.name),
                "" if t.statistic is None else format_number(t.statistic, 5),
                _p(t.p),
                "unknown" if size is None or effect is None else f"{size:.2f} ({effect.word})",
            ]
        )
    return Table(
        [*_texts("of", "by", "among", "test"), *figures("statistic", "p"), *_texts("effect")],
        rows,
        "Effects: eta squared of Kruskal-Wallis, omega squared of Welch's ANOVA.",
        name="tests",
        title=f"Tests of the factors of {findings.name}.",
        data=_by_column(data),
    )


def _pairs(findings: Findings) -> Table:
    rows: list[list[Line]] = []
    data: list[dict[str, Exact]] = []
    for test in findings.tests:
        c = test.comparison
        for pair in c.pairs:
            delta, change = pair.effect.value, pair.median_change_pct
            data.append(
                {
                    "value": c.value,
                    "by": c.by,
                    "among": within_text(test.within),
                    "a": pair.a,
                    "b": pair.b,
                    "test": c.posthoc,
                    "p_adjusted": pair.p_adjusted,
                    "cliffs_delta": delta,
                    "word": pair.effect.word,
                    "median_change_pct": change,
                }
            )
            rows.append(
                [
                    measure(c.value).label,
                    _among(test),
                    f"{pair.b} against {pair.a}",
                    _p(pair.p_adjusted),
                    "unknown" if delta is None else f"{delta:+.2f} ({pair.effect.word})",
                    "unknown" if change is None else f"{format_number(change, 3, '+')} %",
                ]
            )
    return Table(
        [*_texts("of", "among", "pair"), *figures("p", "Cliff's delta", "median")],
        rows,
        "p is adjusted for the number of pairs; changes are of the first against the second.",
        name="pairs",
        title=f"Pairs of levels of {findings.name}.",
        data=_by_column(data),
    )


def _front(findings: Findings) -> Table:
    rows: list[list[Line]] = []
    data: list[dict[str, Exact]] = []
    metric = findings.quality.label if findings.quality else ""
    if findings.tradeoff is not None and findings.quality is not None:
        for c in findings.tradeoff.front:
            data.append(
                {
                    "configuration": c.name,
                    "energy_j": c.cost.value,
                    metric: c.quality.value,
                    "front_share": c.front_share,
                }
            )
            rows.append(
                [
                    c.name,
                    findings.energy_measure.text(c.cost.value),
                    findings.quality.text(c.quality.value),
                    "" if c.front_share is None else percent(c.front_share),
                ]
            )
    return Table(
        [*_texts("configuration"), *figures("energy", metric, "on the front")],
        rows,
        "Last column: share of bootstrap draws in which it is on the front.",
        name="front",
        title=f"Configurations of {findings.name} that none beats in both energy and {metric}.",
        data=_by_column(data),
    )


def _interactions(findings: Findings) -> Table:
    rows: list[list[Line]] = []
    data: list[dict[str, Exact]] = []
    for act in findings.interactions:
        for e in act.effects:
            data.append(
                {
                    "value": act.value,
                    "effect": e.name,
                    "method": act.method,
                    "df": e.df,
                    "df_error": e.df_error,
                    "f": e.f,
                    "p": e.p,
                    "partial_eta_squared": e.partial_eta_squared,
                    "reason": e.reason,
                }
            )
            rows.append(
                [
                    measure(act.value).label,
                    e.name,
                    "unknown" if e.f is None else f"F({e.df}, {e.df_error}) = {format_number(e.f)}",
                    _p(e.p),
                    "" if e.partial_eta_squared is None else f"{e.partial_eta_squared:.2f}",
                ]
            )
    return Table(
        [*_texts("of", "effect", "F"), *figures("p", "partial eta squared")],
        rows,
        "Two-way ANOVA where its assumptions hold, else aligned rank transform.",
        name="interactions",
        title=f"Effects of pairs of factors of {findings.name}, alone and on each other.",
        data=_by_column(data),
    )


def _texts(*titles: str) -> list[Column]:
    return [Column(title) for title in titles]


def _by_column(rows: Sequence[Mapping[str, Exact]]) -> dict[str, list[Exact]]:
    return {column: [row[column] for row in rows] for column in (rows[0] if rows else ())}


def _among(test: FactorTest) -> str:
    """The levels alone: a column of paper is narrow."""
    return ", ".join(level_name(f, v) for f, v in test.within.items()) or "all runs"


def _p(p: float | None) -> str:
    return p_text(p).removeprefix("p ").removeprefix("= ")
