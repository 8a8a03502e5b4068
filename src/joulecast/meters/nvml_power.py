"""The ways to read energy and power of one NVIDIA card, and the choice between them.

The energy counter is read where the card has one (Volta and later), and checked against the mean
power over one second (`NVML_FI_DEV_POWER_AVERAGE`). Cards without a counter are integrated from
their instantaneous power (`NVML_FI_DEV_POWER_INSTANT`). Drivers that lack these fields have only
nvmlDeviceGetPowerUsage: the mean over one second on Ampere and later, except on GA100.

On superchips (GH200, GB200, GB300) the counter covers the module, CPU and memory included
(ml-energy/zeus pull request 172): the GPU's own power is integrated instead. A driver that does not
report that gives the domain `module:N`. GB10's counter covers the GPU alone, as its power does.
"""

import contextlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .base import Uncertainty
from .gpu_meter import GpuSensor

T = TypeVar("T")

# Of the energy counter and of power, as observed (20 to 100 ms by card): arXiv 2312.02741.
PERIOD_S = 0.1
_ORIGIN = "(NVML reference; Yang et al. 2023, arXiv 2312.02741)"
# Each card has a gain and an offset of its own, which hold for all loads (the same paper): what
# remains is assumed.
COUNTER = Uncertainty(0.05, 0.05, f"±5 %, the board's power sensor {_ORIGIN}", own=0.02)
POWER = Uncertainty(
    *(0.10, 0.10),
    "±10 % assumed: ±5 % of the sensor (NVML reference) and as much again because it is sampled"
    " (Yang et al. 2023, arXiv 2312.02741)",
)

_SUPERCHIP = re.compile(r"\bG[HB]\d00\b")
_GA100 = (8, 0)


def choose(nvml: Any, handle: Any, name: str) -> tuple[str, GpuSensor | None, GpuSensor | None]:
    """The best way to read a card: `gpu` or `module`, its counter, and the power that checks it.

    Without a counter power is read. Raises `pynvml.NVMLError` where a card has neither.
    """
    gpu, module = nvml.NVML_POWER_SCOPE_GPU, nvml.NVML_POWER_SCOPE_MODULE
    instant = _field(nvml, handle, "INSTANT", gpu)
    mean = _field(nvml, handle, "AVERAGE", gpu)
    of_module = _field(nvml, handle, "AVERAGE", module)
    counter, own = _counter(nvml, handle), instant or mean
    # Cards that are no superchip may report a module, too: theirs has no link to a processor.
    is_linked = of_module and _answer(nvml, partial(_has_c2c, nvml, handle))
    if _SUPERCHIP.search(name) or is_linked:
        return ("gpu", None, own) if own else ("module", counter, of_module)
    if counter:
        return "gpu", counter, mean or _plain(nvml, handle)
    # Where there is none, the driver's own error is raised.
    nvml.nvmlDeviceGetPowerUsage(handle)
    return "gpu", None, instant or _plain(nvml, handle)


def twice(nvml: Any, ask: Callable[..., T], *arguments: Any) -> T:
    """A driver may be busy for a moment, so it is asked twice."""
    with contextlib.suppress(nvml.NVMLError):
        return ask(*arguments)
    return ask(*arguments)


def field_value(nvml: Any, handle: Any, field: int, scope: int) -> float:
    """The value of a field. Raises `pynvml.NVMLError` where the card does not have it."""
    (answer,) = nvml.nvmlDeviceGetFieldValues(handle, [(field, scope)])
    if answer.nvmlReturn != nvml.NVML_SUCCESS:
        raise nvml.NVMLError(answer.nvmlReturn)
    # The members of the union have the order of the types.
    member = type(answer.value)._fields_[answer.valueType][0]
    return float(getattr(answer.value, member))


def power_field(nvml: Any, handle: Any, name: str, scope: int) -> float:
    """Watts of the field `NVML_FI_DEV_POWER_name`. Raises `pynvml.NVMLError`."""
    return field_value(nvml, handle, getattr(nvml, f"NVML_FI_DEV_POWER_{name}"), scope) * 1e-3


def _field(nvml: Any, handle: Any, name: str, scope: int) -> GpuSensor | None:
    read_w = partial(twice, nvml, power_field, nvml, handle, name, scope)
    # Some drivers answer with 0 for a scope that the card does not have.
    return _sensor(read_w, name == "AVERAGE") if _answer(nvml, read_w) else None


def _sensor(read_w: Callable[[], float], is_mean: bool) -> GpuSensor:
    text = f"NVML power, integrated ({'mean of 1 s' if is_mean else 'instantaneous'})"
    return GpuSensor(read_w, text, 1.0 if is_mean else PERIOD_S, POWER)


def _counter(nvml: Any, handle: Any) -> GpuSensor | None:
    read = partial(twice, nvml, nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    # Drivers return the largest number in place of a count that they do not have.
    if not 0 < (_answer(nvml, read) or 0) < 2**64 - 1:
        return None
    return GpuSensor(read, "NVML energy counter", PERIOD_S, COUNTER, unit_j=1e-3)


def _plain(nvml: Any, handle: Any) -> GpuSensor | None:
    """Its power without a name: the mean over 1 s since Ampere, except for GA100."""

    def read_w() -> float:
        return float(twice(nvml, nvml.nvmlDeviceGetPowerUsage, handle)) * 1e-3

    capability = _answer(nvml, partial(nvml.nvmlDeviceGetCudaComputeCapability, handle))
    is_mean = tuple(capability or ()) > _GA100
    return None if _answer(nvml, read_w) is None else _sensor(read_w, is_mean)


def _has_c2c(nvml: Any, handle: Any) -> bool:
    return bool(nvml.nvmlDeviceGetC2cModeInfoV(handle).isC2cEnabled)


def _answer(nvml: Any, ask: Callable[[], T]) -> T | None:
    """None where the driver raises an error."""
    with contextlib.suppress(nvml.NVMLError):
        return ask()
    return None
