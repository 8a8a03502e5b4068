"""What `joulecast evaluate` shows in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from ..forecast.evaluate import Score
from ..forecast.scoreboard import Scoreboard
from ..units import format_quantity, one_line
from .text import notes, plain_table, section

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
    "* is the best of its block."
)


def render_evaluation(board: Scoreboard, title: str, console: Console) -> None:
    """Print the scores by epochs seen, those of each group, and what could not be scored."""
    from rich.text import Text

    what = f"{board.runs:,} run{'s' * (board.runs != 1)}, {board.epochs:,} epochs"
    console.print(Text.assemble((one_line(title, 200), "bold"), f"  {what}"))
    console.print()
    if board.results:
        console.print(_table(board.results, console.width))
        console.print()
        console.print(Text(LEGEND, "dim"))
    else:
        console.print(Text("Nothing could be scored.", "bold yellow"))
    for group, found in board.groups.items():
        runs = max((score.runs for score in found), default=0)
        section(console, f"{one_line(group) or '(blank)'}, {runs:,} run{'s' * (runs != 1)}")
        if found:
            console.print(_table(found, console.width))
        else:
            console.print(Text("Nothing could be scored.", "yellow"))
    notes(console, "Notes", board.notes, "-", "dim")
    silent: dict[str, list[str]] = {}
    for name, why in board.skipped:
        silent.setdefault(why, []).append(name)
    lines = [f"{', '.join(names)}: {why}" for why, names in silent.items()]
    notes(console, "No score", lines, "-", "yellow")
    left = [f"{one_line(run_id)}: {why}" for run_id, why in board.left_out]
    more = len(left) - MOST_LEFT_OUT
    shown = left[:MOST_LEFT_OUT] + ([f"{more:,} more"] if more > 0 else [])
    notes(console, "Runs left out", shown, "-", "yellow")


def _table(found: Sequence[Score], width: int) -> Table:
    from rich.text import Text

    columns = [column for column in _COLUMNS if width >= column.least]
    table = plain_table()
    table.padding = (0, 1, 0, 0)  # all of it fits 80 columns
    table.pad_edge = False
    table.add_column("epochs seen", no_wrap=True)
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    for seen, block in groupby(found, key=lambda score: score.epochs_seen):
        rows = list(block)
        most = max(score.runs for score in rows)
        table.add_row(Text(f"{seen:,}  ({most:,} run{'s' * (most != 1)})", "bold"))
        for score in rows:
            name = Text(f"  {score.forecaster}")
            if score.runs != most:
                name.append(f" ({score.runs:,})", "dim")
            table.add_row(name, *(_cell(column, score, rows) for column in columns))
        table.add_section()
    return table


def _cell(column: _Column, score: Score, rows: Sequence[Score]) -> Text:
    from rich.text import Text

    value = getattr(score, column.field)
    if value is None or not math.isfinite(value):
        return Text("- ", "dim")
    figure = format_quantity(value * 1e3, "J") if column.field == "rmse_kj" else f"{value:.1f} %"
    others = [v for r in rows if (v := getattr(r, column.field)) is not None]
    if column.best and len(others) > 1 and math.isclose(value, min(others)):  # or as good as it
        return Text(f"{figure}*", "bold green")
    return Text(f"{figure} ")
