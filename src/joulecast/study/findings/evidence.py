"""What only recordings can tell of a study: one run of each configuration, looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.power.behavior import PowerBehavior, power_behavior
from ...analysis.statistics.medians import Median
from ...analysis.table.columns import Array, Table
from ...errors import LedgerError
from ...meters.base import Source
from ...recording.model import Recording
from ...recording.summary import Summary, summarize
from ...units import Provenance, weakest

MOST_LOOKED_AT = 40
"""Configurations of which a recording is looked at."""

Load = Callable[[str], Recording]


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """How a metric rose with the energy spent: both at the end of each epoch.

    `energy_j` is that of the epochs so far, without what lies between and before them.
    """

    metric: str
    energy_j: tuple[float, ...]
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """The run of a configuration whose energy is nearest its median."""

    configuration: str
    run_id: str
    power: PowerBehavior
    curve: MetricCurve | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the recordings of a study told.

    Attributes:
        runs: one of each configuration, in their order.
        sources: the meters of these runs, each once.
        environments: of these runs, by host ("" where it is not known).
        interval_s: between readings, least and most; None where nothing was looked at.
        missing: why something is not here.
    """

    runs: tuple[Looked, ...] = ()
    sources: tuple[Source, ...] = ()
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    interval_s: tuple[float, float] | None = None
    missing: tuple[str, ...] = ()

    @property
    def provenance(self) -> Provenance | None:
        """The weakest of the meters'; None where nothing was looked at."""
        return weakest(s.provenance for s in self.sources) if self.sources else None


def evidence(
    table: Table,
    groups: Mapping[str, tuple[npt.NDArray[np.intp], Median]],
    energy_j: Array,
    quality: str | None,
    load: Load | None,
) -> Evidence:
    """Look at one recording of each configuration.

    Args:
        table: the runs that finished.
        groups: by configuration its rows, and the median of its energy.
        energy_j: of each row, shape (rows,).
        quality: the metric that curves are drawn of.
        load: gives a recording by its run's id; None: there are none.
    """
    if load is None or "run_id" not in table.columns:
        return Evidence()
    ids = table.labels("run_id")
    hosts = table.labels("host") if "host" in table.columns else [None] * len(table)
    looked: list[Looked] = []
    sources: dict[tuple[str, str, str], Source] = {}
    environments: dict[str, Mapping[str, Any]] = {}
    intervals: list[float] = []
    missing: list[str] = []
    for name, (rows, median) in list(groups.items())[:MOST_LOOKED_AT]:
        known = [i for i in rows.tolist() if ids[i] is not None and not np.isnan(energy_j[i])]
        if not known:
            continue
        run_id = str(ids[min(known, key=lambda i: abs(energy_j[i] - median.value))])
        try:
            recording = load(run_id)
        except LedgerError as error:
            missing.append(f"The recording of {name} could not be read: {error}.")
            continue
        summary = summarize(recording)
        header = recording.header
        looked.append(Looked(name, run_id, power_behavior(summary), _curve(summary, quality)))
        intervals.append(header.interval_s)
        for s in header.sources:
            sources.setdefault((s.domain.partition(":")[0], s.source, s.device), s)
        host = hosts[ids.index(run_id)] or ""
        environments.setdefault(host, header.environment)
    if len(groups) > MOST_LOOKED_AT:
        missing.append(
            f"Recordings were looked at for the first {MOST_LOOKED_AT} of {len(groups)} "
            "configurations."
        )
    span = (min(intervals), max(intervals)) if intervals else None
    return Evidence(tuple(looked), tuple(sources.values()), environments, span, tuple(missing))


def _curve(summary: Summary, metric: str | None) -> MetricCurve | None:
    """None where fewer than two epochs have both."""
    energies, values, spent = [], [], 0.0
    for epoch in summary.epochs:
        if epoch.energy is None:
            return None  # from here on the sum is not known
        spent += epoch.energy.value
        if metric is not None and metric in epoch.metrics:
            energies.append(spent)
            values.append(epoch.metrics[metric])
    if metric is None or len(values) < 2:
        return None
    return MetricCurve(metric, tuple(energies), tuple(values))
