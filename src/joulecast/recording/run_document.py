"""The JSON document of a run, `joulecast/recording/1`: its fields are the document's keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..estimate import Estimate
from .gauge_summary import GaugeSummary
from .made_forecasts import ForecastRecord, MadeForecast
from .outside import OutsideEpochs

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
    """Energy of one epoch, the last value of each metric, the mean of each gauge.

    `index` counts from 0; where people read it, epochs are counted from 1. `complete` is false for
    an epoch that still runs, or that was broken off.
    """

    index: int | None
    complete: bool
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
    """One run. `started_at` is in seconds since 1970 (UTC).

    `outside_epochs` is what the epochs do not contain; None where there are none. `forecasts` were
    made during the run, and `forecast_record` is how often those of the ledger's runs held.
    """

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
    outside_epochs: OutsideEpochs | None
    spans: list[SpanItem]
    metrics: Mapping[str, float]
    gauges: list[GaugeSummary]
    environment: Mapping[str, Any]
    warnings: list[str]
    forecasts: list[MadeForecast]
    forecast_record: ForecastRecord | None
