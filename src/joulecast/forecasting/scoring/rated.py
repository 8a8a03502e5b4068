"""What the hardware that a recorded run was measured on is rated at, by the catalog."""

from __future__ import annotations

from ...errors import BadInputError, UnknownHardwareError
from ...hardware.catalog.cpus import find_cpu
from ...hardware.catalog.gpus import find_gpu
from ...hardware.environment import Environment
from ...meters.base import Source
from ...recording.model import Header
from .methods import Known

_GB = 1e9


def known_of(header: Header, utilization: float = 1.0) -> Known:
    """Rated power of the devices whose energy the run has, and the memory of its machine.

    Of a processor, the part of its threads that the machine holds counts: a virtual machine has
    some of them. One device that the catalog does not know leaves the power of all unknown.
    """
    try:
        environment = Environment.from_json(header.environment)
    except BadInputError:
        environment = Environment()
    watts = [_gpu_w(s) for s in header.sources if s.domain.startswith("gpu")]
    if any(s.domain.startswith("cpu") for s in header.sources):  # all sockets at once
        watts.append(_cpu_w(environment))
    rated = [w for w in watts if w is not None]
    memory = environment.effective_memory_bytes
    return Known(
        tdp_w=sum(rated) if rated and len(rated) == len(watts) else None,
        ram_gb=None if memory is None else memory / _GB,
        utilization=utilization,
    )


def _gpu_w(source: Source) -> float | None:
    try:
        return find_gpu(source.device).per_device().tdp_w
    except UnknownHardwareError:
        return None


def _cpu_w(environment: Environment) -> float | None:
    held = environment.effective_cpus
    if environment.cpu.name is None or held is None:
        return None
    try:
        cpu = find_cpu(environment.cpu.name)
    except UnknownHardwareError:
        return None
    return cpu.tdp_w * held / cpu.threads
