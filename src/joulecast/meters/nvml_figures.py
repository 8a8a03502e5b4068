"""The figures of an NVIDIA GPU that are not energy.

nvmlDeviceGetUtilizationRates gives the percentage of the past sample period (1/6 s to 1 s, by card)
in which a kernel ran, however little of the card it filled; nvmlDeviceGetTemperature degrees of the
die; nvmlDeviceGetMemoryInfo_v2 what all processes have allocated, and
nvmlDeviceGetComputeRunningProcesses what each has, where the driver reports it. Power of the memory
is there on Hopper and later, smoothing and profiles of power on Blackwell and later.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from .base import DeviceFigure
from .gpu_meter import Pids
from .nvml_power import field_value, power_field

# Bits of nvmlClocksEventReasons.
_THROTTLED_BY = {"power": 0x4 | 0x80, "heat": 0x20 | 0x40, "hardware": 0x8}
# NVML_FI_PWR_SMOOTHING_ENABLED, which nvidia-ml-py has since 12.570.
_SMOOTHING = 251


def figures(nvml: Any, handle: Any, scope: str, pids: Pids) -> list[DeviceFigure]:
    """All that a card may have; those that only some have are optional.

    In scope "process" memory is that of the processes `pids` where the driver reports it, and
    that of the whole device in addition; in scope "machine" only the latter.
    """
    listed: list[DeviceFigure] = []

    def add(name: str, unit: str, text: str, ask: Callable[[], float | None], some: bool) -> None:
        listed.append(DeviceFigure(name, unit, f"NVML, {text}", ask, is_optional=some))

    def clock_hz(clock: int) -> float:
        return float(nvml.nvmlDeviceGetClockInfo(handle, clock)) * 1e6

    def utilization() -> float:
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)

    def temperature() -> float:
        return float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))

    def memory_power() -> float:
        return power_field(nvml, handle, "AVERAGE", nvml.NVML_POWER_SCOPE_MEMORY)

    def smoothing() -> float:
        return 100 * field_value(nvml, handle, _SMOOTHING, 0)

    add("utilization_pct", "%", "time in which a kernel ran", utilization, False)
    whole = "memory_bytes"
    if scope == "process":
        own = partial(_memory_of_processes, nvml, handle, pids)
        add("memory_bytes", "B", "of the run's own processes", own, False)
        whole = "device_memory_bytes"
    add(whole, "B", "of the whole device", partial(_memory_of_device, nvml, handle), False)
    add("temperature_c", "°C", "of the die", temperature, False)
    add("sm_clock_hz", "Hz", "of its processors", partial(clock_hz, nvml.NVML_CLOCK_SM), True)
    add("memory_clock_hz", "Hz", "of its memory", partial(clock_hz, nvml.NVML_CLOCK_MEM), True)
    for by, bits in _THROTTLED_BY.items():
        ask = partial(_throttled, nvml, handle, bits)
        add(f"throttled_by_{by}_pct", "%", "time in which its clocks were held down", ask, True)
    add("memory_power_w", "W", "of its memory, mean of 1 s", memory_power, True)
    add("power_smoothing_pct", "%", "time in which it smoothed its power", smoothing, True)
    profile = partial(_profile, nvml, handle)
    add("power_profile", "", "number of the profile in force", profile, True)
    return listed


def _throttled(nvml: Any, handle: Any, bits: int) -> float:
    try:
        reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except nvml.NVMLError_FunctionNotFound:
        # Its name in drivers before 535.
        reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return 100.0 if reasons & bits else 0.0


def _profile(nvml: Any, handle: Any) -> float | None:
    """The enforced one with the lowest number (`NVML_POWER_PROFILE_...`), None without one."""
    profiles = nvml.c_nvmlWorkloadPowerProfileCurrentProfiles_v1_t()
    nvml.nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(handle, nvml.byref(profiles))
    words = profiles.enforcedProfilesMask.mask
    return next((float(i) for i in range(255) if words[i // 32] >> i % 32 & 1), None)


def _memory_of_device(nvml: Any, handle: Any) -> float:
    # Version 2 excludes what the driver reserves for itself; old drivers lack it.
    try:
        return float(nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2).used)
    except nvml.NVMLError_FunctionNotFound:
        return float(nvml.nvmlDeviceGetMemoryInfo(handle).used)


def _memory_of_processes(nvml: Any, handle: Any, pids: Pids) -> float | None:
    """What the run's processes have; None where the driver names none of them or not how much."""
    named = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    mine = pids() if named else ()
    parts = [process.usedGpuMemory for process in named if process.pid in mine]
    return float(sum(parts)) if parts and None not in parts else None
