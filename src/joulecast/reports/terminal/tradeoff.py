"""What `joulecast tradeoff` shows in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...analysis.statistics.medians import Median
from ...analysis.tradeoff.front import Configuration, Tradeoff
from ...analysis.tradeoff.labels import LABELS
from ...analysis.tradeoff.pairs import ConfigurationPair, percent
from ...units import format_number, one_line
from ..words.common import INTERVAL, of_the_first
from .fitting_table import fitting_table
from .run import notes, section
from .scatter import LETTERS, Point, scatter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MOST_ROWS = 40
"""Configurations above which the terminal shows the front alone."""

_J_PER_KWH = 3.6e6
_MIDDLE = 72  # columns of a terminal that show rates, too
_LABEL_STYLE = dict(
    zip(LABELS, ("green", "green", "cyan", "yellow", "yellow", "red", "red"), strict=True)
)


def render_tradeoff(found: Tradeoff, console: Console) -> None:
    """Print the configurations, the front and its returns, the pick, the pairs, the labels."""
    from rich.text import Text

    weighed = found.rows - sum(found.left_out.values())
    counts = f"{weighed:,} run{'s' * (weighed != 1)} in {len(found.configurations):,}"
    counts += f" configuration{'s' * (len(found.configurations) != 1)}"
    console.print(Text.assemble((one_line(found.title, 200), "bold"), f"  {counts}"))
    aim = "more" if found.maximize else "less"
    what = f"{one_line(found.quality)} ({aim} is better) against {one_line(found.cost)}"
    console.print(Text(f"{what}; medians over repetitions", "dim"))
    console.print()
    shown = found.configurations if len(found.configurations) <= MOST_ROWS else found.front
    shown = shown[:MOST_ROWS]
    console.print(_configurations(found, shown, console.width))
    if len(shown) < len(found.configurations):
        more = len(found.configurations) - len(shown)
        console.print(Text(f"{more:,} more, most of them beaten by these: --json has all", "dim"))
    if 1 < len(shown) <= len(LETTERS) and len(shown) == len(found.configurations):
        console.print()
        _plot(found, console)
    if found.steps:
        section(console, "What more costs, along the front")
        console.print(_steps(found, console.width))
    _pick(found, console)
    names = {c.name for c in shown} | {found.reference}
    versus = [
        p
        for p in found.pairs
        if found.reference in (p.cheaper, p.dearer) and {p.cheaper, p.dearer} <= names
    ]
    if versus:
        section(console, f"Each against {one_line(found.reference)}")
        for pair in versus:
            console.print(_sentence(pair, found.reference))
    if found.bounds:
        section(console, "Labels")
        uppers = zip(LABELS, found.bounds[1:], strict=False)
        console.print(
            Text(", ".join(f"{x} up to {found.unit.text(b)}" for x, b in uppers) + ": ")
            + Text("equal steps of the logarithm from the cheapest here to the dearest", "dim")
        )
    left = [f"{n:,} row{'s' * (n != 1)}: {one_line(r)}" for r, n in found.left_out.items()]
    notes(console, "Left out", left, "-", "yellow")
    notes(console, "Notes", found.notes, "-", "dim")


def _configurations(found: Tradeoff, shown: list[Configuration], width: int) -> Table:
    from rich.text import Text

    wide = width >= 110
    lettered = 1 < len(found.configurations) <= len(LETTERS)
    rated = found.maximize and found.unit.name == "J" and width >= _MIDDLE
    titles = [*([""] if lettered else []), "configuration", "n", found.unit.noun]
    titles += [INTERVAL] if wide else []
    titles += [one_line(found.quality, 16), *([INTERVAL] if wide else []), "front"]
    titles += [*(["per kWh"] if rated else []), "label"]
    rows = []
    for i, c in enumerate(shown):
        row: list[str | Text] = [Text(LETTERS[i], "bold")] if lettered else []
        row += [one_line(c.name), f"{c.n:,}", found.unit.text(c.cost.value)]
        row += [_range(c.cost, found.unit.text)] if wide else []
        row += [f"{c.quality.value:.4g}"]
        row += [_range(c.quality, lambda x: f"{x:.4g}")] if wide else []
        row += [_front(c)]
        row += (
            ["" if c.per_unit is None else format_number(c.per_unit * _J_PER_KWH)] if rated else []
        )
        row += [Text(c.label or "-", _LABEL_STYLE.get(c.label or "", "dim"))]
        rows.append(row)
    return fitting_table(width, titles, rows, names=int(lettered))


def _front(c: Configuration) -> Text:
    from rich.text import Text

    share = "" if c.front_share is None else percent(c.front_share * 100)
    mark = Text("● " if c.on_front else "  ", "green")
    return mark.append(f"{share:>6}" if share else "", "default" if c.on_front else "dim")


def _range(m: Median, text: Callable[[float], str]) -> str:
    if m.low is None or m.high is None:
        return "-"
    return f"{text(m.low)} to {text(m.high)}"


def _plot(found: Tradeoff, console: Console) -> None:
    from rich.text import Text

    points = [
        Point(c.cost.value, c.quality.value, LETTERS[i], c.on_front)
        for i, c in enumerate(found.configurations)
    ]
    values = [p.y for p in points]
    top, bottom = f"{max(values):.4g}", f"{min(values):.4g}"
    margin = max(len(top), len(bottom))
    width = max(20, min(64, console.width - margin - 4))
    grid, logarithmic = scatter(points, width, 10)
    strong = {p.letter for p in points if p.strong}
    for i, row in enumerate(grid):
        line = Text(f"{top if i == 0 else bottom if i == len(grid) - 1 else '':>{margin}} │ ")
        for cell in row:
            line.append(cell, "bold green" if cell in strong else "default")
        console.print(line)
    console.print(Text(" " * margin + " └" + "─" * (width + 1)))
    costs = [p.x for p in points]
    low, high = found.unit.text(min(costs)), found.unit.text(max(costs))
    axis = "cost, logarithmic" if logarithmic else "cost"
    console.print(Text(" " * (margin + 3) + low + f"{axis:^{width - len(low) - len(high)}}" + high))


def _steps(found: Tradeoff, width: int) -> Table:
    joules = found.unit.name == "J"
    scale = found.scale
    told = "points" if scale.points else one_line(found.quality, 16)
    titles = ["to", "costs more", "and gains", f"{told} per {'kWh' if joules else 'cost'}"]
    titles += ["of the first"] if width >= _MIDDLE else []
    rows = []
    for s in found.steps:
        rate = s.gain_per_unit * (_J_PER_KWH if joules else 1.0) * scale.factor
        rows.append(
            (
                one_line(s.end),
                found.unit.text(s.extra_cost),
                scale.text(s.gain).split(" of ")[0],
                format_number(rate),
                of_the_first(s.relative),
            )
        )
    return fitting_table(width, titles, [row[: len(titles)] for row in rows])


def _pick(found: Tradeoff, console: Console) -> None:
    from rich.text import Text

    pick = found.pick
    section(console, f"Cheapest within {percent(pick.tolerance * 100)} of the best")
    if pick.pair is None:
        text = f"{one_line(pick.name)}: it is the best itself"
        cheaper = [c.name for c in found.configurations].index(pick.name)
        text += ", and nothing is cheaper" if cheaper == 0 else ", and none cheaper comes so near"
        console.print(Text(text))
    else:
        console.print(_sentence(pick.pair))


def _sentence(pair: ConfigurationPair, against: str | None = None) -> Text:
    from rich.text import Text

    ending = "" if against is None else f" against {one_line(against)}"
    line = Text(pair.sentence.removesuffix(ending))
    saved = pair.reduction_pct
    if saved.low is not None and saved.high is not None:
        digits = 0 if saved.high - saved.low >= 2 else 1
        bounds = f"{saved.low:.{digits}f} to {saved.high:.{digits}f}"
        line.append(f"  ({bounds} % of cost)", "dim")
    return line
