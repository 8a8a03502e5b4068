"""What NVML tells of a GPU beside its energy, by nvidia-ml-py.

nvmlDeviceGetUtilizationRates gives the percentage of the past sample period (1/6 s to 1 s, by card)
in which a kernel ran, however little of the card it filled; nvmlDeviceGetTemperature degrees of the
die; nvmlDeviceGetMemoryInfo_v2 what all processes hold, and nvmlDeviceGetComputeRunningProcesses
what each does, where the driver tells (https://docs.nvidia.com/deploy/nvml-api/).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..errors import MeterLostError
from .base import Gauge, GaugeSource, Reading
from .nvml import NvmlMeter, explain
from .sensor import Clock

Pids = Callable[[], Collection[int]]
Ask = Callable[[Any, Any, Pids], float | None]
"""Asks pynvml of a handle; None where there is no answer now. Raises `pynvml.NVMLError`."""


def _utilization(pynvml: Any, handle: Any, _: Pids) -> float:
    return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def _temperature(pynvml: Any, handle: Any, _: Pids) -> float:
    return float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))


def _of_device(pynvml: Any, handle: Any, _: Pids) -> float:
    try:  # what the driver keeps for itself is not in it
        return float(pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2).used)
    except pynvml.NVMLError_FunctionNotFound:
        return float(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def _of_processes(pynvml: Any, handle: Any, pids: Pids) -> float | None:
    """What the run's processes hold; None where the driver names none of them or not how much."""
    named = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    mine = pids() if named else ()
    held = [process.usedGpuMemory for process in named if process.pid in mine]
    if not held or any(part is None for part in held):
        return None
    return float(sum(held))


_UTILIZATION = ("utilization_pct", "%", "NVML, time in which a kernel ran", _utilization)
_TEMPERATURE = ("temperature_c", "°C", "NVML, of the die", _temperature)
_TREE = ("memory_bytes", "B", "NVML, of the run's own processes", _of_processes)
_DEVICE = "B", "NVML, of the whole device", _of_device


class NvmlGauge(Gauge):
    """One figure of one GPU. Holds one reference to NVML until it is closed.

    Raises `pynvml.NVMLError` where the card does not tell it.
    """

    def __init__(self, source: GaugeSource, index: int, clock: Clock, ask: Ask, pids: Pids) -> None:
        import pynvml

        self.source = source
        self._nvml, self._clock, self._ask, self._pids = pynvml, clock, ask, pids
        pynvml.nvmlInit()
        self._open = True
        try:
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            ask(pynvml, self._handle, pids)
        except BaseException:
            self.close()
            raise

    def read(self) -> Reading | None:
        """A driver may be busy for a moment: it is asked twice. Raises `MeterLostError`."""
        try:
            value = self._ask(self._nvml, self._handle, self._pids)
        except self._nvml.NVMLError:
            try:
                value = self._ask(self._nvml, self._handle, self._pids)
            except self._nvml.NVMLError as error:
                raise MeterLostError(f"it was lost: {explain(error)[0]}") from error
        if value is None:
            return None
        return Reading(self._clock(), value, value, value, 0.0)

    def close(self) -> None:
        """Give back the reference to NVML."""
        if self._open:
            self._open = False
            with contextlib.suppress(self._nvml.NVMLError):  # somebody else has shut it down
                self._nvml.nvmlShutdown()


def nvml_gauges(
    meter: NvmlMeter, clock: Clock, scope: str, pids: Pids
) -> list[Gauge | GaugeSource]:
    """The gauges of the GPU of a meter; of one that does not answer its source, with the reason.

    In scope "process" memory is that of the processes `pids` where the driver tells, and of the
    whole device beside it; in scope "machine" only the latter.
    """
    wanted: list[tuple[str, str, str, Ask]] = [_UTILIZATION]
    if scope == "process":
        wanted += [_TREE, ("device_memory_bytes", *_DEVICE)]
    else:
        wanted += [("memory_bytes", *_DEVICE)]
    wanted += [_TEMPERATURE]
    found: list[Gauge | GaugeSource] = []
    for what, unit, text, ask in wanted:
        source = GaugeSource.of_device(meter.source, what, unit, text)
        try:
            found.append(NvmlGauge(source, meter.index, clock, ask, pids))
        except Exception as error:  # talking to a half-installed driver raises more than NVMLError
            found.append(replace(source, reason=explain(error)[0]))
    return found
