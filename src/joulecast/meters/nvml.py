"""One NVIDIA GPU, through NVML (https://docs.nvidia.com/deploy/nvml-api/) and nvidia-ml-py.

The energy counter is read where the card has one (Volta and later); older cards report their power,
which is integrated.

Its other figures: nvmlDeviceGetUtilizationRates gives the percentage of the past sample period
(1/6 s to 1 s, by card) in which a kernel ran, however little of the card it filled;
nvmlDeviceGetTemperature degrees of the die; nvmlDeviceGetMemoryInfo_v2 what all processes have
allocated, and nvmlDeviceGetComputeRunningProcesses what each has, where the driver reports it.
"""

import contextlib
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from ..errors import MeterLostError
from ..units import Provenance
from .base import DeviceFigure, ReadingKind, Source, Uncertainty
from .counter import Unwrap
from .sensor import Clock, SensorMeter

T = TypeVar("T")

# Of the energy counter, as observed: arXiv 2312.02741.
ENERGY_PERIOD_S = 0.1
# Of the power reading: 20 to 100 ms by card, arXiv 2312.02741.
POWER_PERIOD_S = 0.1
COUNTER = Uncertainty(
    0.05,
    0.05,
    "±5 %, the board's power sensor (NVML reference; Yang et al. 2023, arXiv 2312.02741)",
)
POWER = Uncertainty(
    0.10,
    0.10,
    "±10 % assumed: ±5 % of the sensor (NVML reference) and as much again because it is sampled"
    " (Yang et al. 2023, arXiv 2312.02741)",
)

_REMEDIES = {
    "DRIVER_NOT_LOADED": ("the NVIDIA driver is not loaded", "sudo modprobe nvidia"),
    "NO_PERMISSION": (
        "no permission to talk to the NVIDIA driver",
        "ls -l /dev/nvidiactl; in a container: start it with --gpus all",
    ),
    "LIB_RM_VERSION_MISMATCH": (
        "the NVIDIA library and the loaded driver have different versions",
        "sudo reboot (or unload and load the nvidia modules) after the driver's update",
    ),
    "GPU_IS_LOST": ("the GPU has fallen off the bus", "nvidia-smi -q; then sudo reboot"),
    "UNINITIALIZED": ("NVML was shut down", "restart the run"),
    "NOT_FOUND": ("the GPU is no longer there", "nvidia-smi -L; then sudo reboot"),
    "NOT_SUPPORTED": ("the driver does not report it for this card", "nvidia-smi -q"),
    "UNKNOWN": ("the driver has failed", "sudo dmesg | grep -i xid; then sudo reboot"),
}


class NvmlMeter(SensorMeter):
    """One GPU: joules of its energy counter, or watts where it has none.

    Holds one reference to NVML until it is closed. Raises `pynvml.NVMLError` where the card reports
    neither its energy nor its power.
    """

    def __init__(self, index: int, clock: Clock, device: str = "") -> None:
        import pynvml

        self._nvml = pynvml
        self._open = False
        pynvml.nvmlInit()
        self._open = True
        try:
            self.index = index
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            name = device or str(pynvml.nvmlDeviceGetName(self._handle))
            counts = _has_energy_counter(pynvml, self._handle)
            super().__init__(_source(f"gpu:{index}", name, counts), clock)
            self._unwrap = Unwrap(1e-3, ENERGY_PERIOD_S) if counts else None
            name = "nvmlDeviceGetTotalEnergyConsumption" if counts else "nvmlDeviceGetPowerUsage"
            # Millijoules or milliwatts. A card without either is no meter.
            self._read_raw: Callable[[Any], int] = getattr(pynvml, name)
            self._read_raw(self._handle)
            if counts:
                # The first value is the base.
                self._value(self._opened_s)
        except BaseException:
            self.close()
            raise

    def _value(self, t_s: float) -> float:
        try:
            raw = self._twice(self._read_raw, self._handle)
        except self._nvml.NVMLError as error:
            reason, remedy = explain(error)
            what = f"{self.source.domain} ({self.source.device})"
            raise MeterLostError(f"{what} was lost: {reason}; try: {remedy}") from error
        return self._unwrap.advance(raw, t_s) if self._unwrap else raw * 1e-3

    def _twice(self, ask: Callable[..., T], *arguments: Any) -> T:
        """A driver may be busy for a moment, so it is asked twice."""
        with contextlib.suppress(self._nvml.NVMLError):
            return ask(*arguments)
        return ask(*arguments)

    def figures(self, scope: str, pids: Callable[[], Collection[int]]) -> list[DeviceFigure]:
        """See `Meter.figures`.

        In scope "process" memory is that of the processes `pids` where the driver reports it, and
        that of the whole device in addition; in scope "machine" only the latter.
        """
        nvml, handle = self._nvml, self._handle
        own_memory = partial(_memory_of_processes, nvml, handle, pids)
        device_memory = partial(_memory_of_device, nvml, handle)
        utilization = partial(_utilization, nvml, handle)
        temperature = partial(_temperature, nvml, handle)
        whole, memory = "NVML, of the whole device", "memory_bytes"
        if scope == "process":
            memories = [
                self._figure(memory, "B", "NVML, of the run's own processes", own_memory),
                self._figure("device_memory_bytes", "B", whole, device_memory),
            ]
        else:
            memories = [self._figure(memory, "B", whole, device_memory)]
        kernels = "NVML, time in which a kernel ran"
        return [
            self._figure("utilization_pct", "%", kernels, utilization),
            *memories,
            self._figure("temperature_c", "°C", "NVML, of the die", temperature),
        ]

    def _figure(
        self, name: str, unit: str, text: str, ask: Callable[[], float | None]
    ) -> DeviceFigure:
        def explained() -> float | None:
            try:
                return self._twice(ask)
            except Exception as error:
                # A half-installed driver raises more than NVMLError.
                raise MeterLostError(explain(error)[0]) from error

        # A reference of its own: the thread of the gauges may still read when the meters close.
        # Where it fails, so does `ask`.
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlInit()
        return DeviceFigure(name, unit, text, explained, self._release)

    def close(self) -> None:
        """Release the reference to NVML."""
        if self._open:
            self._open = False
            self._release()

    def _release(self) -> None:
        # Somebody else may have shut NVML down: nothing is left to release then.
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()


def _utilization(pynvml: Any, handle: Any) -> float:
    return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def _temperature(pynvml: Any, handle: Any) -> float:
    return float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))


def _memory_of_device(pynvml: Any, handle: Any) -> float:
    # Version 2 excludes what the driver reserves for itself; old drivers lack it.
    try:
        return float(pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2).used)
    except pynvml.NVMLError_FunctionNotFound:
        return float(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def _memory_of_processes(
    pynvml: Any, handle: Any, pids: Callable[[], Collection[int]]
) -> float | None:
    """What the run's processes have; None where the driver names none of them or not how much."""
    named = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    mine = pids() if named else ()
    parts = [process.usedGpuMemory for process in named if process.pid in mine]
    if not parts or any(part is None for part in parts):
        return None
    return float(sum(parts))


def _source(domain: str, device: str, has_counter: bool) -> Source:
    return Source(
        domain=domain,
        source="NVML energy counter"
        if has_counter
        else "NVML power, integrated (no energy counter on this card)",
        kind=ReadingKind.COUNTER if has_counter else ReadingKind.POWER,
        provenance=Provenance.MEASURED,
        update_period_s=ENERGY_PERIOD_S if has_counter else POWER_PERIOD_S,
        uncertainty=COUNTER if has_counter else POWER,
        device=device,
    )


def _has_energy_counter(pynvml: Any, handle: Any) -> bool:
    try:
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return False
    return True


def explain(error: Exception) -> tuple[str, str]:
    """Reason and remedy of an error that NVML, or talking to it, has raised."""
    import pynvml

    for name, (reason, remedy) in _REMEDIES.items():
        if getattr(error, "value", None) == getattr(pynvml, f"NVML_ERROR_{name}"):
            return reason, remedy
    if isinstance(error, pynvml.NVMLError):
        return f"NVML error: {error}", "nvidia-smi"
    return f"it failed: {type(error).__name__}: {error}", "nvidia-smi"
