"""The tables of a paper about a study: their rows, as CSV (all digits) and as LaTeX (rounded)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import Findings, Test
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import measure
from ...units import format_number
from ..words.common import percent
from ..words.study import level_name, p_text, test_name, within_text
from . import latex

MOST_LATEX_ROWS = 45
"""Rows of a LaTeX table; a longer one fits no page, and the CSV has them all."""
Cell = str | float | int | None
_PAIR = ("value", "by", "among", "a", "b", "test")


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table: its rows with all digits, and the same as people read them."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown_header: tuple[str, ...]
    shown: tuple[tuple[str, ...], ...]
    align: str
    notes: tuple[str, ...] = ()

    def csv(self) -> str:
        """With a header, numbers with all their digits, nothing where not known."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([_exact(cell) for cell in row] for row in self.rows)
        return out.getvalue()

    def latex(self) -> str:
        """With booktabs; of a long one the first rows, and a note that says so."""
        notes = list(self.notes)
        left = len(self.shown) - MOST_LATEX_ROWS
        if left > 0:
            notes.append(f"{left} more rows are in {self.name}.csv.")
        return latex.table(
            self.caption,
            f"tab:{self.name}",
            self.shown_header,
            self.shown[:MOST_LATEX_ROWS],
            self.align,
            wide=len(self.shown_header) > 4,
            notes=notes,
        )


def _exact(cell: Cell) -> str:
    if cell is None:
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)


def paper_tables(found: Findings) -> list[PaperTable]:
    """Configurations, tests, pairs, front, interactions; those that have no rows are left out."""
    tables = [
        _configurations(found),
        _tests(found),
        _pairs(found),
        _front(found),
        _interactions(found),
    ]
    return [t for t in tables if t.rows]


def _configurations(found: Findings) -> PaperTable:
    weighed = {c.name: c for c in found.tradeoff.configurations} if found.tradeoff else {}
    shown = found.measures[:4]
    header = [*(found.factors or {"configuration": ()}), "n", "failed"]
    for m in found.measures:
        header += [f"{m.column}_median", f"{m.column}_low", f"{m.column}_high"]
    header += ["label", "on_front", "front_share", "carbon_g"]
    rows, texts = [], []
    for group in _by_cost(found):
        c = weighed.get(group.name)
        row: list[Cell] = [*_levels(found, group), len(group.rows), group.failed]
        for m in found.measures:
            x = group.medians.get(m.column)
            row += [None, None, None] if x is None else [x.value, x.low, x.high]
        carbon = found.footprint.groups.get(group.name)
        grams = carbon.operational.value if carbon and carbon.operational else None
        front = None if c is None else ("yes" if c.on_front else "no")
        row += [c.label if c else None, front, c.front_share if c else None, grams]
        rows.append(tuple(row))
        texts.append(_shown_configuration(found, group, c))
    title = ["configuration", "n", *(m.label for m in shown)]
    return PaperTable(
        "configurations",
        f"Medians over the runs of each configuration of {found.name}.",
        tuple(header),
        tuple(rows),
        (*title, *(("label",) if weighed else ())),
        tuple(texts),
        "lr" + "r" * len(shown) + "l" * bool(weighed),
        ("Labels from A (least energy) to G of the range of this study.",) if weighed else (),
    )


def _shown_configuration(
    found: Findings, group: ConfigurationGroup, c: Configuration | None
) -> tuple[str, ...]:
    texts = [group.name, str(len(group.rows))]
    for m in found.measures[:4]:
        x = group.medians.get(m.column)
        texts.append("unknown" if x is None else m.text(x.value))
    if found.tradeoff:
        texts.append((c.label or "") + ("*" if c.on_front else "") if c else "")
    return tuple(texts)


def _levels(found: Findings, group: ConfigurationGroup) -> Sequence[str]:
    return [group.levels[f] for f in found.factors] or [group.name]


def _by_cost(found: Findings) -> list[ConfigurationGroup]:
    def cost(group: ConfigurationGroup) -> float:
        x = group.medians.get(found.energy.column)
        return float("inf") if x is None else x.value

    return sorted(found.groups, key=cost)


def _tests(found: Findings) -> PaperTable:
    rows, texts = [], []
    for test in found.tests:
        c, t = test.comparison, test.comparison.test
        size = t.effect.value if t.effect else None
        word = t.effect.word if t.effect else None
        name = t.effect.name if t.effect else None
        among = within_text(test.within)
        rows.append((c.value, c.by, among, t.name, t.statistic, t.p, name, size, word, t.reason))
        texts.append(
            (
                measure(c.value).label,
                c.by,
                _among(test),
                test_name(t.name),
                "" if t.statistic is None else format_number(t.statistic, 5),
                _p(t.p),
                "unknown" if size is None else f"{size:.2f} ({word})",
            )
        )
    return PaperTable(
        "tests",
        f"Tests of the factors of {found.name}.",
        ("value", "by", "among", "test", "statistic", "p", "effect", "size", "word", "reason"),
        tuple(rows),
        ("of", "by", "among", "test", "statistic", "p", "effect"),
        tuple(texts),
        "llllrrl",
        ("Effects: eta squared of Kruskal-Wallis, omega squared of Welch's ANOVA.",),
    )


def _pairs(found: Findings) -> PaperTable:
    rows, texts = [], []
    for test in found.tests:
        among = within_text(test.within)
        value = test.comparison.value
        for p in test.comparison.pairs:
            delta, word = p.effect.value, p.effect.word
            change = p.median_change_pct
            head = (value, test.comparison.by, among, p.a, p.b, test.comparison.posthoc)
            rows.append((*head, p.p_adjusted, delta, word, change))
            texts.append(
                (
                    measure(value).label,
                    _among(test),
                    f"{p.b} against {p.a}",
                    _p(p.p_adjusted),
                    "unknown" if delta is None else f"{delta:+.2f} ({word})",
                    "unknown" if change is None else f"{format_number(change, 3, '+')} %",
                )
            )
    return PaperTable(
        "pairs",
        f"Pairs of levels of {found.name}.",
        (*_PAIR, "p_adjusted", "cliffs_delta", "word", "median_change_pct"),
        tuple(rows),
        ("of", "among", "pair", "p", "Cliff's delta", "median"),
        tuple(texts),
        "lllrrr",
        ("p is adjusted for the number of pairs; changes are of the first against the second.",),
    )


def _front(found: Findings) -> PaperTable:
    rows, texts = [], []
    if found.tradeoff is not None and found.quality is not None:
        for c in found.tradeoff.front:
            rows.append((c.name, c.cost.value, c.quality.value, c.front_share))
            texts.append(
                (
                    c.name,
                    found.energy.text(c.cost.value),
                    found.quality.text(c.quality.value),
                    "" if c.front_share is None else percent(c.front_share),
                )
            )
    metric = found.quality.label if found.quality else ""
    return PaperTable(
        "front",
        f"Configurations of {found.name} that none beats in both energy and {metric}.",
        ("configuration", "energy_j", metric, "front_share"),
        tuple(rows),
        ("configuration", "energy", metric, "on the front"),
        tuple(texts),
        "lrrr",
        ("Last column: share of bootstrap draws in which it is on the front.",),
    )


def _interactions(found: Findings) -> PaperTable:
    rows, texts = [], []
    for act in found.interactions:
        for e in act.effects:
            row = (act.value, e.name, act.method, e.df, e.df_error, e.f, e.p, e.partial_eta_squared)
            rows.append((*row, e.reason))
            texts.append(
                (
                    measure(act.value).label,
                    e.name,
                    "unknown" if e.f is None else f"F({e.df}, {e.df_error}) = {format_number(e.f)}",
                    _p(e.p),
                    "" if e.partial_eta_squared is None else f"{e.partial_eta_squared:.2f}",
                )
            )
    return PaperTable(
        "interactions",
        f"Effects of pairs of factors of {found.name}, alone and on each other.",
        ("value", "effect", "method", "df", "df_error", "f", "p", "partial_eta_squared", "reason"),
        tuple(rows),
        ("of", "effect", "F", "p", "partial eta squared"),
        tuple(texts),
        "lllrr",
        ("Two-way ANOVA where its assumptions hold, else aligned rank transform.",),
    )


def _among(test: Test) -> str:
    """The levels alone: a column of paper is narrow."""
    return ", ".join(level_name(f, v) for f, v in test.within.items()) or "all runs"


def _p(p: float | None) -> str:
    return p_text(p).removeprefix("p ").removeprefix("= ")
