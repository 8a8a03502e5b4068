"""The JSON document of a run, `joulecast/recording/1`: its fields are the document's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..units import Estimate
from .gauge_summary import GaugeSummary

if TYPE_CHECKING:
    from .summary import Summary

SCHEMA = "joulecast/recording/1"


@dataclass(frozen=True, slots=True)
class DomainItem:
    """Energy of one domain, and how it was obtained; `measured_s` leaves out the gaps."""

    domain: str
    device: str
    energy: Estimate
    above_idle: Estimate | None
    mean_power_w: float
    measured_s: float
    source: str
    uncertainty_origin: str


@dataclass(frozen=True, slots=True)
class EnergyItem:
    """Energy of the run, J; None where unknown."""

    total: Estimate | None
    above_idle: Estimate | None
    wall: Estimate | None
    domains: list[DomainItem]


@dataclass(frozen=True, slots=True)
class EpochItem:
    """Energy of one epoch, the last value of each metric, the mean of each gauge."""

    index: int | None
    duration_s: float
    energy: Estimate | None
    metrics: Mapping[str, float]
    gauges: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SpanItem:
    """One span that is no epoch; `start_s` counts from the start of the run."""

    id: int
    parent: int | None
    kind: str
    name: str
    start_s: float
    complete: bool
    index: int | None
    duration_s: float
    energy: Estimate | None
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunDocument:
    """One run. `started_at` is in seconds since 1970 (UTC)."""

    run_id: str
    name: str
    group: str | None
    tags: Mapping[str, str]
    command: list[str]
    started_at: float
    status: str
    exit_code: int | None
    scope: str
    interval_s: float
    duration_s: float
    energy: EnergyItem
    epochs: list[EpochItem]
    spans: list[SpanItem]
    metrics: Mapping[str, float]
    gauges: list[GaugeSummary]
    environment: Mapping[str, Any]
    warnings: list[str]


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
        EpochItem(e.span.index, e.duration_s, e.energy, e.metrics, e.gauges) for e in summary.epochs
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
        spans=spans,
        metrics=summary.metrics,
        gauges=summary.gauges,
        environment=header.environment,
        warnings=summary.warnings,
    )
