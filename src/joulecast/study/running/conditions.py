"""Rest between trials: by time, and until the GPUs have cooled down."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence

from ...hardware.detect.visible_devices import visible_gpus
from ...units import format_duration
from ..model import Conditions

LOOK_S = 1.0  # between two looks at the temperatures


def cool_down(
    conditions: Conditions,
    temperatures: Callable[[], Sequence[float] | None],
    wait: Callable[[float], bool],
    say: Callable[[str], None],
) -> float:
    """Rest as the plan asks; the seconds it took.

    Args:
        conditions: of the plan.
        temperatures: of the GPUs now, degrees Celsius; None where none can be read.
        wait: for so many seconds; True where the study is to stop.
        say: what was not as asked.
    """
    rested = conditions.cool_down_s
    if rested and wait(rested):
        return rested
    wanted = conditions.cool_to_c
    if wanted is None:
        return rested
    while True:
        now = temperatures()
        if not now:
            say("no GPU's temperature can be read: it is not waited for")
            return rested
        if max(now) <= wanted:
            return rested
        if rested >= conditions.cool_longest_s:
            say(
                f"after {format_duration(rested)} a GPU is still at {max(now):g} °C, above "
                f"{wanted:g} °C: the next trial starts warm"
            )
            return rested
        left = conditions.cool_longest_s - rested
        if wait(min(LOOK_S, left)):
            return rested
        rested += min(LOOK_S, left)


def gpu_temperatures(env: Mapping[str, str]) -> list[float] | None:
    """Of each NVIDIA GPU visible to a run, degrees Celsius (NVML); None where none is told."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except Exception:  # no driver, or half of one, which raises more than NVMLError
        return None
    found: list[float] = []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        uuids = [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        for index in visible_gpus(env, uuids, {}).indices:
            with contextlib.suppress(pynvml.NVMLError):
                sensor = pynvml.NVML_TEMPERATURE_GPU
                found.append(float(pynvml.nvmlDeviceGetTemperature(handles[index], sensor)))
    except pynvml.NVMLError:
        return None
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return [t for t in found if math.isfinite(t)] or None
