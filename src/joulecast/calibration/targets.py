"""The devices of this machine that can be calibrated: as torch names them, and as the meters do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import UnknownHardwareError, UsageError
from ..forecasting.physical.device import Device
from ..hardware.catalog.gpus import find_gpu
from ..hardware.detect.gpu import DetectedGpu
from ..hardware.environment import Environment
from .devices import cpu_here


@dataclass(frozen=True, slots=True)
class Target:
    """A device to calibrate: its names, and its facts."""

    device: str  # as the meters' domains and `--device` have it: "cpu", "gpu:0"
    torch: str  # as torch counts what is visible to it: "cpu", "cuda:0"
    facts: Device

    @property
    def domains(self) -> str:
        """Whose power is its own: `gpu:0`, or all of a family: `cpu:`."""
        return "cpu:" if self.device == "cpu" else self.device


def targets(
    torch: Any,
    environment: Environment,
    only: str | None = None,
    left_out: Callable[[str], None] = lambda why: None,
) -> list[Target]:
    """Each GPU that torch can use, then the CPU; the one named, if one is.

    A GPU that the catalog does not know is `left_out`, with the reason; that raises
    `UnknownHardwareError` where it is the one named. Raises `UsageError` for a name that is none.
    """
    found: list[Target] = []
    names = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        seen = torch.cuda.get_device_properties(number)
        gpu = _driver_gpu(environment, number, str(getattr(seen, "uuid", "")))
        name = f"gpu:{number if gpu is None else gpu.index}"
        names.append(name)
        if only not in (None, name):
            continue
        try:
            model = find_gpu(gpu.name if gpu is not None and gpu.name else str(seen.name))
        except UnknownHardwareError as error:
            if only == name:
                raise
            left_out(f"{name} is left out: {error}")
            continue
        found.append(Target(name, f"cuda:{number}", Device.of_gpu(model)))
    if only in (None, "cpu"):
        found.append(Target("cpu", "cpu", cpu_here(environment)))
    if not found:
        raise UsageError(f"--device {only}: there is {', '.join([*names, 'cpu'])} here")
    return found


def _driver_gpu(environment: Environment, number: int, uuid: str) -> DetectedGpu | None:
    """The GPU that torch counts as `number`: by its UUID, else by its place among those visible."""
    visible = [gpu for gpu in environment.gpus if gpu.visible]
    for gpu in visible:
        if uuid and (gpu.uuid or "").lower().endswith(uuid.lower()):
            return gpu
    return visible[number] if number < len(visible) else None
