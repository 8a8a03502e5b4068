"""One NVIDIA GPU, through NVML (https://docs.nvidia.com/deploy/nvml-api/) and nvidia-ml-py.

`nvml_power` decides what is read for its energy, `nvml_figures` has its other figures.
"""

import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import MeterLostError
from .base import DeviceFigure
from .gpu_meter import Card, GpuMeter, Pids
from .nvml_figures import figures
from .nvml_power import choose, twice
from .sensor import Clock

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


def open_nvml(index: int, clock: Clock, device: str = "") -> GpuMeter:
    """The meter of one GPU, or of the module of a superchip.

    Holds one reference to NVML until it is closed. Raises `pynvml.NVMLError` or `MeterLostError`
    where the card reports neither its energy nor its power.
    """
    import pynvml

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        name = str(pynvml.nvmlDeviceGetName(handle))
        family, counter, power = choose(pynvml, handle, name)
        if not counter and not power:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        about = explain, partial(_figures, pynvml, handle), partial(_release, pynvml)
        card = Card(f"{family}:{index}", device or name, counter, power, *about)
        return GpuMeter(card, clock)
    except BaseException:
        _release(pynvml)
        raise


def _release(nvml: Any) -> None:
    # Somebody else may have shut NVML down: nothing is left to release then.
    with contextlib.suppress(nvml.NVMLError):
        nvml.nvmlShutdown()


def _figures(nvml: Any, handle: Any, scope: str, pids: Pids) -> list[DeviceFigure]:
    return [_explained(nvml, figure) for figure in figures(nvml, handle, scope, pids)]


def _explained(nvml: Any, figure: DeviceFigure) -> DeviceFigure:
    def ask() -> float | None:
        try:
            return twice(nvml, figure.ask)
        except Exception as error:
            # A half-installed driver raises more than NVMLError.
            raise MeterLostError(explain(error)[0]) from error

    # A reference of its own: the thread of the gauges may still read when the meters close.
    # Where it fails, so does `ask`.
    with contextlib.suppress(nvml.NVMLError):
        nvml.nvmlInit()
    return replace(figure, ask=ask, close=partial(_release, nvml))


def explain(error: Exception) -> tuple[str, str]:
    """Reason and remedy of an error that NVML, or talking to it, has raised."""
    import pynvml

    for name, (reason, remedy) in _REMEDIES.items():
        if getattr(error, "value", None) == getattr(pynvml, f"NVML_ERROR_{name}"):
            return reason, remedy
    if isinstance(error, pynvml.NVMLError):
        return f"NVML error: {error}", "nvidia-smi"
    return f"it failed: {type(error).__name__}: {error}", "nvidia-smi"
