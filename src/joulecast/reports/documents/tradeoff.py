"""The report of `joulecast tradeoff`."""

from collections.abc import Callable

from ...analysis.statistics.medians import Median
from ...analysis.tradeoff.pairs import ConfigurationPair, percent
from ...analysis.tradeoff.tradeoff import TradeoffGroups
from ...analysis.tradeoff.weigh import Configuration, Tradeoff
from ...units import counted, format_number, one_line
from ..words.common import INTERVAL, of_the_first
from .model import (
    Block,
    Column,
    Document,
    Line,
    Plot,
    ReportTable,
    Section,
    Style,
    Styled,
    figures,
    notes,
)
from .scatter import LETTERS, Point, scatter

MAX_ROWS = 40
"""Configurations above which only the front is shown."""

# Widths of the terminal, in columns, from which on rates and intervals are shown.
_RATES, _INTERVALS = 72, 110
_PLOT_WIDTH, _PLOT_HEIGHT = 50, 10
_LABEL_STYLES: dict[str, Style] = {"A": "good", "B": "good", "C": "accent", "D": "warning"}
_LABEL_STYLES |= {"E": "warning", "F": "bad", "G": "bad"}


def tradeoff_groups_document(result: TradeoffGroups) -> Document:
    """One trade-off after the other."""
    sections: list[Section] = []
    for each in result.groups:
        document = tradeoff_document(each)
        sections += [Section(f"{result.within} {each.group}", document.head), *document.sections]
    return Document([], sections)


def tradeoff_document(result: Tradeoff) -> Document:
    """The configurations, the front and its returns, the pick, the pairs, the labels."""
    configurations = result.configurations
    shown = configurations if len(configurations) <= MAX_ROWS else result.front
    shown = shown[:MAX_ROWS]
    head = [*_title(result), _configurations(result, shown)]
    if len(shown) < len(configurations):
        more = len(configurations) - len(shown)
        head.append(Styled(f"{more:,} more, most of them not on the front: see --json", "dim"))
    elif 1 < len(shown) <= len(LETTERS):
        head.append(_plot(result))
    sections = []
    if result.steps:
        sections.append(Section("Cost of more quality, along the front", [_steps(result)]))
    sections.append(_pick(result))
    sections += _against_baseline(result, {c.name for c in shown} | {result.baseline})
    sections += _labels(result)
    left_out = [f"{counted(n, 'row')}: {one_line(r)}" for r, n in result.left_out.items()]
    sections += notes("Left out", left_out, "-", "warning")
    return Document(head, [*sections, *notes("Notes", result.notes)])


def _title(result: Tradeoff) -> list[Block]:
    runs = result.rows - sum(result.left_out.values())
    count = len(result.configurations)
    counts = f"{counted(runs, 'run')} in {counted(count, 'configuration')}"
    aim = "more" if result.quality.maximize else "less"
    columns = f"{one_line(result.quality.column)} ({aim} is better) against"
    return [
        (Styled(one_line(result.title, 200), "strong"), f"  {counts}"),
        Styled(f"{columns} {one_line(result.cost.column)}; medians over repetitions", "dim"),
        "",
    ]


def _configurations(result: Tradeoff, shown: list[Configuration]) -> ReportTable:
    lettered = 1 < len(result.configurations) <= len(LETTERS)
    rated = result.quality.maximize and result.cost.is_energy
    columns = [
        *([Column(style="strong")] if lettered else []),
        Column("configuration", fit="cut"),
        *figures("n", result.cost.noun),
        *figures(INTERVAL, min_width=_INTERVALS),
        *figures(one_line(result.quality.column, 16)),
        *figures(INTERVAL, min_width=_INTERVALS),
        *figures("front"),
        *(figures("per kWh", min_width=_RATES) if rated else []),
        *figures("label"),
    ]
    rows = []
    for i, c in enumerate(shown):
        rate = "" if c.quality_per_kwh is None else format_number(c.quality_per_kwh)
        row: list[Line] = [
            one_line(c.name),
            f"{c.n:,}",
            result.cost.text(c.cost.value),
            _interval(c.cost, result.cost.text),
            f"{c.quality.value:.4g}",
            _interval(c.quality, lambda x: f"{x:.4g}"),
            _front(c),
            *([rate] if rated else []),
            Styled(c.label or "-", _LABEL_STYLES.get(c.label or "", "dim")),
        ]
        rows.append([LETTERS[i], *row] if lettered else row)
    return ReportTable(columns, rows)


def _front(c: Configuration) -> Line:
    share = "" if c.front_share is None else f"{percent(c.front_share * 100):>6}"
    return (
        Styled("● " if c.on_front else "  ", "good"),
        Styled(share, "" if c.on_front else "dim"),
    )


def _interval(m: Median, text: Callable[[float], str]) -> str:
    if m.low is None or m.high is None:
        return "-"
    return f"{text(m.low)} to {text(m.high)}"


def _plot(result: Tradeoff) -> Plot:
    points = [
        Point(c.cost.value, c.quality.value, LETTERS[i], c.on_front)
        for i, c in enumerate(result.configurations)
    ]
    grid, logarithmic = scatter(points, _PLOT_WIDTH, _PLOT_HEIGHT)
    on_front = {p.letter for p in points if p.strong}
    qualities, costs = [p.y for p in points], [p.x for p in points]
    top, bottom = f"{max(qualities):.4g}", f"{min(qualities):.4g}"
    margin = max(len(top), len(bottom))
    scale = [top, *[""] * (_PLOT_HEIGHT - 2), bottom]
    lines: list[Line] = [""]
    for tick, row in zip(scale, grid, strict=True):
        cells = [Styled(cell, "good" if cell in on_front else "") for cell in row]
        lines.append((f"{tick:>{margin}} │ ", *cells))
    lines.append(" " * margin + " └" + "─" * (_PLOT_WIDTH + 1))
    low, high = result.cost.text(min(costs)), result.cost.text(max(costs))
    axis = "cost, logarithmic" if logarithmic else "cost"
    between = _PLOT_WIDTH - len(low) - len(high)
    lines.append(" " * (margin + 3) + low + f"{axis:^{between}}" + high)
    return Plot(lines, min_width=margin + 3 + _PLOT_WIDTH)


def _steps(result: Tradeoff) -> ReportTable:
    quality, energy = result.quality, result.cost.is_energy
    unit = "points" if quality.in_points else one_line(quality.column, 16)
    columns = [
        Column("to", fit="cut"),
        *figures("costs more", "and gains", f"{unit} per {'kWh' if energy else 'cost'}"),
        *figures("of the first", min_width=_RATES),
    ]
    rows = []
    for step in result.steps:
        rate = step.gain_per_cost if step.gain_per_kwh is None else step.gain_per_kwh
        rows.append(
            [
                one_line(step.end),
                result.cost.text(step.extra_cost),
                quality.text(step.gain).split(" of ")[0],
                format_number(rate * quality.points_factor),
                of_the_first(step.relative_to_first),
            ]
        )
    return ReportTable(columns, rows)


def _pick(result: Tradeoff) -> Section:
    pick = result.pick
    title = f"Cheapest within {percent(pick.tolerance * 100)} of the best"
    if pick.pair is not None:
        return Section(title, [_sentence(pick.pair)])
    cheapest = result.configurations[0].name == pick.name
    rest = "nothing costs less" if cheapest else "none that costs less is within the tolerance"
    return Section(title, [f"{one_line(pick.name)}: it is the best, and {rest}"])


def _against_baseline(result: Tradeoff, names: set[str]) -> list[Section]:
    sentences: list[Block] = [
        _sentence(pair, result.baseline)
        for pair in result.pairs
        if result.baseline in (pair.lower_cost, pair.higher_cost)
        and {pair.lower_cost, pair.higher_cost} <= names
    ]
    return [Section(f"Each against {one_line(result.baseline)}", sentences)] if sentences else []


def _sentence(pair: ConfigurationPair, baseline: str | None = None) -> Line:
    ending = "" if baseline is None else f" against {one_line(baseline)}"
    sentence = pair.sentence.removesuffix(ending)
    reduction = pair.cost_reduction_pct
    if reduction.low is None or reduction.high is None:
        return sentence
    digits = 0 if reduction.high - reduction.low >= 2 else 1
    bounds = f"{reduction.low:.{digits}f} to {reduction.high:.{digits}f}"
    return (sentence, Styled(f"  ({bounds} % of cost)", "dim"))


def _labels(result: Tradeoff) -> list[Section]:
    if not result.labels:
        return []
    ranges = ", ".join(f"{x.label} up to {result.cost.text(x.high)}" for x in result.labels)
    how = "equal steps of the logarithm from the lowest cost to the highest"
    return [Section("Labels", [(f"{ranges}: ", Styled(how, "dim"))])]
