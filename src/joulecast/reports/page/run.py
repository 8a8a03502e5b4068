"""The report of a run as one HTML page that needs no network and no second file."""

from collections import defaultdict
from datetime import UTC, datetime, tzinfo

import numpy as np

from ..._version import __version__
from ...analysis.power.behavior import PowerBehavior
from ...recording.model import Metric, Recording
from ...recording.summary import DomainEnergy, Summary
from ...units import format_duration, format_quantity
from ..documents.html import blocks_html
from ..documents.model import Plot
from ..documents.power import power_section
from ..words import common as words
from ..words.environment import environment_rows
from ..words.gauges import gauge_rows, throttled_text
from ..words.spans import ends, group_spans
from . import page_parts
from .figures import MAX_METRICS, Figure, domain_figure, epoch_figure, metric_figure, power_figure
from .gauge_figure import gauge_figure
from .lanes import lanes
from .series import PowerSeries, Trace, energy_until, power_series, traces

MAX_ROWS = 200
"""Rows of a table in the page before the middle is left out."""
NEGLIGIBLE = 0.005
"""Fraction of a domain's energy below which its energy above idle is shown as 0."""


def render_html(
    summary: Summary, power: PowerBehavior | None = None, zone: tzinfo | None = None
) -> str:
    """The page. Times of day are in `zone`, the local one where None.

    Raises `MissingExtraError` where jinja2 is not installed.
    """
    page = page_parts.templates()
    recording = summary.recording
    run_traces = traces(recording)
    series = power_series(run_traces, summary.duration_s)
    page.globals = {"words": words, "duration": format_duration, "quantity": format_quantity}
    page.globals["above_idle"] = _above_idle
    page.filters |= {"lead": words.lead, "range": words.range_text, "bounds": words.bounds_text}
    figures = _figures(summary, series, run_traces)
    scripts = page_parts.scripts(figures)
    return page.get_template("report.html.j2").render(
        s=summary,
        header=recording.header,
        when=words.when(recording.header.started_at, zone),
        started_iso=datetime.fromtimestamp(recording.header.started_at, UTC).isoformat(),
        power=words.mean_power(summary),
        gauges=gauge_rows(summary.gauges),
        throttled=throttled_text(summary.gauges),
        epochs=ends(summary.epochs, MAX_ROWS),
        apart=words.are_apart(e.energy for e in [*summary.epochs, *summary.spans]),
        epoch_metrics=_epoch_metrics(summary),
        groups=ends(group_spans(summary), MAX_ROWS),
        environment=environment_rows(recording.header.environment),
        power_html=_power_html(summary, power),
        missing=words.missing(summary),
        chart_notes=_chart_notes(summary, series),
        metric_names=[
            name.removeprefix("metric:") for name in figures if name.startswith("metric:")
        ],
        figures=figures,
        figures_json=page_parts.json_in_html(figures),
        style=page_parts.read("report.css"),
        scripts=scripts,
        policy=page_parts.policy(scripts),
        version=__version__,
    )


def _power_html(summary: Summary, power: PowerBehavior | None) -> str:
    """The section on power, without its plot: the page has a chart."""
    if power is None or not summary.domains:
        return ""
    return blocks_html([b for b in power_section(power).blocks if not isinstance(b, Plot)])


def _figures(summary: Summary, series: PowerSeries | None, found: list[Trace]) -> dict[str, Figure]:
    """All charts that have data, by name."""
    figures = {}
    if series is not None:
        figures["power"] = power_figure(summary, series)
    if (gauges := gauge_figure(summary.recording, summary.duration_s)) is not None:
        figures["gauges"] = gauges
    if summary.domains:
        figures["domains"] = domain_figure(summary)
    if any(e.energy for e in summary.epochs):
        figures["epochs"] = epoch_figure(summary)
    if found:
        metrics = _metrics(summary.recording)
        for name in list(metrics)[:MAX_METRICS]:
            points = metrics[name]
            energy = energy_until(found, np.array([m.t_s for m in points]))
            figures[f"metric:{name}"] = metric_figure(name, points, energy)
    return figures


def _metrics(recording: Recording) -> dict[str, list[Metric]]:
    by_name: dict[str, list[Metric]] = defaultdict(list)
    for m in sorted(recording.metrics, key=lambda m: m.t_s):
        by_name[m.name].append(m)
    return by_name


def _epoch_metrics(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for e in summary.epochs for name in e.metrics))


def _chart_notes(summary: Summary, series: PowerSeries | None) -> dict[str, str]:
    """Notes on the charts, by their names."""
    notes = {"power": "", "epochs": "", "metrics": ""}
    if series is not None:
        by_width: dict[float, list[str]] = defaultdict(list)
        for domain, width in series.width_s.items():
            by_width[round(width, 6)].append(domain)
        parts = [
            f"{format_duration(width)} ({', '.join(domains)})"
            if len(by_width) > 1
            else format_duration(width)
            for width, domains in by_width.items()
        ]
        notes["power"] = (
            f"Each point is the mean power over {', '.join(parts)}: the energy counted in that "
            "time divided by it."
        )
        left_out = [
            f"{lane.left_out:,} shorter {lane.label}" for lane in lanes(summary) if lane.left_out
        ]
        if left_out:
            notes["power"] += f" Not drawn: {', '.join(left_out)}."
    if words.are_apart(e.energy for e in summary.epochs):
        notes["epochs"] = words.shared_text(summary.total)
    unknown = sum(e.energy is None for e in summary.epochs)
    if unknown and summary.total is not None:
        notes["epochs"] += f" {unknown} of {len(summary.epochs)} epochs have no known energy."
    more = len(summary.metrics) - MAX_METRICS
    if more > 0:
        notes["metrics"] = f"The first {MAX_METRICS} metrics are drawn, {more} more are not."
    return notes


def _above_idle(domain: DomainEnergy) -> str:
    """A domain's energy above idle; `≈ 0 J` where it is negligible.

    It is then the difference of two almost equal figures, and its digits are rounding errors.
    """
    if domain.above_idle is None:
        return "unknown"
    if abs(domain.above_idle.value) < NEGLIGIBLE * abs(domain.energy.value):
        return "≈ 0 J"
    return words.lead(domain.above_idle)
