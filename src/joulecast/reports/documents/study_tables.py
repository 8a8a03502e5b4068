"""The tables of a study: for the terminal, and for a paper with all digits in their `data`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...analysis.statistics.wording import p_text, statistic_name
from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import FactorTest, Findings
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import measure
from ...units import format_number, format_quantity, one_line
from ..words.common import percent
from ..words.spans import Elided, ends
from ..words.study import among_text, level_name
from .model import Column, Exact, Line, ReportTable, Style, Styled

MAX_MEASURES = 4
# Columns of a terminal from which it shows one measure more.
_MEASURE_WIDTH = 16
_LABELS: dict[str, Style] = {"A": "good", "B": "good", "C": "good", "D": "warning", "E": "warning"}


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell for people and for the data file.

    Attributes:
        key: its column in the data file; empty: it has none.
        value: with all digits.
        title: its column for people; None: it has none.
        text: for people; None: the value.
        fit: see `Column`.
        min_width: likewise.
    """

    key: str
    value: Exact
    title: str | None = None
    text: Line | None = None
    fit: Literal["keep", "cut"] = "keep"
    min_width: int = 0


def paper_tables(findings: Findings) -> list[ReportTable]:
    """Configurations, tests, pairs, front, interactions; those without rows are left out."""
    tables = [
        configurations_table(findings),
        _tests(findings),
        _pairs(findings),
        _front(findings),
        _interactions(findings),
    ]
    return [table for table in tables if table.rows]


def configurations_table(findings: Findings, max_rows: int | None = None) -> ReportTable:
    """Medians of each configuration, its label, its place on the front, its emissions.

    Args:
        findings: of the study.
        max_rows: of more, the middle is left out; None: all rows.
    """
    configurations = findings.tradeoff.configurations if findings.tradeoff else []
    weighed = {c.name: c for c in configurations}
    return _table(
        "configurations",
        f"Medians over the runs of each configuration of {findings.name}.",
        [_configuration(findings, g, weighed.get(g.name)) for g in findings.by_energy()],
        "Labels from A (least energy) to G, of the range of this study." if weighed else "",
        max_rows,
    )


def _configuration(
    findings: Findings, group: ConfigurationGroup, c: Configuration | None
) -> list[TableCell]:
    label = c.label if c else None
    factors = [TableCell(factor, group.factors[factor]) for factor in findings.factors]
    failed = Styled(f" +{group.failed}" if group.failed else "", "bad")
    return [
        TableCell("", None, "", Styled(label or "", _LABELS.get(label or "", "bad"))),
        *(factors or [TableCell("configuration", group.name)]),
        TableCell("", None, "configuration", one_line(group.name), "cut"),
        TableCell("n", len(group.rows), "runs", (str(len(group.rows)), failed)),
        TableCell("failed", group.failed),
        *(cell for i in range(len(findings.measures)) for cell in _median(findings, group, i)),
        TableCell("label", label),
        *_front_cells(c),
        _grams(findings, group),
    ]


def _median(findings: Findings, group: ConfigurationGroup, place: int) -> list[TableCell]:
    """The median of a measure, shown if it is one of the first, and its bounds."""
    m = findings.measures[place]
    median = group.medians.get(m.column)
    value, low, high = (median.value, median.low, median.high) if median else (None, None, None)
    title = one_line(m.label, 14) if place < MAX_MEASURES else None
    text = Styled("unknown", "dim") if value is None else m.text(value)
    width = 80 + _MEASURE_WIDTH * (place - 1) if place > 1 else 0
    return [
        TableCell(f"{m.column}_median", value, title, text, min_width=width),
        TableCell(f"{m.column}_low", low),
        TableCell(f"{m.column}_high", high),
    ]


def _front_cells(c: Configuration | None) -> list[TableCell]:
    if c is None:
        return [TableCell("on_front", None, "front", ""), TableCell("front_share", None)]
    share = "" if c.front_share is None else f" {percent(c.front_share)}"
    text = Styled(f"yes{share}" if c.on_front else "", "good")
    return [
        TableCell("on_front", "yes" if c.on_front else "no", "front", text),
        TableCell("front_share", c.front_share),
    ]


def _grams(findings: Findings, group: ConfigurationGroup) -> TableCell:
    carbon = findings.carbon.configurations.get(group.name)
    if carbon is None or carbon.operational is None:
        return TableCell("carbon_g", None, "CO2e", "", min_width=100)
    grams = carbon.operational.value
    return TableCell("carbon_g", grams, "CO2e", format_quantity(grams, "g"), min_width=100)


def _tests(findings: Findings) -> ReportTable:
    rows = []
    for test in findings.tests:
        c, t = test.comparison, test.comparison.test
        size, word = (t.effect.value, t.effect.word) if t.effect else (None, None)
        effect = "unknown" if size is None else f"{size:.2f} ({word})"
        statistic = "" if t.statistic is None else format_number(t.statistic, 5)
        rows.append(
            [
                TableCell("value", c.value, "of", measure(c.value).label),
                TableCell("by", c.by, "by"),
                TableCell("among", among_text(test), "among", _among(test)),
                TableCell("test", t.name, "test", statistic_name(t.name)),
                TableCell("statistic", t.statistic, "statistic", statistic),
                TableCell("p", t.p, "p", _p(t.p)),
                TableCell("effect", t.effect.name if t.effect else None, "effect", effect),
                TableCell("size", size),
                TableCell("word", word),
                TableCell("reason", t.reason),
            ]
        )
    note = "Effects: omega squared of Welch's ANOVA, else eta squared (of ranks)."
    return _table("tests", f"Tests of the factors of {findings.name}.", rows, note)


def _pairs(findings: Findings) -> ReportTable:
    rows = []
    for test, p in [(t, pair) for t in findings.tests for pair in t.comparison.pairs]:
        c, delta, change = test.comparison, p.effect.value, p.median_change_pct
        size = "unknown" if delta is None else f"{delta:+.2f} ({p.effect.word})"
        percents = "unknown" if change is None else f"{format_number(change, 3, '+')} %"
        rows.append(
            [
                TableCell("value", c.value, "of", measure(c.value).label),
                TableCell("by", c.by),
                TableCell("among", among_text(test), "among", _among(test)),
                TableCell("a", p.a, "pair", f"{p.b} against {p.a}"),
                TableCell("b", p.b),
                TableCell("test", c.posthoc),
                TableCell("p_adjusted", p.p_adjusted, "p", _p(p.p_adjusted)),
                TableCell("cliffs_delta", delta, "Cliff's delta", size),
                TableCell("word", p.effect.word),
                TableCell("median_change_pct", change, "median", percents),
            ]
        )
    note = "p is adjusted for the number of pairs; changes are of the first against the second."
    return _table("pairs", f"Pairs of levels of {findings.name}.", rows, note)


def _front(findings: Findings) -> ReportTable:
    energy, quality = findings.energy_measure, findings.quality
    rows = []
    for c in findings.tradeoff.front if findings.tradeoff and quality else ():
        label, value, share = (quality or energy).label, c.quality.value, c.front_share
        rows.append(
            [
                TableCell("configuration", c.name, "configuration"),
                TableCell("energy_j", c.cost.value, "energy", energy.text(c.cost.value)),
                TableCell(label, value, label, (quality or energy).text(value)),
                TableCell(
                    "front_share", share, "on the front", "" if share is None else percent(share)
                ),
            ]
        )
    metric = quality.label if quality else ""
    return _table(
        "front",
        f"Configurations of {findings.name} that none beats in both energy and {metric}.",
        rows,
        "Last column: share of bootstrap draws in which it is on the front.",
    )


def _interactions(findings: Findings) -> ReportTable:
    rows = []
    for act, e in [(i, effect) for i in findings.interactions for effect in i.effects]:
        f = "unknown" if e.f is None else f"F({e.df}, {e.df_error}) = {format_number(e.f)}"
        eta = "" if e.partial_eta_squared is None else f"{e.partial_eta_squared:.2f}"
        rows.append(
            [
                TableCell("value", act.value, "of", measure(act.value).label),
                TableCell("effect", e.name, "effect"),
                TableCell("method", act.method),
                TableCell("df", e.df),
                TableCell("df_error", e.df_error),
                TableCell("f", e.f, "F", f),
                TableCell("p", e.p, "p", _p(e.p)),
                TableCell("partial_eta_squared", e.partial_eta_squared, "partial eta squared", eta),
                TableCell("reason", e.reason),
            ]
        )
    return _table(
        "interactions",
        f"Effects of pairs of factors of {findings.name}, alone and on each other.",
        rows,
        "Two-way ANOVA where its assumptions hold, else aligned rank transform.",
    )


def _table(
    name: str,
    title: str,
    cells: Sequence[Sequence[TableCell]],
    caption: str,
    max_rows: int | None = None,
) -> ReportTable:
    """A table of rows that have the same columns; columns of numbers are right-aligned."""
    columns = list(zip(*cells, strict=True))
    shown = [i for i, column in enumerate(columns) if column[0].title is not None]
    rows: list[list[Line]] = []
    for row in cells if max_rows is None else ends(cells, max_rows):
        if isinstance(row, Elided):
            blank: list[Line] = [""] * (len(shown) - 2)
            rows.append(["", Styled(f"{row.count:,} more", "dim"), *blank])
        else:
            texts = [str(c.value) if c.text is None else c.text for c in row]
            rows.append([texts[i] for i in shown])
    return ReportTable(
        [_column(columns[i]) for i in shown],
        rows,
        caption,
        name=name,
        title=title,
        data={column[0].key: [c.value for c in column] for column in columns if column[0].key},
    )


def _column(cells: Sequence[TableCell]) -> Column:
    first, is_number = cells[0], any(isinstance(c.value, int | float) for c in cells)
    align: Literal["left", "right"] = "right" if is_number else "left"
    return Column(first.title or "", align, first.fit, min_width=first.min_width)


def _among(test: FactorTest) -> str:
    """The levels alone: a column of paper is narrow."""
    return ", ".join(level_name(f, v) for f, v in test.within.items()) or among_text(test)


def _p(p: float | None) -> str:
    return p_text(p).removeprefix("p ").removeprefix("= ")
