"""Recorded runs as a table: a row for each, a column for each of its figures, metrics and tags."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import BadInputError
from ...hardware.environment import machine_of, machine_text
from ...recording.summary import Summary
from .columns import Cell, Table
from .quantities import bounds_of, own_bounds_of

FIXED = (
    "run_id",
    "name",
    "status",
    "started_at",
    "energy_j",
    "energy_low_j",
    "energy_high_j",
    "energy_own_low_j",
    "energy_own_high_j",
    "duration_s",
    "power_w",
    "epochs",
    "epoch_energy_j",
    "epoch_duration_s",
)
"""Columns of every run; missing figures are None."""

# By the end of a gauge's name, over its devices: the column, and the figure that it contains.
_GAUGES = {
    "gpu:/utilization_pct": ("gpu_utilization_pct", "mean"),
    "gpu:/memory_bytes": ("gpu_memory_bytes", "max"),
    "gpu:/temperature_c": ("gpu_temperature_c", "mean"),
    "cpu/utilization_pct": ("cpu_utilization_pct", "mean"),
    "memory_bytes": ("memory_bytes", "max"),
}

GAUGES = tuple(column for column, _ in _GAUGES.values())
"""Columns of gauges: the mean over devices of their means; of memory the maximum."""


def runs_table(summaries: Sequence[Summary], name: str) -> Table:
    """The runs in the order given, called `name`.

    Columns: `FIXED`; `machine` where it is known; `<kind>_energy_j` of each kind of domain (gpu,
    cpu, dram, node), summed over its devices; `GAUGES` where one was sampled; the last value of
    every metric (None where that is not finite) and every tag under its own name, or as
    `metric:NAME` and `tag:NAME` where another column has that name. A column exists if one of the
    runs has it; others have None in it. Only epochs that ended count.
    """
    figures = [_figures(summary) for summary in summaries]
    columns: dict[str, list[Cell]] = {column: [f.get(column) for f in figures] for column in FIXED}
    for column in dict.fromkeys(c for f in figures for c in f):
        columns.setdefault(column, [f.get(column) for f in figures])
    taken = {*columns, *GAUGES}
    _add(columns, "metric:", [_finite(summary.metrics) for summary in summaries], taken)
    taken |= set(columns)
    _add(columns, "tag:", [summary.recording.header.tags for summary in summaries], taken)
    return Table(name, columns)


def trainings_and_inferences(table: Table, served: str, training: str, inference: str) -> Table:
    """Recorded runs with two more columns: the energy of a training, and that of one inference, J.

    A run with a value in the column `served` answered so many requests, and its energy divided by
    their number is that of one; any other run is a training. The intervals of both are in further
    columns (`bounds_of`). Columns that the runs already have, as metrics, are not changed.

    Raises `BadInputError` where no run has a number of requests, or one has none above 0.
    """
    if inference not in table.columns and served not in table.columns:
        raise BadInputError(
            f"{table.name}: none of these runs has a number of inferences: record one with "
            f"--tag {served}=5000 or run.log({served}=5000), or name its column"
        )
    count = table.numbers(served) if served in table.columns else np.full(len(table), np.nan)
    none = np.flatnonzero(count <= 0)
    if len(none):
        run_id = table.columns["run_id"][int(none[0])]
        raise BadInputError(f"{table.name}, run {run_id}: {served} must be more than 0")
    added: dict[str, list[Cell]] = {}
    of_energy = ("energy_j", *bounds_of("energy_j"), *own_bounds_of("energy_j"))
    for column in (c for c in (training, inference) if c not in table.columns):
        names = (column, *bounds_of(column), *own_bounds_of(column))
        for source, name in zip(of_energy, names, strict=True):
            if source in table.columns:
                energy = table.numbers(source)
                of_training = np.where(np.isnan(count), energy, np.nan)
                added[name] = (of_training if column == training else energy / count).tolist()
    return replace(table, columns=dict(table.columns) | added)


def _add(
    columns: dict[str, list[Cell]],
    prefix: str,
    rows: Sequence[Mapping[str, Any]],
    taken: set[str],
) -> None:
    for key in dict.fromkeys(key for row in rows for key in row):
        column = f"{prefix}{key}" if key in taken else key
        columns[column] = [row.get(key) for row in rows]


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Non-finite metrics become None."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _figures(summary: Summary) -> dict[str, Cell]:
    """The columns `FIXED` (the missing ones stand for None), energies by kind, and gauges."""
    header = summary.recording.header
    ended = summary.complete_epochs
    figures: dict[str, Cell] = {
        "run_id": header.run_id,
        "name": header.name,
        "status": str(summary.recording.status),
        "started_at": header.started_at,
        "duration_s": summary.duration_s,
        "power_w": sum(d.mean_power_w for d in summary.domains) if summary.domains else None,
        "epochs": float(len(ended)) if ended else None,
        "epoch_energy_j": _mean(e.energy.value for e in ended if e.energy is not None),
        "epoch_duration_s": _mean(e.duration_s for e in ended),
    }
    if summary.total is not None:
        total = summary.total
        figures |= {"energy_j": total.value, "energy_low_j": total.low, "energy_high_j": total.high}
        figures |= {"energy_own_low_j": total.own_low, "energy_own_high_j": total.own_high}
    machine = machine_of(header.environment)
    figures |= {"machine": machine_text(machine)} if machine else {}
    return figures | _by_kind(summary) | _gauges(summary)


def _by_kind(summary: Summary) -> dict[str, Cell]:
    parts: dict[str, list[float]] = {}
    for domain in summary.domains:
        kind = domain.source.domain.partition(":")[0]
        parts.setdefault(f"{kind}_energy_j", []).append(domain.energy.value)
    return {column: math.fsum(joules) for column, joules in parts.items()}


def _gauges(summary: Summary) -> dict[str, Cell]:
    parts: dict[str, list[float]] = {}
    for gauge in summary.gauges:
        device, slash, what = gauge.name.partition("/")
        kind, colon, _ = device.partition(":")
        column, figure = _GAUGES.get(f"{kind}{colon}{slash}{what}", (None, ""))
        value = getattr(gauge, figure) if column else None
        if column and value is not None:
            parts.setdefault(column, []).append(float(value))
    return {c: max(v) if c.endswith("bytes") else _mean(v) for c, v in parts.items()}


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return math.fsum(known) / len(known) if known else None
