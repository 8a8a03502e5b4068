"""Pauses between trials: a fixed time, and until the GPUs have cooled down."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence

from ...hardware.detect.visible_devices import visible_gpus
from ...ledger.study_model import Conditions
from ...units import format_duration

# Temperatures are polled once in so many seconds.
POLL_S = 1.0


def cool_down(
    conditions: Conditions,
    temperatures: Callable[[], Sequence[float] | None],
    wait: Callable[[float], bool],
    message: Callable[[str], None],
) -> float:
    """Pause as the plan asks; returns for how long, s.

    Args:
        conditions: of the plan.
        temperatures: of the GPUs now, degrees Celsius; None where none can be read.
        wait: waits for so many seconds; returns True where the study is to stop.
        message: receives warnings.
    """
    paused_s = conditions.cool_down_s
    if paused_s and wait(paused_s):
        return paused_s
    wanted = conditions.cool_to_c
    if wanted is None:
        return paused_s
    while True:
        now = temperatures()
        if not now:
            message("no GPU temperature can be read: the next trial starts without waiting")
            return paused_s
        if max(now) <= wanted:
            return paused_s
        if paused_s >= conditions.cool_longest_s:
            message(
                f"after {format_duration(paused_s)} a GPU is still at {max(now):g} °C, above "
                f"{wanted:g} °C: the next trial starts warm"
            )
            return paused_s
        step_s = min(POLL_S, conditions.cool_longest_s - paused_s)
        if wait(step_s):
            return paused_s
        paused_s += step_s


def gpu_temperatures(env: Mapping[str, str]) -> list[float] | None:
    """Of each NVIDIA GPU visible to a run, degrees Celsius (NVML); None where none can be read."""
    import pynvml

    try:
        pynvml.nvmlInit()
    # Without a driver, or with a broken one, more than NVMLError is raised.
    except Exception:
        return None
    temperatures: list[float] = []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        uuids = [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        for index in visible_gpus(env, uuids, {}).indices:
            with contextlib.suppress(pynvml.NVMLError):
                sensor = pynvml.NVML_TEMPERATURE_GPU
                temperatures.append(float(pynvml.nvmlDeviceGetTemperature(handles[index], sensor)))
    except pynvml.NVMLError:
        return None
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return [t for t in temperatures if math.isfinite(t)] or None
