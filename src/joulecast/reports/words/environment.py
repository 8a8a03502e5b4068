"""The environment of a run as rows for people."""

import json
from collections.abc import Mapping
from typing import Any

from ...errors import BadInputError
from ...hardware.detect.gpu import DetectedGpu
from ...hardware.environment import Environment
from ...units import counted, format_quantity

Rows = list[tuple[str, str]]


def environment_rows(environment: Mapping[str, Any]) -> Rows:
    """All facts as (label, text), without unknown ones.

    An environment of another shape, from another program, is shown as its JSON.
    """
    try:
        machine = Environment.from_json(environment)
    except BadInputError:
        return [(str(key), json.dumps(value)) for key, value in environment.items() if value]
    rows = [
        *_gpus(machine),
        ("CPU", _cpu(machine)),
        ("Memory", _bytes(machine.host.ram_bytes)),
        ("Machine", _machine(machine)),
        ("Container", _container(machine)),
        ("System", _system(machine)),
        ("Drivers", _drivers(machine)),
        ("Software", _software(machine)),
        *(("Note", note) for note in machine.notes),
    ]
    return [(label, text) for label, text in rows if text]


def brief(environment: Mapping[str, Any], limit: int = 6) -> Rows:
    """The rows that identify a machine."""
    return [row for row in environment_rows(environment) if row[0] != "Note"][:limit]


def _gpus(environment: Environment) -> Rows:
    """A row for each kind of GPU; GPUs that are hidden from the run have their own."""
    kinds: dict[str, list[DetectedGpu]] = {}
    for gpu in environment.gpus:
        kinds.setdefault(_gpu(gpu), []).append(gpu)
    rows = []
    for text, members in kinds.items():
        count = f"{len(members)} x " if len(members) > 1 else ""
        rows.append(("GPU", f"{count}{text}"))
    if environment.gpus_restricted_by:
        rows.append(("GPUs visible", f"restricted by {environment.gpus_restricted_by}"))
    return rows


def _gpu(gpu: DetectedGpu) -> str:
    return _list(
        gpu.name or f"{gpu.vendor} GPU, name unknown",
        _bytes(gpu.memory_bytes),
        gpu.power_limit_w and f"limit {format_quantity(gpu.power_limit_w, 'W')}",
        gpu.compute_capability and f"compute capability {gpu.compute_capability}",
        gpu.mig and "MIG on",
        not gpu.visible and "hidden from this run",
    )


def _cpu(environment: Environment) -> str:
    cpu = environment.cpu
    fewer = cpu.usable_threads is not None and cpu.usable_threads != cpu.threads
    return _list(
        cpu.name,
        cpu.microarchitecture and _joined(cpu.microarchitecture, cpu.codename),
        cpu.sockets and cpu.sockets > 1 and f"{cpu.sockets} sockets",
        cpu.cores and counted(cpu.cores, "core"),
        cpu.threads and counted(cpu.threads, "thread"),
        fewer and f"{cpu.usable_threads} of them usable",
        environment.limits.cpus and f"limited to {environment.limits.cpus:g} CPUs",
    )


def _joined(microarchitecture: str, codename: str | None) -> str:
    return f"{microarchitecture} ({codename})" if codename else microarchitecture


def _machine(environment: Environment) -> str:
    m = environment.machine
    virtual = m.virtual and (f"virtual, on {m.hypervisor}" if m.hypervisor else "virtual")
    bare = m.virtual is False and "bare metal"
    return _list(m.cloud, m.instance_type, m.vendor, m.product, m.chassis, virtual, bare)


def _container(environment: Environment) -> str:
    if environment.container is None:
        return ""
    limit = environment.limits.memory_bytes
    return _list(environment.container, limit and f"memory limited to {_bytes(limit)}")


def _system(environment: Environment) -> str:
    host = environment.host
    name = " ".join(filter(None, (host.os, host.os_version)))
    return _list(name, host.kernel and f"kernel {host.kernel}", host.architecture)


def _drivers(environment: Environment) -> str:
    s = environment.software
    return _list(
        s.nvidia_driver and f"NVIDIA {s.nvidia_driver}",
        s.cuda_driver and f"serves CUDA {s.cuda_driver}",
        s.cuda_runtime and f"CUDA runtime {s.cuda_runtime}",
        s.rocm_runtime and f"ROCm runtime {s.rocm_runtime}",
    )


def _software(environment: Environment) -> str:
    s = environment.software
    packages = (f"{name} {version}" for name, version in s.packages.items())
    return _list(s.python and f"Python {s.python}", *packages)


def _bytes(count: float | None) -> str:
    return "" if count is None else format_quantity(float(count), "B")


def _list(*parts: str | float | bool | None) -> str:
    """Several parts with commas; falsy ones are left out."""
    return ", ".join(str(part) for part in parts if part)
