"""The devices a job may be forecast on: named ones of the catalog, and those of this machine."""

from dataclasses import replace

from ..errors import UnknownHardwareError
from ..forecasting.physical.device import Device
from ..hardware.catalog.cpus import CpuModel, family_of, find_cpu, nearest_in_family, typical_family
from ..hardware.catalog.gpus import find_gpu, gpu_variants
from ..hardware.environment import Environment


def gpus_named(name: str) -> tuple[Device, ...]:
    """The GPU of that name; where it is not exact, all that share it, the most powerful first.

    Raises `UnknownHardwareError`, with the nearest names.
    """
    boards = sorted(gpu_variants(name), key=lambda gpu: (-gpu.tdp_w, -gpu.memory_gb))
    return tuple(Device.of_gpu(board) for board in boards)


def gpu_here(environment: Environment) -> tuple[int, Device] | None:
    """The first visible GPU of this machine and its index in the driver, None where it has none.

    Its power limit is the one set in the driver. Raises `UnknownHardwareError` where the catalog
    does not have it.
    """
    for gpu in environment.gpus:
        if gpu.visible and gpu.name:
            device = Device.of_gpu(find_gpu(gpu.name))
            return gpu.index, replace(device, power_limit_w=gpu.power_limit_w)
    return None


def cpu_named(name: str) -> Device:
    """A whole CPU of the catalog. Raises `UnknownHardwareError`, with the nearest names."""
    return Device.of_cpu(find_cpu(name))


def cpu_here(environment: Environment) -> Device:
    """The CPUs that this process may use.

    A model whose name is hidden is replaced by one of its family. The notes report which part of
    the processor is counted, and what replaces a hidden name.
    """
    cpu = environment.cpu
    try:
        model, hidden = find_cpu(cpu.name or ""), False
    except UnknownHardwareError:
        model, hidden = _by_family(environment), True
    threads = environment.effective_cpus or float(model.threads)
    memory = environment.effective_memory_bytes
    device = Device.of_cpu(
        model,
        cores=max(1.0, threads / (model.threads / model.cores)),
        memory_gb=None if memory is None else memory / 1e9,
    )
    name = cpu.name or model.name
    if threads < model.threads:
        whose = "host threads" if environment.is_virtual else "threads of the processor"
        part = f"{name}: {threads:g} of {model.threads} {whose} are counted"
        device = replace(device, notes=(*device.notes, part))
    if not hidden:
        return device
    note = f"{cpu.name or 'this CPU'} is treated as a {model.name}: its own name is unknown"
    return replace(device, name=name, notes=(*device.notes, note))


def _by_family(environment: Environment) -> CpuModel:
    cpu = environment.cpu
    server = bool(environment.is_virtual) or (cpu.threads or 0) >= 32
    family = family_of(cpu.microarchitecture, cpu.name or "", cpu.codename)
    family = family or typical_family(server)
    like = nearest_in_family(family, family.cores)
    if like is not None:
        return like
    threads = family.cores * (2 if family.smt else 1)
    tdp_w = family.uncore_w + family.full_w_per_core * family.cores
    return CpuModel(family.name, tdp_w, family.cores, threads, family.name, family.source)
