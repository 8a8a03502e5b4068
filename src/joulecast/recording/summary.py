"""A recording's figures: the energy of the run, of each domain, of each span. Pure functions."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..estimate import Estimate, Provenance, add_independent
from ..meters.base import Source
from ..result import Result
from ..serialize import document
from ..units import format_duration
from .gauge_summary import GaugeSummary, Track, mean_of, summarize_gauges, tracks
from .integrate import (
    UPDATES_TO_RESOLVE,
    EnergyCurve,
    energy_curves,
    estimate,
    is_resolved,
    total_of,
    widened,
    with_edges,
)
from .made_forecasts import ForecastRecord
from .model import Gap, Recording, Span
from .outside import OutsideEpochs, outside_epochs
from .run_document import SCHEMA, DomainItem, EnergyItem, EpochItem, RunDocument, SpanItem

Curves = dict[str, tuple[Source, EnergyCurve]]

# A domain with more has one warning for all of its gaps.
MANY_GAPS = 3


@dataclass(frozen=True, slots=True)
class DomainEnergy:
    """Energy of one domain. `above_idle` is None where no idle baseline covers it."""

    source: Source
    energy: Estimate
    above_idle: Estimate | None
    mean_power_w: float
    # Duration of the run without its gaps.
    measured_s: float
    # The part of that in which the domain was the run's.
    own_s: float


@dataclass(frozen=True, slots=True)
class SpanEnergy:
    """Energy of one span; `energy` is None where nothing was measured in it."""

    span: Span
    duration_s: float
    energy: Estimate | None
    domains: dict[str, Estimate] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # the last value of each
    gauges: dict[str, float] = field(default_factory=dict)  # of an epoch: the mean of each


@dataclass(frozen=True, slots=True, repr=False)
class Summary(Result):
    """The figures of one run.

    Attributes:
        recording: that they were computed from.
        duration_s: of the run.
        total: energy of all domains, J; None where nothing was measured.
        above_idle: the same above the idle baseline; None without one.
        domains: energy of each domain.
        epochs: energy of each epoch.
        outside_epochs: what lies before, between and after them; None without epochs.
        spans: energy of all other spans, in order of their start.
        metrics: the last value of each metric over the whole run.
        warnings: what limits these figures.
        wall: energy at the wall, where this machine has a fit of it to its meters.
        gauges: utilization, memory, temperature.
        forecast_record: how often forecasts of this ledger's runs held; None where it is unknown.
    """

    SCHEMA: ClassVar[str] = SCHEMA

    recording: Recording
    duration_s: float
    total: Estimate | None
    above_idle: Estimate | None
    domains: list[DomainEnergy]
    epochs: list[SpanEnergy]
    spans: list[SpanEnergy]
    metrics: dict[str, float]
    warnings: list[str]
    outside_epochs: OutsideEpochs | None = None
    wall: Estimate | None = None
    gauges: list[GaugeSummary] = field(default_factory=list)
    forecast_record: ForecastRecord | None = None

    @property
    def complete_epochs(self) -> list[SpanEnergy]:
        """The epochs that have ended, without one that still runs or was broken off."""
        return [epoch for epoch in self.epochs if epoch.span.end_s is not None]

    @classmethod
    def document_type(cls) -> type:
        """See `Result`."""
        return RunDocument

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/recording/1`, see `RunDocument`."""
        return document(self.SCHEMA, run_document(self))


def run_document(summary: Summary) -> RunDocument:
    """The document of a run's figures."""
    header, footer = summary.recording.header, summary.recording.footer
    domains = [
        DomainItem(
            d.source.domain,
            d.source.device,
            *(d.energy, d.above_idle, d.mean_power_w, d.measured_s),
            d.source.source,
            d.source.uncertainty.origin,
        )
        for d in summary.domains
    ]
    epochs = [
        EpochItem(
            e.span.index,
            e.span.end_s is not None,
            *(e.duration_s, e.energy, e.metrics, e.gauges),
        )
        for e in summary.epochs
    ]
    spans = [
        SpanItem(
            *(s.span.id, s.span.parent, s.span.kind, s.span.name, s.span.start_s),
            s.span.end_s is not None,
            *(s.span.index, s.duration_s, s.energy, s.metrics),
        )
        for s in summary.spans
    ]
    return RunDocument(
        run_id=header.run_id,
        name=header.name,
        group=header.group,
        tags=header.tags,
        command=header.command,
        started_at=header.started_at,
        status=str(summary.recording.status),
        exit_code=footer.exit_code if footer else None,
        scope=header.scope,
        interval_s=header.interval_s,
        duration_s=summary.duration_s,
        energy=EnergyItem(summary.total, summary.above_idle, summary.wall, domains),
        epochs=epochs,
        outside_epochs=summary.outside_epochs,
        spans=spans,
        metrics=summary.metrics,
        gauges=summary.gauges,
        environment=header.environment,
        warnings=summary.warnings,
        forecasts=footer.forecasts if footer else [],
        forecast_record=summary.forecast_record,
    )


def summarize(recording: Recording) -> Summary:
    """All figures of a recording, of one that is still running too.

    Args:
        recording: as `Ledger.load` returns it.

    Examples:
        >>> with joulecast.open_ledger() as ledger:
        ...     joulecast.summarize(ledger.load("digits")).metrics
        {'accuracy': 0.9}
    """
    duration = recording.duration_s
    curves = energy_curves(recording) if duration > 0 else {}
    domains = _domains(curves, recording)
    lacking = [name for name in _all_domains(recording) if name not in curves]
    warnings = [*recording.warnings, *_gap_texts(recording), *_slow_meters(recording, curves)]
    warnings += _why_lacking(recording, lacking) if domains else [_why_unknown(recording)]
    total = total_of((d.energy for d in domains), lacking)
    above, why = _above_idle(domains, recording, total)
    if why:
        warnings.append(why)
    read = tracks(recording)
    spans = _spans(recording, curves, lacking, read, duration)
    epochs = [s for s in spans if s.span.kind == "epoch"]
    # All ranks of a job report the same epochs: those of the first count, the others stay spans.
    first = epochs[0].span.origin if epochs else None
    warnings += _unresolved(epochs, curves, duration)
    counted = [s for s in epochs if s.span.origin == first]
    last = {m.name: m.value for m in sorted(recording.metrics, key=lambda m: m.t_s)}
    return Summary(
        recording=recording,
        duration_s=duration,
        total=total,
        above_idle=above,
        domains=domains,
        epochs=counted,
        outside_epochs=outside_epochs(
            [s.span for s in counted], recording.spans, curves, lacking, duration
        ),
        spans=[s for s in spans if s.span.kind != "epoch" or s.span.origin != first],
        metrics=last,
        warnings=warnings,
        gauges=summarize_gauges(recording, read),
    )


def _all_domains(recording: Recording) -> list[str]:
    """Those with a meter, and those that were lacking from the start: they have only a gap."""
    gaps = (gap.domain for gap in recording.energy_gaps)
    return list(dict.fromkeys([*(s.domain for s in recording.header.sources), *gaps]))


def _why_lacking(recording: Recording, lacking: list[str]) -> list[str]:
    """A warning for each domain that no gap explains."""
    explained = {gap.domain for gap in recording.gaps}
    length = format_duration(recording.duration_s)
    return [f"{name}: no energy was read in {length}" for name in lacking if name not in explained]


def _why_unknown(recording: Recording) -> str:
    longest = max((s.update_period_s for s in recording.header.sources), default=0.0)
    if 0 < recording.duration_s < UPDATES_TO_RESOLVE * longest:
        length = format_duration(recording.duration_s)
        return f"energy unknown: {length} is too short for the meters, which update more slowly"
    return "energy unknown: no meter gave a reading; see `joulecast doctor`"


def _domains(curves: Curves, recording: Recording) -> list[DomainEnergy]:
    """Of each curve; one that shows nothing is taken out of `curves`.

    The meter cannot resolve so little, or stands still: hardware that is on draws power.
    """
    gaps, duration, domains = recording.gaps_of, recording.duration_s, []
    for name, (source, c) in list(curves.items()):
        domain = _domain(source, c, gaps[name], recording, duration)
        if domain.energy.high == 0:
            del curves[name]
        else:
            domains.append(domain)
    return domains


def _domain(
    source: Source, c: EnergyCurve, gaps: list[Gap], recording: Recording, duration: float
) -> DomainEnergy:
    in_gaps = sum(_length(gap, duration) for gap in gaps)
    lost = max((_length(gap, duration) for gap in gaps if gap.end_s is None), default=0.0)
    closed = float(c.t_s[-1] - c.t_s[0] - c.read_s[-1])
    measured = max(0.0, duration - closed - lost)
    energy = with_edges(c.between(0.0, duration), duration, source, c.machine)
    # Duration > 0.
    assert energy is not None
    mean = energy.value / measured if measured else 0.0
    own = c.own_seconds(0.0, duration)
    idle_w = (recording.header.idle_power_w or {}).get(source.domain)
    above = None
    if idle_w is not None:
        u, idle_j = source.uncertainty, idle_w * own
        rows = np.array([idle_j, idle_j * max(0.0, 1 - u.low), idle_j * (1 + u.high)])
        # A model's error is not the same for an idle machine and one under load.
        meter = f"{c.machine} idle" if source.provenance is Provenance.MODELLED else c.machine
        above = energy.minus(estimate(source, widened(rows, duration, source).tolist(), meter))
        hidden_w = max(0.0, above.value / measured) if measured else 0.0
        above = _raised(above, hidden_w * in_gaps)
    return DomainEnergy(source, _raised(energy, mean * in_gaps), above, mean, measured, own)


def _length(gap: Gap, duration: float) -> float:
    return max(0.0, (duration if gap.end_s is None else min(duration, gap.end_s)) - gap.start_s)


def _raised(energy: Estimate, hidden_j: float) -> Estimate:
    """Gaps are not filled; the upper bounds include the energy they may hide."""
    own_high = energy.value + energy.own_sides[1] + hidden_j
    return energy.changed(high=energy.high + hidden_j, own_high=own_high)


def _above_idle(
    domains: list[DomainEnergy], recording: Recording, total: Estimate | None
) -> tuple[Estimate | None, str | None]:
    baseline = recording.header.idle_power_w
    if baseline is None or total is None:
        return None, None
    # One figure for the whole machine is reduced to the part of the domains that was the run's,
    # and to the time in which they were measured.
    if "total" in baseline:
        power = sum(d.mean_power_w for d in domains)
        own_s = sum(d.mean_power_w * d.own_s for d in domains) / max(power, 1e-12)
        return total.minus(total.scaled(baseline["total"] * own_s / max(total.value, 1e-12))), None
    lacking = [d.source.domain for d in domains if d.above_idle is None]
    if lacking:
        return None, f"no energy above idle: the baseline does not cover {', '.join(lacking)}"
    return add_independent(d.above_idle for d in domains if d.above_idle), None


def _metrics_by_span(recording: Recording) -> dict[int | None, dict[str, float]]:
    """The last value of each metric, by the span it was logged in and by the epoch around that."""
    spans = {span.id: span for span in recording.spans}
    values: dict[int | None, dict[str, float]] = defaultdict(dict)
    for m in sorted(recording.metrics, key=lambda m: m.t_s):
        values[m.span][m.name] = m.value
        around = spans.get(m.span) if m.span is not None else None
        while around is not None and around.kind != "epoch":
            around = spans.get(around.parent) if around.parent is not None else None
        if around is not None:
            values[around.id][m.name] = m.value
    return values


def _spans(
    recording: Recording, curves: Curves, lacking: list[str], read: list[Track], duration: float
) -> list[SpanEnergy]:
    """The energies of all spans, computed for all of them at once in each domain."""
    metrics = _metrics_by_span(recording)
    starts = np.array([s.start_s for s in recording.spans])
    ends = np.array([duration if s.end_s is None else s.end_s for s in recording.spans])
    lengths = ends - starts
    parts: list[dict[str, Estimate]] = [{} for _ in recording.spans]
    for name, (source, c) in curves.items():
        covered = np.flatnonzero((lengths > 0) & (starts < c.t_s[-1]))
        joules = c.at(ends[covered]) - c.at(starts[covered])
        mean_w = c.between(0.0, duration)[0] / duration
        rows = widened(joules, lengths[covered], source, mean_w).T.tolist()
        for i, row in zip(covered.tolist(), rows, strict=True):
            parts[i][name] = estimate(source, row, c.machine)
    return [
        SpanEnergy(
            span,
            max(0.0, length),
            total_of(p.values(), [*lacking, *(name for name in curves if name not in p)]),
            p,
            metrics.get(span.id, {}),
            mean_of(read, span.start_s, span.start_s + length) if span.kind == "epoch" else {},
        )
        for span, length, p in zip(recording.spans, lengths.tolist(), parts, strict=True)
    ]


def _gap_texts(recording: Recording) -> Iterator[str]:
    """A warning for each gap of a domain; one for all where there are many."""
    duration, gaps_of = recording.duration_s, recording.gaps_of
    for name in _all_domains(recording):
        marks = [gap for gap in gaps_of[name] if gap.end_s == gap.start_s]
        yield from (f"{name}, from {format_duration(m.start_s)} on: {m.reason}" for m in marks)
        gaps = [gap for gap in gaps_of[name] if gap not in marks]
        of_run = f"of {format_duration(duration)} not measured"
        lengths = [_length(gap, duration) for gap in gaps]
        parts = list(zip(gaps, lengths, strict=True))
        if len(gaps) > MANY_GAPS:
            of_run += f", in {len(gaps)} gaps, the longest"
            parts = [(gaps[lengths.index(max(lengths))], sum(lengths))]
        for gap, length in parts:
            since = f"from {format_duration(gap.start_s)} on: {gap.reason}"
            yield f"{gap.domain}: {format_duration(length)} {of_run}, {since}"


def _slow_meters(recording: Recording, curves: Curves) -> Iterator[str]:
    """A warning for each meter that was read less than half as often as asked."""
    for name, (source, c) in curves.items():
        asked_s = max(recording.header.interval_s, source.update_period_s)
        every_s = float(c.read_s[-1]) / (len(c.t_s) - 1)
        # In less time, one late reading makes the mean.
        if every_s > 2 * asked_s > 0 and c.read_s[-1] >= 10 * asked_s:
            every, asked = format_duration(every_s), format_duration(asked_s)
            yield f"{name}: read every {every} on average, not every {asked}"


def _unresolved(epochs: list[SpanEnergy], curves: Curves, duration: float) -> list[str]:
    """A warning for each meter that is too slow for the epochs or the run."""
    warnings = []
    for name, (source, _) in curves.items():
        ended = [e for e in epochs if e.span.end_s is not None]
        short = [e for e in ended if not is_resolved(e.duration_s, source)]
        if not is_resolved(duration, source):
            what = f"the run ({format_duration(duration)}) is"
        elif short:
            what = f"{len(short)} of {len(epochs)} epochs are"
        else:
            continue
        period = format_duration(source.update_period_s)
        warnings.append(
            f"{name}: {what} shorter than five updates of this meter ({period} each): "
            "not resolved, which the interval includes"
        )
    return warnings
