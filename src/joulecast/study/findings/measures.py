"""The columns of a table of runs that are reported, with their labels and units."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...analysis.table.columns import Table
from ...column_units import Unit, unit_of

ENERGY = "energy_j"

_FIGURES = {
    "energy_j": "energy",
    "duration_s": "duration",
    "power_w": "mean power",
    "gpu_utilization_pct": "GPU utilization",
    "cpu_utilization_pct": "CPU utilization",
    "gpu_temperature_c": "GPU temperature",
    "gpu_memory_bytes": "GPU memory",
    "memory_bytes": "memory",
    "epochs": "epochs",
    "epoch_energy_j": "energy per epoch",
    "epoch_duration_s": "duration of an epoch",
    "gpu_energy_j": "energy of GPUs",
    "cpu_energy_j": "energy of CPUs",
    "dram_energy_j": "energy of memory",
    "node_energy_j": "energy of the node",
}
_UNITS = {"gpu_temperature_c": Unit("°C"), "gpu_memory_bytes": Unit("B"), "memory_bytes": Unit("B")}
_OTHER = {"run_id", "name", "status", "started_at", "energy_low_j", "energy_high_j"}
_OTHER |= {"energy_own_low_j", "energy_own_high_j", "machine"}
_OTHER |= {"repetition", "seed", "order", "host", "study", "trial", "run", "error"}
_OTHER |= {"provenance"}
_METRICS = ("accuracy", "precision", "recall", "f1", "auc", "loss", "val_", "top1", "top5", "r2")
"""Beginnings of column names that are metrics, in a table that was not recorded by joulecast."""
MAX_METRICS = 12


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of figures, with its label for people and its unit."""

    column: str
    label: str
    unit: Unit

    def text(self, value: float | None) -> str:
        """A figure (in SI units) for people: `12.3 kJ`, `0.972`, `unknown`."""
        if value is None:
            return "unknown"
        if self.unit.name == "%":
            return f"{value:.0f} %" if abs(value) >= 9.95 else f"{value:.1f} %"
        if self.unit.name == "°C":
            return f"{value:.0f} °C"
        return self.unit.text(value)


def measure(column: str) -> Measure:
    """The label and the unit of a column, as far as its name shows them."""
    return Measure(column, _FIGURES.get(column, column), _UNITS.get(column) or unit_of(column))


def measures(
    table: Table, factors: Sequence[str], energy: str, quality: str | None, recorded: bool
) -> tuple[Measure, ...]:
    """The energy, the quality, then every other figure and metric of a table.

    Args:
        table: of runs.
        factors: columns that are not figures, though they may contain numbers.
        energy: the column of energy, the first measure.
        quality: the second one, where there is one.
        recorded: whether the runs were recorded by joulecast: every other column is then a metric.
            Else only columns with the name of a metric are.
    """
    first = [energy, *([quality] if quality else [])]
    figures = [c for c in _FIGURES if c in table.columns and c != energy]
    metrics = [
        c
        for c in table.columns
        if c not in _FIGURES and c not in _OTHER and (recorded or _called_like_a_metric(c))
    ]
    about = ("run:", "tag:")
    metrics = [c for c in metrics if not c.endswith("_energy_j") and not c.startswith(about)]
    columns = [
        c
        for c in dict.fromkeys([*first, *figures, *metrics[:MAX_METRICS]])
        if c in first or (c not in factors and table.is_numeric(c))
    ]
    return tuple(measure(c) for c in columns)


def _called_like_a_metric(column: str) -> bool:
    name = column.lower().replace("-", "_").replace(" ", "_")
    return any(name == m or name.startswith((m, f"val_{m}", f"test_{m}")) for m in _METRICS)
