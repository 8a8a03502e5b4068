"""The gauges of a run: utilization, memory and temperature of its GPUs, CPU time and memory.

They are read about once a second, in a thread of their own: what goes wrong with one ends neither
the recording nor a meter. One that cannot be read is listed all the same, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..errors import MeterLostError
from ..units import Provenance
from .amd import AmdMeter
from .base import GAUGE_PERIOD_S, Gauge, GaugeSource, Meter, Reading, ReadingKind
from .cpu_time import CpuTime
from .gauges_nvml import nvml_gauges
from .nvml import NvmlMeter
from .sensor import Clock


@dataclass(slots=True)
class Gauges:
    """Those that can be read, opened; and what is known of those that cannot."""

    open: list[Gauge] = field(default_factory=list)
    missing: list[GaugeSource] = field(default_factory=list)

    @property
    def sources(self) -> list[GaugeSource]:
        """Of all of them."""
        return [*(gauge.source for gauge in self.open), *self.missing]


class AskingGauge(Gauge):
    """Asks a function, which raises anything where the figure is gone for good."""

    def __init__(self, source: GaugeSource, clock: Clock, ask: Callable[[], float | None]) -> None:
        self.source = source
        self._clock, self._ask = clock, ask

    def read(self) -> Reading | None:
        """Its word at this instant, None where it has none now. Raises `MeterLostError`."""
        try:
            value = self._ask()
        except Exception as error:  # drivers raise families of their own
            raise MeterLostError(f"it was lost: {str(error) or type(error).__name__}") from error
        if value is None:
            return None
        return Reading(self._clock(), value, value, value, 0.0)


class CpuGauge(Gauge):
    """CPU time of the run's process tree, or of the machine: 100 % is one logical CPU kept busy.

    It counts (percent x seconds), so that its mean over the run is exact: CPU time over time.
    """

    def __init__(self, cpu_time: CpuTime, scope: str) -> None:
        whose = "machine" if scope == "machine" else "process tree"
        self.source = GaugeSource(
            domain="cpu/utilization_pct",
            source=f"CPU time of the {whose}, 100 % is one core busy",
            unit="%",
            kind=ReadingKind.COUNTER,
            provenance=Provenance.MEASURED,
            update_period_s=GAUGE_PERIOD_S,
        )
        self._cpu_time, self._of_machine = cpu_time, scope == "machine"
        self._before_s: float | None = None

    def read(self) -> Reading:
        """Percent x seconds since the first reading."""
        sample = self._cpu_time.sample()
        used = sample.machine_busy_s if self._of_machine else sample.tree_cpu_s or 0.0
        if self._before_s is None:
            self._before_s = used
        value = 100 * max(0.0, used - self._before_s)
        return Reading(sample.t_s, value, value, value, 0.0)


def find_gauges(scope: str, clock: Clock, cpu_time: CpuTime, meters: list[Meter]) -> Gauges:
    """The gauges of a run beside its meters, opened, those of GPUs first. Never raises.

    Args:
        scope: "process" or "machine", as the meters'.
        clock: gives the instants of the readings.
        cpu_time: follows the run's process tree; None's for the whole machine.
        meters: those found; each GPU among them has gauges too.
    """
    found = Gauges()
    for meter in meters:
        if isinstance(meter, NvmlMeter):
            given = nvml_gauges(meter, clock, scope, cpu_time.members)
        elif isinstance(meter, AmdMeter):
            given = [_amd(meter, what, clock) for what in meter.gauges]
        else:
            continue
        for one in given:
            if isinstance(one, GaugeSource):
                found.missing.append(one)
            else:
                found.open.append(one)
    found.open.append(CpuGauge(cpu_time, scope))
    found.open.append(_memory(clock, cpu_time, scope))
    return found


def _memory(clock: Clock, cpu_time: CpuTime, scope: str) -> Gauge:
    """What is resident of the run's process tree, or what the machine has in use."""

    def resident() -> float | None:
        return cpu_time.sample().tree_rss_bytes or None  # before it starts, and once it has ended

    def in_use() -> float:
        import psutil

        memory = psutil.virtual_memory()
        return float(memory.total - memory.available)

    whole = scope == "machine"
    text = (
        "memory in use on the machine, less what can be given up (caches)"
        if whole
        else "resident memory of the process tree; what its processes share counts for each"
    )
    source = GaugeSource(
        "memory_bytes", text, "B", ReadingKind.GAUGE, Provenance.MEASURED, GAUGE_PERIOD_S
    )
    return AskingGauge(source, clock, in_use if whole else resident)


_OF_AMD = {
    "utilization_pct": ("%", "amdgpu, of its graphics and compute engine"),
    "memory_bytes": ("B", "amdgpu, of the whole device"),
    "temperature_c": ("°C", "amdgpu, of the die"),
}


def _amd(meter: AmdMeter, what: str, clock: Clock) -> Gauge | GaugeSource:
    unit, text = _OF_AMD[what]
    source = GaugeSource.of_device(meter.source, what, unit, text)
    ask = meter.gauges[what]
    try:
        ask()
    except Exception as error:  # drivers raise families of their own
        return replace(source, reason=f"{type(error).__name__}: {error}")
    return AskingGauge(source, clock, ask)
