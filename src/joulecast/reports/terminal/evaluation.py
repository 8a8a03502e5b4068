"""What `joulecast evaluate` shows in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING

from ...forecasting.scoring.evaluate import Score
from ...forecasting.scoring.scoreboard import Scoreboard
from ...forecasting.scoring.static_evaluate import StaticBoard, StaticScore, Timing
from ...units import format_quantity, one_line
from .run import notes, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MOST_LEFT_OUT = 5  # runs named one by one


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    field: str
    best: bool = False  # whether the least of the column is marked
    least: int = 0  # columns of a terminal that shows it


@dataclass(frozen=True, slots=True)
class _Line:
    """A score as a row of its block."""

    block: str
    name: str
    runs: int
    figures: dict[str, float | None]


_COLUMNS = (
    _Column("MAPE", "mape_pct", best=True),
    _Column("median", "median_pct", best=True, least=80),
    _Column("90th", "p90_pct", best=True),
    _Column("RMSE", "rmse_kj", best=True, least=80),
    _Column("covered", "coverage_pct"),
    _Column("width", "width_pct"),
    _Column("time: MAPE", "duration_mape_pct", best=True, least=110),
    _Column("covered", "duration_coverage_pct", least=110),
    _Column("width", "duration_width_pct", least=110),
)
LEGEND = (
    "Errors of the forecast of the whole run's energy: mean, median and 90th percentile of "
    "|forecast - truth| / truth, and root mean square. covered: runs whose truth lies in the 90 % "
    "interval; width: of that interval, relative to the truth; - where a method gives none. "
    "* is the best of its block, of those that were scored on all of its runs."
)
HELD_OUT = (
    " random: 30 % of the runs, drawn at random, are forecast by methods that learnt from the "
    "others; leave-one-out: each architecture (GPU) by methods that have not seen it."
)


def render_evaluation(board: Scoreboard, title: str, console: Console) -> None:
    """Print the scores by epochs seen, those of each group, and what could not be scored."""
    what = f"{_runs(board.runs)}, {board.epochs:,} epochs"
    groups = {group: [_online(s) for s in found] for group, found in board.groups.items()}
    results = [_online(score) for score in board.results]
    _scores("epochs seen", results, groups, f"{one_line(title, 200)}  ", what, LEGEND, console)
    _remarks(board.notes, board.skipped, board.left_out, console)


def render_static(board: StaticBoard, title: str, console: Console) -> None:
    """Print the scores of static forecasters by split, those of each group, and what is amiss."""
    counts = (board.runs, "run"), (board.architectures, "architecture"), (board.gpus, "GPU")
    what = ", ".join(f"{count:,} {name}{'s' * (count != 1)}" for count, name in counts)
    groups = {group: [_static(s) for s in found] for group, found in board.groups.items()}
    results = [_static(score) for score in board.results]
    legend = LEGEND + HELD_OUT
    _scores("left out", results, groups, f"{one_line(title, 200)}  ", what, legend, console)
    _times(board, console)
    _remarks(board.notes, board.skipped, board.left_out, console)


def _times(board: StaticBoard, console: Console) -> None:
    """The scores of the durations, in blocks of their own, and which methods have none and why."""
    of_groups = [(f", {one_line(g) or '(blank)'}", found) for g, found in board.groups.items()]
    for of, found in [("", board.results), *of_groups]:
        lines = [_timed(score) for score in found if score.timing is not None]
        if lines:
            section(console, f"Duration{of}")
            console.print(_table("left out", lines, console.width))
    why: dict[str, dict[str, None]] = {}
    for score in board.results:
        if score.no_timing is not None:
            why.setdefault(score.no_timing, {})[score.forecaster] = None
    lacking = [f"{', '.join(names)}: {reason}" for reason, names in why.items()]
    notes(console, "No duration", lacking, "-", "dim")


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"


def _online(score: Score) -> _Line:
    return _Line(f"{score.epochs_seen:,}", score.forecaster, score.runs, asdict(score))


def _static(score: StaticScore) -> _Line:
    block = str(score.split).removeprefix("leave-one-").removesuffix("-out")
    return _Line(block.replace("gpu", "GPU"), score.forecaster, score.runs, asdict(score.accuracy))


def _timed(score: StaticScore) -> _Line:
    figures = {f.name: getattr(score.timing, f.name) for f in fields(Timing)}
    return replace(_static(score), figures=figures)


def _scores(
    first: str,
    results: Sequence[_Line],
    groups: Mapping[str, Sequence[_Line]],
    title: str,
    what: str,
    legend: str,
    console: Console,
) -> None:
    from rich.text import Text

    console.print(Text.assemble((title, "bold"), what))
    console.print()
    if results:
        console.print(_table(first, results, console.width))
        console.print()
        console.print(Text(legend, "dim"))
    else:
        console.print(Text("Nothing could be scored.", "bold yellow"))
    for group, found in groups.items():
        runs = max((line.runs for line in found), default=0)
        section(console, f"{one_line(group) or '(blank)'}, {_runs(runs)}")
        if found:
            console.print(_table(first, found, console.width))
        else:
            console.print(Text("Nothing could be scored.", "yellow"))


def _remarks(
    remarks: Sequence[str],
    skipped: Sequence[tuple[str, str]],
    left_out: Sequence[tuple[str, str]],
    console: Console,
) -> None:
    notes(console, "Notes", remarks, "-", "dim")
    silent: dict[str, list[str]] = {}
    for name, why in skipped:
        silent.setdefault(why, []).append(name)
    lines = [f"{', '.join(names)}: {why}" for why, names in silent.items()]
    notes(console, "No score", lines, "-", "yellow")
    left = [f"{one_line(run_id)}: {why}" for run_id, why in left_out]
    more = len(left) - MOST_LEFT_OUT
    shown = left[:MOST_LEFT_OUT] + ([f"{more:,} more"] if more > 0 else [])
    notes(console, "Runs left out", shown, "-", "yellow")


def _table(first: str, found: Sequence[_Line], width: int) -> Table:
    from rich.text import Text

    there = {field for line in found for field in line.figures}
    columns = [c for c in _COLUMNS if width >= c.least and c.field in there]
    table = plain_table()
    table.padding = (0, 1, 0, 0)  # all of it fits 80 columns
    table.pad_edge = False
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    for block, lines in groupby(found, key=lambda line: line.block):
        rows = list(lines)
        most = max(line.runs for line in rows)
        table.add_row(Text(f"{block}  ({_runs(most)})", "bold"))
        for line in rows:
            name = Text(f"  {line.name}")
            if line.runs != most:
                name.append(f" ({line.runs:,})", "dim")
            table.add_row(name, *(_cell(column, line, rows) for column in columns))
        table.add_section()
    return table


def _cell(column: _Column, line: _Line, rows: Sequence[_Line]) -> Text:
    from rich.text import Text

    value = line.figures[column.field]
    if value is None or not math.isfinite(value):
        return Text("- ", "dim")
    percent = f"{value:.0f} %" if value >= 99.95 else f"{value:.1f} %"
    percent = ">999 %" if value >= 999.5 else percent
    figure = format_quantity(value * 1e3, "J") if column.field == "rmse_kj" else percent
    alike = [r for r in rows if r.runs == max(row.runs for row in rows)]  # scored on the same runs
    others = [v for r in alike if (v := r.figures[column.field]) is not None]
    if (
        column.best and line in alike and len(others) > 1 and math.isclose(value, min(others))
    ):  # or as good as it
        return Text(f"{figure}*", "bold green")
    return Text(f"{figure} ")
