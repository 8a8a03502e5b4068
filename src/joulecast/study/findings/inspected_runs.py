"""What only recordings show of a study: one run of each configuration, inspected closely."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.power.behavior import PowerBehavior, power_behavior
from ...analysis.table.columns import Array, Table
from ...errors import LedgerError
from ...estimate import Estimate
from ...meters.base import Source
from ...recording.model import Recording
from ...recording.summary import Summary, summarize
from .grouping import ConfigurationGroup
from .measures import ENERGY

MAX_INSPECTED = 40
"""Configurations of which a recording is read."""

Load = Callable[[str], Recording]


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """A metric against the energy used so far, both at the end of each epoch.

    `energy_j` is that of the epochs so far, without what lies between and before them.
    """

    metric: str
    energy_j: tuple[float, ...]
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InspectedRun:
    """The run of a configuration whose energy is nearest its median."""

    configuration: str
    run_id: str
    energy: Estimate | None
    power: PowerBehavior
    curve: MetricCurve | None


@dataclass(frozen=True, slots=True)
class InspectedRuns:
    """What the recordings of a study show.

    Attributes:
        runs: one of each configuration, in their order.
        sources: the meters of these runs, each once.
        environments: of these runs, by host ("" where it is unknown).
        interval_s: shortest and longest interval between readings; None where nothing was read.
        missing: reasons why something is not here.
    """

    runs: tuple[InspectedRun, ...] = ()
    sources: tuple[Source, ...] = ()
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    interval_s: tuple[float, float] | None = None
    missing: tuple[str, ...] = ()


def inspect_runs(
    table: Table, groups: Sequence[ConfigurationGroup], quality: str | None, load: Load | None
) -> InspectedRuns:
    """Read one recording of each configuration.

    Args:
        table: the runs that finished.
        groups: the configurations.
        quality: the metric of the curves.
        load: returns a recording by its run's id; None: there are none.
    """
    if load is None or "run_id" not in table.columns:
        return InspectedRuns()
    ids = table.labels("run_id")
    hosts = table.labels("host") if "host" in table.columns else [None] * len(table)
    energy_j = table.numbers(ENERGY) if len(table) else np.empty(0)
    recorded = np.array([i is not None for i in ids], np.bool_) & ~np.isnan(energy_j)
    rows = {g.name: row for g in groups if (row := _typical_row(g, energy_j, recorded)) is not None}
    runs: list[InspectedRun] = []
    sources: dict[tuple[str, str, str], Source] = {}
    environments: dict[str, Mapping[str, Any]] = {}
    intervals: list[float] = []
    missing: list[str] = []
    for name, row in list(rows.items())[:MAX_INSPECTED]:
        run_id = str(ids[row])
        try:
            recording = load(run_id)
        except LedgerError as error:
            missing.append(f"The recording of {name} could not be read: {error}.")
            continue
        summary, header = summarize(recording), recording.header
        power, curve = power_behavior(summary), _curve(summary, quality)
        runs.append(InspectedRun(name, run_id, summary.total, power, curve))
        intervals.append(header.interval_s)
        for s in recording.sources:
            sources.setdefault((s.domain.partition(":")[0], s.source, s.device), s)
        environments.setdefault(hosts[row] or "", header.environment)
    if len(rows) > MAX_INSPECTED:
        missing.append(
            f"Recordings were read of the first {MAX_INSPECTED} of {len(rows)} configurations."
        )
    interval_s = (min(intervals), max(intervals)) if intervals else None
    return InspectedRuns(
        tuple(runs), tuple(sources.values()), environments, interval_s, tuple(missing)
    )


def _typical_row(
    group: ConfigurationGroup, energy_j: Array, recorded: npt.NDArray[np.bool_]
) -> int | None:
    """The row with a recording whose energy is nearest the median of its configuration."""
    median = group.medians.get(ENERGY)
    rows = [i for i in group.rows if recorded[i]]
    if median is None or not rows:
        return None
    return min(rows, key=lambda i: abs(energy_j[i] - median.value))


def _curve(summary: Summary, metric: str | None) -> MetricCurve | None:
    """None where fewer than two epochs have both."""
    energies, values, energy_j = [], [], 0.0
    for epoch in summary.epochs:
        # From an epoch of unknown energy on, the sum is unknown.
        if epoch.energy is None:
            return None
        energy_j += epoch.energy.value
        if metric is not None and metric in epoch.metrics:
            energies.append(energy_j)
            values.append(epoch.metrics[metric])
    if metric is None or len(values) < 2:
        return None
    return MetricCurve(metric, tuple(energies), tuple(values))
