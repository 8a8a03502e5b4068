"""The gauges of a run: utilization, memory, clocks, ... of its GPUs, CPU time and memory.

They are read about once a second, in a thread of their own, so that a failing gauge ends neither
the recording nor a meter. One that cannot be read is listed with the reason.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..errors import MeterLostError
from ..estimate import Provenance
from .base import (
    GAUGE_PERIOD_S,
    DeviceFigure,
    Gauge,
    GaugeSource,
    Meter,
    Reading,
    ReadingKind,
    Source,
)
from .counter import PLAUSIBLE_POWER_W
from .cpu_time import CpuTime
from .sensor import Clock

_LOST = "it was lost: "
_MAX = {"%": 100.0, "°C": 200.0, "B": 2.0**50, "Hz": 1e11, "W": PLAUSIBLE_POWER_W}
"""Figures of a device above these are no readings, by unit."""


@dataclass(slots=True)
class Gauges:
    """The gauges that can be read, opened; and the sources of those that cannot."""

    open: list[Gauge] = field(default_factory=list)
    missing: list[GaugeSource] = field(default_factory=list)

    @property
    def sources(self) -> list[GaugeSource]:
        """Of all of them."""
        return [*(gauge.source for gauge in self.open), *self.missing]


class FigureGauge(Gauge):
    """Calls a function, which raises anything where the figure is gone for good."""

    def __init__(
        self,
        source: GaugeSource,
        clock: Clock,
        ask: Callable[[], float | None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.source = source
        self._clock, self._ask = clock, ask
        self._close: Callable[[], None] | None = close

    def read(self) -> Reading | None:
        """See `Gauge.read`."""
        try:
            value = self._ask()
        except Exception as error:
            # Drivers raise exceptions of their own families.
            raise MeterLostError(f"{_LOST}{_reason(error)}") from error
        # Drivers return numbers such as 0xFFFFFFFF in place of what they do not know.
        if value is None or value > _MAX.get(self.source.unit, math.inf):
            return None
        return Reading(self._clock(), value, value, value, 0.0)

    def close(self) -> None:
        """See `Gauge.close`."""
        close, self._close = self._close, None
        if close is not None:
            close()


def _reason(error: Exception) -> str:
    """A meter explains its errors itself; of others the type is part of what went wrong."""
    return str(error) if isinstance(error, MeterLostError) else f"{type(error).__name__}: {error}"


class CpuGauge(Gauge):
    """CPU time of the run's process tree, or of the machine: 100 % is one busy logical CPU.

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
    """The gauges of a run, opened, those of GPUs first. Never raises.

    Args:
        scope: "process" or "machine", as the meters'.
        clock: gives the instants of the readings.
        cpu_time: follows the run's process tree; no tree for the whole machine.
        meters: those of the run; each GPU among them has gauges too.
    """
    gauges = Gauges()
    for meter in meters:
        for figure in meter.figures(scope, cpu_time.members):
            gauge = FigureGauge(_source(meter.source, figure), clock, figure.ask, figure.close)
            try:
                has_none = gauge.read() is None
            except MeterLostError as error:
                gauge.close()
                if not figure.is_optional:
                    reason = str(error).removeprefix(_LOST)
                    gauges.missing.append(replace(gauge.source, reason=reason))
                continue
            if has_none and figure.is_optional:
                gauge.close()
            else:
                gauges.open.append(gauge)
    gauges.open.append(CpuGauge(cpu_time, scope))
    gauges.open.append(_memory(clock, cpu_time, scope))
    return gauges


def _source(meter: Source, figure: DeviceFigure) -> GaugeSource:
    return GaugeSource(
        # The figures of a module's meter are its GPU's.
        domain=f"{meter.domain.replace('module:', 'gpu:')}/{figure.name}",
        source=figure.source,
        unit=figure.unit,
        kind=ReadingKind.GAUGE,
        provenance=Provenance.MEASURED,
        update_period_s=GAUGE_PERIOD_S,
        device=meter.device,
    )


def _memory(clock: Clock, cpu_time: CpuTime, scope: str) -> Gauge:
    """Resident memory of the run's process tree, or the memory in use on the machine."""

    def resident() -> float | None:
        # Nothing before the tree starts, and once it has ended.
        return cpu_time.sample().tree_rss_bytes or None

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
    return FigureGauge(source, clock, in_use if whole else resident)
