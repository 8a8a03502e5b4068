"""The report of a study as one HTML page that needs nothing else: no network, no second file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..._version import __version__
from ...analysis.statistics.group_comparison import GroupPair
from ...analysis.statistics.interaction import Interaction
from ...analysis.tradeoff.pairs import ConfigurationPair as Saving
from ...analysis.tradeoff.weigh import Configuration
from ...study.findings.findings import Findings
from ...study.findings.grouping import ConfigurationGroup
from ...study.findings.measures import Measure, measure
from ...units import counted, format_duration, format_number, format_quantity
from ..words import common as words
from ..words import study as study_words
from ..words.environment import environment_rows
from ..words.spans import Elided, ends
from . import page_parts
from .figures import Figure
from .study_figures import (
    MAX_BOXES,
    box_figure,
    curve_figure,
    interaction_figure,
    utilization_figure,
)
from .study_scales import ScaleKind
from .study_tradeoff_figure import tradeoff_figure, tradeoff_scales

MAX_ROWS = 60
"""Rows of a table in the page before the middle is left out."""
MAX_TESTS = 24
MAX_INTERACTIONS = 6
MAX_SAVINGS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A configuration in the table: its runs, and its place in the trade-off."""

    group: ConfigurationGroup
    weighed: Configuration | None


def render_study(findings: Findings) -> str:
    """The page. Raises `MissingExtraError` where jinja2 is not installed."""
    page = page_parts.templates()
    page.globals = {
        "words": words,
        "study_words": study_words,
        "duration": format_duration,
        "quantity": format_quantity,
        "measure": measure,
        "money": study_words.money,
    }
    page.filters |= {
        "lead": words.lead,
        "range": words.range_text,
        "number": format_number,
        "cut": cut,
        "strongest": partial(_strongest, limit=40),
    }
    acts = [(f"act:{i}", act) for i, act in enumerate(findings.interactions[:MAX_INTERACTIONS])]
    boxes = findings.main_measures
    figures = _figures(findings, acts, boxes)
    scripts = page_parts.scripts(figures)
    return page.get_template("study.html.j2").render(
        f=findings,
        headlines=study_words.headlines(findings),
        statuses=[(s, n) for s, n in findings.counts.items() if n and s != "planned"],
        rows=ends(_rows(findings), MAX_ROWS),
        pairs=savings(findings),
        boxes=[m for m in boxes if f"box:{m.column}" in figures],
        axis_note=_axis_note(findings),
        most_boxes=MAX_BOXES,
        most_tests=MAX_TESTS,
        acts=acts,
        spearman=study_words.utilization_sentence(findings.power_against_utilization),
        prices=ends(list(findings.carbon.configurations.items()), MAX_ROWS),
        plan=study_words.plan_rows(findings),
        environments=[
            (h, environment_rows(e)) for h, e in findings.recordings.environments.items()
        ],
        failures=ends(findings.failures, MAX_ROWS),
        figures=figures,
        figures_json=page_parts.json_in_html(figures),
        style=page_parts.read("report.css") + page_parts.read("study.css"),
        scripts=scripts,
        policy=page_parts.policy(scripts),
        version=__version__,
    )


def savings(findings: Findings) -> list[Saving]:
    """Energy that the other configurations save against the reference, the largest first."""
    if findings.tradeoff is None:
        return []
    reference = findings.tradeoff.baseline
    pairs = [p for p in findings.tradeoff.pairs if p.higher_cost == reference]
    return sorted(pairs, key=lambda p: -p.cost_reduction_pct.value)[:MAX_SAVINGS]


def cut(text: str, limit: int = 60) -> str:
    """A text of at most `limit` letters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _figures(
    findings: Findings, acts: Sequence[tuple[str, Interaction]], boxes: Sequence[Measure]
) -> dict[str, Figure]:
    """Every chart that has something to show, by name."""
    drawn: dict[str, Figure | None] = {"tradeoff": tradeoff_figure(findings)}
    drawn |= {f"box:{m.column}": box_figure(findings, m) for m in boxes}
    drawn |= {name: interaction_figure(findings, act) for name, act in acts}
    drawn |= {"utilization": utilization_figure(findings), "curves": curve_figure(findings)}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _rows(findings: Findings) -> list[Row]:
    """Configurations, the one with the least energy first; those without a run last."""
    weighed = {c.name: c for c in findings.tradeoff.configurations} if findings.tradeoff else {}
    return [Row(g, weighed.get(g.name)) for g in findings.by_energy()]


def _axis_note(findings: Findings) -> str:
    """A note on the axis of quality."""
    scales = tradeoff_scales(findings)
    if scales is None or findings.quality is None:
        return ""
    y = scales[1]
    note = ""
    if y.kind is ScaleKind.NEAR_ONE:
        note += " The vertical axis shows the logarithm of the distance from 1."
    beyond = y.outside(findings.values(findings.quality.column))
    if beyond:
        note += f" Outside of it: {counted(beyond, 'run')}."
    return note


def _strongest(pairs: Sequence[GroupPair], limit: int) -> list[GroupPair | Elided]:
    return ends(sorted(pairs, key=lambda p: (not p.significant, p.p_adjusted or 0.0)), limit)
