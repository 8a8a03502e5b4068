"""The reports of `joulecast evaluate`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ...forecasting.scoring.accuracy import (
    Accuracy,
    OnlineEvaluation,
    OnlineScore,
    Score,
    StaticEvaluation,
    StaticScore,
)
from ...units import counted, format_quantity, one_line
from .model import Block, Column, Document, Line, ReportTable, Section, Styled, notes

# Runs that are listed one by one.
MAX_LEFT_OUT = 5
LEGEND = (
    "Errors of the forecast energy of the whole run: mean, median and 90th percentile of "
    "|forecast - truth| / truth, and root mean square. covered: runs whose truth lies in the 90 % "
    "interval; width: of that interval, relative to the truth; -: the method has none. "
    "*: the smallest of its block, among methods that were scored on all of its runs."
)
SPLITS = (
    " random: 30 % of the runs, drawn at random, are forecast by methods that learned from the "
    "others; architecture, GPU: each is forecast by methods that have not seen it."
)

Of = Literal["energy", "duration"]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A column of figures: `best` marks the smallest of a block."""

    title: str
    of: Of
    field: str
    best: bool = False
    min_width: int = 0


_ENERGY = (
    _Figure("MAPE", "energy", "mape_pct", True),
    _Figure("median", "energy", "median_pct", True, 80),
    _Figure("90th", "energy", "p90_pct", True),
    _Figure("RMSE", "energy", "rmse", True, 80),
    _Figure("covered", "energy", "coverage_pct"),
    _Figure("width", "energy", "width_pct"),
)
_ONLINE_DURATION = (
    _Figure("time: MAPE", "duration", "mape_pct", True, 110),
    _Figure("covered", "duration", "coverage_pct", False, 110),
    _Figure("width", "duration", "width_pct", False, 110),
)
_STATIC_DURATION = (
    _Figure("MAPE", "duration", "mape_pct", True),
    _Figure("median", "duration", "median_pct", True, 80),
    _Figure("90th", "duration", "p90_pct", True),
    _Figure("covered", "duration", "coverage_pct"),
    _Figure("width", "duration", "width_pct"),
)


def online_document(evaluation: OnlineEvaluation) -> Document:
    """Scores by epochs seen, those of each group, and what could not be scored."""
    what = ", ".join((counted(evaluation.runs, "run"), counted(evaluation.epochs, "epoch")))
    columns = (*_ENERGY, *_ONLINE_DURATION)
    sections = _groups("epochs seen", evaluation.groups.items(), columns)
    if evaluation.forecast_record is not None:
        sections += notes("Forecasts made during runs", [str(evaluation.forecast_record)])
    return _document(evaluation, "epochs seen", what, columns, LEGEND, sections)


def static_document(evaluation: StaticEvaluation) -> Document:
    """Scores by split, those of each group and of durations, and what could not be scored."""
    counts = (
        (evaluation.runs, "run"),
        (evaluation.architectures, "architecture"),
        (evaluation.gpus, "GPU"),
    )
    what = ", ".join(counted(*count) for count in counts)
    sections = _groups("left out", evaluation.groups.items(), _ENERGY)
    for group, scores in (("", evaluation.results), *evaluation.groups.items()):
        timed = [score for score in scores if score.duration is not None]
        if timed:
            title = f"Duration, {_name(group)}" if group else "Duration"
            sections.append(Section(title, [_table("left out", timed, _STATIC_DURATION)]))
    reasons = [(s.forecaster, s.duration_reason) for s in evaluation.results if s.duration_reason]
    sections += notes("No duration", _by_reason(reasons))
    return _document(evaluation, "left out", what, _ENERGY, LEGEND + SPLITS, sections)


def _document(
    evaluation: OnlineEvaluation | StaticEvaluation,
    first: str,
    what: str,
    columns: Sequence[_Figure],
    legend: str,
    sections: list[Section],
) -> Document:
    head: list[Block] = [(Styled(f"{one_line(evaluation.source, 200)}  ", "strong"), what), ""]
    if evaluation.results:
        head += [_table(first, evaluation.results, columns), "", Styled(legend, "dim")]
    else:
        head.append(Styled("Nothing could be scored.", "warning"))
    left_out = [f"{one_line(run.run_id)}: {run.reason}" for run in evaluation.left_out]
    more = len(left_out) - MAX_LEFT_OUT
    listed = left_out[:MAX_LEFT_OUT] + ([f"{more:,} more"] if more > 0 else [])
    unscored = [(u.forecaster, u.reason) for u in evaluation.unscored]
    sections += notes("Notes", evaluation.notes)
    sections += notes("No score", _by_reason(unscored), style="warning")
    sections += notes("Runs left out", listed, style="warning")
    return Document(head, sections)


def _groups(
    first: str, groups: Iterable[tuple[str, Sequence[Score]]], columns: Sequence[_Figure]
) -> list[Section]:
    sections = []
    for group, scores in groups:
        title = f"{_name(group)}, {counted(max((s.runs for s in scores), default=0), 'run')}"
        block: Block = Styled("Nothing could be scored.", "warning")
        sections.append(Section(title, [_table(first, scores, columns) if scores else block]))
    return sections


def _table(first: str, scores: Sequence[Score], figures: Sequence[_Figure]) -> ReportTable:
    """A block of rows for each number of epochs, or split, under a row that names it."""
    columns = [Column(first)]
    columns += [Column(f.title, "right", min_width=f.min_width) for f in figures]
    rows: list[list[Line]] = []
    rules = set()
    for block, members in groupby(scores, key=_block):
        group = list(members)
        runs = max(score.runs for score in group)
        # The best is the best of those that were scored on the same runs.
        rivals = [score for score in group if score.runs == runs]
        if rows:
            rules.add(len(rows))
        rows.append([Styled(f"{block}  ({counted(runs, 'run')})", "strong"), *[""] * len(figures)])
        for score in group:
            part = "" if score.runs == runs else f" ({score.runs:,})"
            name = (f"  {score.forecaster}", Styled(part, "dim"))
            rows.append([name, *(_cell(figure, score, rivals) for figure in figures)])
    return ReportTable(columns, rows, rules=frozenset(rules))


def _block(score: Score) -> str:
    if isinstance(score, OnlineScore):
        return f"{score.epochs_seen:,}"
    assert isinstance(score, StaticScore)
    name = str(score.split).removeprefix("leave-one-").removesuffix("-out")
    return name.replace("gpu", "GPU")


def _cell(figure: _Figure, score: Score, rivals: Sequence[Score]) -> Styled:
    value = _value(figure, score)
    if value is None or not math.isfinite(value):
        return Styled("- ", "dim")
    text = format_quantity(value, "J") if figure.field == "rmse" else _percent(value)
    others = [v for rival in rivals if (v := _value(figure, rival)) is not None]
    is_best = figure.best and score in rivals and len(others) > 1
    if is_best and math.isclose(value, min(others)):
        return Styled(f"{text}*", "good")
    return Styled(f"{text} ")


def _value(figure: _Figure, score: Score) -> float | None:
    accuracy: Accuracy | None = score.energy if figure.of == "energy" else score.duration
    value: float | None = getattr(accuracy, figure.field, None)
    return value


def _percent(value: float) -> str:
    if value >= 999.5:
        return ">999 %"
    return f"{value:.0f} %" if value >= 99.95 else f"{value:.1f} %"


def _by_reason(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """One sentence for each reason, with the names that share it."""
    names: dict[str, dict[str, None]] = {}
    for name, reason in reasons:
        names.setdefault(reason, {})[name] = None
    return [f"{', '.join(same)}: {reason}" for reason, same in names.items()]


def _name(group: str) -> str:
    return one_line(group) or "(blank)"
