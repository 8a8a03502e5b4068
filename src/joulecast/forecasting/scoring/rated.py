"""The ratings of the hardware that a recorded run was measured on, by the catalog."""

from ...errors import BadInputError, UnknownHardwareError
from ...hardware.catalog.cpus import find_cpu
from ...hardware.catalog.gpus import find_gpu
from ...hardware.environment import Environment
from ...recording.model import Header

_GB = 1e9


def ratings(header: Header) -> tuple[float | None, float | None]:
    """Rated power (W) of the devices whose energy the run has, and the memory (GB) of its machine.

    Of a processor, the threads that the machine has count, because a virtual machine has some of
    them. The power is None where the catalog lacks one device.
    """
    try:
        environment = Environment.from_json(header.environment)
    except BadInputError:
        environment = Environment()
    watts = [_gpu_w(s.device) for s in header.sources if s.domain.startswith("gpu")]
    # The rated power of the CPU is that of all its sockets.
    if any(s.domain.startswith("cpu") for s in header.sources):
        watts.append(_cpu_w(environment))
    rated = [w for w in watts if w is not None]
    memory = environment.effective_memory_bytes
    return (
        sum(rated) if rated and len(rated) == len(watts) else None,
        None if memory is None else memory / _GB,
    )


def _gpu_w(device: str) -> float | None:
    try:
        return find_gpu(device).per_device().tdp_w
    except UnknownHardwareError:
        return None


def _cpu_w(environment: Environment) -> float | None:
    threads = environment.effective_cpus
    if environment.cpu.name is None or threads is None:
        return None
    try:
        cpu = find_cpu(environment.cpu.name)
    except UnknownHardwareError:
        return None
    return cpu.tdp_w * threads / cpu.threads
