"""The report of a study as one HTML page that needs nothing else: no network, no second file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..._version import __version__
from ...analysis.carbon.footprint import Carbon
from ...analysis.power.behavior import PowerBehavior
from ...analysis.statistics.group_comparison import GroupPair
from ...analysis.statistics.interaction import Interaction
from ...analysis.tradeoff.pairs import ConfigurationPair as Saving
from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import Findings
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import Measure, measure
from ...units import format_duration, format_number, format_quantity
from ..words import common as words
from ..words import study as study_words
from ..words.environment import environment_rows
from ..words.spans import Elided, ends
from . import page_parts
from .figures import Figure
from .study_figures import (
    MOST_BOXES,
    box_figure,
    curve_figure,
    interaction_figure,
    utilization_figure,
)
from .study_scales import ScaleKind
from .study_tradeoff_figure import tradeoff_figure, tradeoff_scales

MOST_ROWS = 60
"""Rows of a table in the page before the middle is left out."""
MOST_TESTS = 24
MOST_INTERACTIONS = 6
MOST_SAVINGS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A configuration in the table: as it was run, and as it was weighed."""

    group: ConfigurationGroup
    weighed: Configuration | None


def render_study(found: Findings) -> str:
    """The page. Raises `MissingExtraError` where plotly or jinja2 is not installed."""
    page = page_parts.templates()
    page.globals = {
        "words": words,
        "says": study_words,
        "duration": format_duration,
        "quantity": format_quantity,
        "measure": measure,
        "money": study_words.money,
        "power_note": _power_note,
    }
    page.filters |= {
        "lead": lambda estimate: str(estimate).partition(" (")[0],
        "range": words.range_text,
        "number": format_number,
        "cut": cut,
        "strongest": partial(_strongest, most=40),
    }
    acts = [(f"act:{i}", act) for i, act in enumerate(found.interactions[:MOST_INTERACTIONS])]
    boxes = box_measures(found)
    figures = _figures(found, acts, boxes)
    scripts = page_parts.scripts(figures)
    return page.get_template("study.html.j2").render(
        f=found,
        headlines=study_words.headlines(found),
        statuses=[(s, n) for s, n in found.counts.items() if n and s != "planned"],
        rows=ends(_rows(found), MOST_ROWS),
        pairs=savings(found),
        boxes=[m for m in boxes if f"box:{m.column}" in figures],
        axis_note=_axis_note(found),
        most_boxes=MOST_BOXES,
        most_tests=MOST_TESTS,
        acts=acts,
        spearman=study_words.utilization_sentence(found.utilization),
        power_columns=_POWER,
        prices=[_price(item) for item in ends(list(found.footprint.groups.items()), MOST_ROWS)],
        plan=study_words.plan_rows(found),
        environments=[(h, environment_rows(e)) for h, e in found.evidence.environments.items()],
        failures=ends(found.failures, MOST_ROWS),
        figures=figures,
        figures_json=page_parts.json_in_html(figures),
        style=page_parts.read("report.css") + page_parts.read("study.css"),
        scripts=scripts,
        policy=page_parts.policy(scripts),
        version=__version__,
    )


def box_measures(found: Findings) -> list[Measure]:
    """What box plots are drawn of: energy, and quality where there is one."""
    return [found.energy, *([found.quality] if found.quality else [])]


def savings(found: Findings) -> list[Saving]:
    """What the other configurations save against the reference, the largest savings first."""
    if found.tradeoff is None:
        return []
    reference = found.tradeoff.baseline
    pairs = [p for p in found.tradeoff.pairs if p.higher_cost == reference]
    return sorted(pairs, key=lambda p: -p.cost_reduction_pct.value)[:MOST_SAVINGS]


def cut(text: str, most: int = 60) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _figures(
    found: Findings, acts: Sequence[tuple[str, Interaction]], boxes: Sequence[Measure]
) -> dict[str, Figure]:
    """Every chart that has something to show, by name."""
    drawn: dict[str, Figure | None] = {"tradeoff": tradeoff_figure(found)}
    drawn |= {f"box:{m.column}": box_figure(found, m) for m in boxes}
    drawn |= {name: interaction_figure(found, act) for name, act in acts}
    drawn |= {"utilization": utilization_figure(found), "curves": curve_figure(found)}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _rows(found: Findings) -> list[Row]:
    """Configurations, the cheapest first; those that never finished last."""
    weighed = {c.name: c for c in found.tradeoff.configurations} if found.tradeoff else {}

    def cost(group: ConfigurationGroup) -> float:
        median = group.medians.get(found.energy.column)
        return float("inf") if median is None else median.value

    return [Row(g, weighed.get(g.name)) for g in sorted(found.groups, key=cost)]


def _axis_note(found: Findings) -> str:
    """What a reader must know of the axis of quality."""
    scales = tradeoff_scales(found)
    if scales is None or found.quality is None:
        return ""
    y = scales[1]
    note = ""
    if y.kind is ScaleKind.NEAR_ONE:
        note += " The upright axis shows the distance from 1 by its logarithm."
    beyond = y.outside(found.values(found.quality.column))
    if beyond:
        note += f" {beyond:,} run{'s' if beyond > 1 else ''} lie outside of it."
    return note


def _strongest(pairs: Sequence[GroupPair], most: int) -> list[GroupPair | Elided]:
    return ends(sorted(pairs, key=lambda p: (not p.significant, p.p_adjusted or 0.0)), most)


def _price(item: tuple[str, Carbon] | Elided) -> tuple[str | None, Carbon | Elided]:
    return (None, item) if isinstance(item, Elided) else item


# --- power ---------------------------------------------------------------------------------------


def _stable_from(power: PowerBehavior) -> str:
    at = power.stabilizing.t_s
    if at is None:
        return "unknown"
    return "the start" if at == 0 else format_duration(at)


def _mean(power: PowerBehavior) -> str:
    return "unknown" if power.power.mean is None else format_quantity(power.power.mean, "W")


def _scatter(power: PowerBehavior) -> str:
    return "unknown" if power.power.cv is None else words.percent(power.power.cv)


def _epochs(power: PowerBehavior) -> str:
    return "unknown" if power.epoch_duration.cv is None else words.percent(power.epoch_duration.cv)


def _provenance(power: PowerBehavior) -> str:
    return "unknown" if power.provenance is None else str(power.provenance)


_POWER = (
    ("stable from", _stable_from),
    ("mean from there", _mean),
    ("power varies by", _scatter),
    ("epoch time varies by", _epochs),
    ("power is", _provenance),
)


def _power_note(power: PowerBehavior) -> str:
    if power.stabilizing.reason:
        return power.stabilizing.reason
    return power.notes[0] if power.notes else ""
