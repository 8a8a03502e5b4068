"""Apple silicon: CPU, GPU, memory and neural engine, through zeus-apple-silicon (IOReport)."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import MeterLostError
from ..estimate import Provenance
from .base import ReadingKind, Source, Unavailable, Uncertainty
from .counter import Unwrap
from .sensor import Clock, Discovery, SensorMeter

# Assumed: Apple documents none.
UPDATE_PERIOD_S = 0.1
ACCURACY = Uncertainty(
    0.10, 0.10, "±10 % assumed: Apple calls these figures estimates (powermetrics(1)) and no more"
)
# Domain, field of AppleEnergyMetrics (millijoules), what it is.
_FIELDS = (
    ("cpu:0", "cpu_total_mj", "Apple silicon CPU"),
    ("gpu:0", "gpu_mj", "Apple silicon GPU"),
    ("dram:0", "dram_mj", "Apple silicon memory"),
    ("ane:0", "ane_mj", "Apple neural engine"),
)
# The domains read within one tick share one call to the system.
_MAX_AGE_S = 5e-3


class AppleMeter(SensorMeter):
    """Energy of one part of the chip. Raises `MeterLostError` where the part is not counted."""

    def __init__(self, source: Source, clock: Clock, counters: _Counters, field: str) -> None:
        super().__init__(source, clock)
        self._counters, self._field = counters, field
        self._unwrap: Unwrap = Unwrap(1e-3, UPDATE_PERIOD_S)
        # The first value is the base.
        self._value(self._opened_s)

    def _value(self, t_s: float) -> float:
        millijoules = getattr(self._counters.read(t_s), self._field, None)
        if millijoules is None:
            raise MeterLostError(f"{self.source.device}: this chip does not count it")
        return self._unwrap.advance(int(millijoules), t_s)


class _Counters:
    """All cumulative energies of the chip at once."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor
        self._last: tuple[float, Any] | None = None

    def read(self, t_s: float) -> Any:
        if self._last is None or not 0 <= t_s - self._last[0] < _MAX_AGE_S:
            try:
                self._last = (t_s, self._monitor.get_cumulative_energy())
            except Exception as error:
                # The extension module in C++ raises RuntimeError and others.
                raise MeterLostError(f"Apple's energy report has failed: {error}") from error
        return self._last[1]


def find_apple(clock: Clock, monitor: Any = None, platform: str = sys.platform) -> Discovery:
    """The meters of an Apple silicon chip; none on other systems. Never raises.

    Args:
        clock: gives the instants of the readings.
        monitor: a `zeus_apple_silicon.AppleEnergyMonitor`; None makes one on macOS.
        platform: as `sys.platform`.
    """
    discovery = Discovery()
    if monitor is None:
        if platform != "darwin":
            return discovery
        try:
            from zeus_apple_silicon import AppleEnergyMonitor

            monitor = AppleEnergyMonitor()
        except ImportError:
            reason, remedy = "zeus-apple-silicon is missing", 'pip install "joulecast[apple]"'
            discovery.unavailable.append(Unavailable("cpu:0", "IOReport", reason, remedy))
            return discovery
        except Exception as error:
            # An Intel Mac, or a version of macOS that the library does not support.
            reason = f"zeus-apple-silicon does not start: {error}"
            discovery.unavailable.append(Unavailable("cpu:0", "IOReport", reason, ""))
            return discovery
    counters = _Counters(monitor)
    for domain, field, device in _FIELDS:
        source = Source(
            domain=domain,
            source="Apple IOReport energy counter",
            kind=ReadingKind.COUNTER,
            provenance=Provenance.MEASURED,
            update_period_s=UPDATE_PERIOD_S,
            uncertainty=ACCURACY,
            device=device,
        )
        try:
            discovery.meters.append(AppleMeter(source, clock, counters, field))
        except MeterLostError as error:
            discovery.unavailable.append(Unavailable(domain, "IOReport", str(error), ""))
    return discovery
