"""The devices of this machine that can be calibrated, as torch and as the meters name them."""

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
    """A device to calibrate.

    Attributes:
        device: as the meters' domains and `--device` name it: `"cpu"`, `"gpu:0"`.
        torch: as torch counts the visible devices: `"cpu"`, `"cuda:0"`.
        facts: what the catalog knows of it.
    """

    device: str
    torch: str
    facts: Device

    @property
    def domains(self) -> str:
        """The domains whose power is its own: `gpu:0`, or all that start with `cpu:`."""
        return "cpu:" if self.device == "cpu" else self.device


def targets(
    torch: Any,
    environment: Environment,
    only: str | None = None,
    left_out: Callable[[str], None] = lambda reason: None,
) -> list[Target]:
    """Each GPU that torch can use, then the CPU.

    Args:
        torch: the package.
        environment: of this machine.
        only: name of the single device to return.
        left_out: is called with the reason for each GPU that the catalog does not have.

    Raises:
        UsageError: `only` is not a device of this machine.
        UnknownHardwareError: the catalog does not have the GPU `only`.
    """
    gpus = _torch_gpus(torch, environment)
    chosen: list[Target] = []
    for number, (name, model) in enumerate(gpus):
        if only not in (None, name):
            continue
        try:
            chosen.append(Target(name, f"cuda:{number}", Device.of_gpu(find_gpu(model))))
        except UnknownHardwareError as error:
            if only == name:
                raise
            left_out(f"{name} is left out: {error}")
    if only in (None, "cpu"):
        chosen.append(Target("cpu", "cpu", cpu_here(environment)))
    if not chosen:
        names = ", ".join([*(name for name, _ in gpus), "cpu"])
        raise UsageError(f"--device {only}: this machine has {names}")
    return chosen


def _torch_gpus(torch: Any, environment: Environment) -> list[tuple[str, str]]:
    """The name as a domain, and the model, of each GPU in torch's order."""
    gpus = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(number)
        gpu = _driver_gpu(environment, number, str(getattr(properties, "uuid", "")))
        index, model = (number, None) if gpu is None else (gpu.index, gpu.name)
        gpus.append((f"gpu:{index}", model or str(properties.name)))
    return gpus


def _driver_gpu(environment: Environment, number: int, uuid: str) -> DetectedGpu | None:
    """The GPU that torch counts as `number`: by its UUID, else by its position."""
    visible = [gpu for gpu in environment.gpus if gpu.visible]
    for gpu in visible:
        if uuid and (gpu.uuid or "").lower().endswith(uuid.lower()):
            return gpu
    return visible[number] if number < len(visible) else None
