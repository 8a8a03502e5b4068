"""The meters of this machine, for this run; what cannot be read, why, and what to do.

The environment variable `JOULECAST_REPLAY=trace.csv[:domain[:speed]]` puts a recorded power trace
instead of all sensors (`JOULECAST_REPLAY=a100.csv:gpu:0:10`): for demonstrations and tests.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from ..errors import BadInputError
from ..hardware.environment import Environment
from .amd import find_amd
from .apple import find_apple
from .base import Unavailable
from .cpu_model import cpu_model_meter
from .cpu_time import CpuTime
from .nvml_discovery import find_nvml
from .ram_model import RamModelMeter
from .rapl import find_rapl
from .replay import ReplayMeter
from .sensor import Clock, Discovery
from .share import ShareMeter

Scope = Literal["process", "machine"]

_REPLAY = re.compile(
    r"(?P<path>.+?)(?::(?P<domain>node|[a-z]+:\d+))?(?::(?P<speed>\d+(?:\.\d*)?|\.\d+))?"
)


def discover(
    scope: str,
    clock: Clock,
    env: Mapping[str, str] | None = None,
    root: Path = Path("/"),
    *,
    cpu_time: CpuTime,
    environment: Environment | None = None,
) -> Discovery:
    """The meters of this machine, opened, at most one for each domain. Never raises.

    In scope "process" the GPUs are those visible to the run, and the processor's and the memory's
    energy is the share of the run's process tree; in scope "machine" all of it is the run's.

    Args:
        scope: "process" or "machine".
        clock: gives the instants of the readings.
        env: the variables of the run's environment.
        root: of the file system.
        cpu_time: follows the run's process tree; None's for the whole machine.
        environment: what the machine is; detected where it is not given.
    """
    env = os.environ if env is None else env
    if replay := env.get("JOULECAST_REPLAY"):
        return _replayed(replay, clock)
    discovery = Discovery()
    if environment is None:
        environment = Environment.detect(root, env)
    machine: Environment = environment
    nvidia_gpus = sum(gpu.vendor == "NVIDIA" for gpu in machine.gpus)
    for domain, source, find in (
        ("gpu (nvidia)", "NVML", lambda: find_nvml(clock, env, scope, own_pids, root)),
        ("gpu (amd)", "amdsmi", lambda: find_amd(clock, env, scope, root, nvidia_gpus)),
    ):
        _attempt(domain, source, find, discovery)
    if _has(discovery, "module:"):
        # Its counter includes the processor and the memory.
        return discovery
    _attempt("cpu", "sensors", lambda: _sensors(scope, clock, root, cpu_time, machine), discovery)
    whose: Scope = "process" if scope == "process" else "machine"
    for family, source, model in (
        ("cpu:", "CPU model", _cpu_model),
        ("dram:", "RAM model", _ram_model),
    ):
        for domain, part in _unread(discovery, family):
            build = partial(model, domain, part, whose, cpu_time, machine)
            _attempt(domain, source, build, discovery)
    return discovery


def _attempt(domain: str, source: str, find: Callable[[], Discovery], found: Discovery) -> None:
    """Lists a failure as unavailable: drivers, libraries and kernels may raise anything."""
    try:
        found.add(find())
    except Exception as error:
        reason = f"it failed: {type(error).__name__}: {error}"
        found.unavailable.append(Unavailable(domain, source, reason, ""))


def _unread(found: Discovery, family: str) -> list[tuple[str, float]]:
    """The domains of a family to be modelled, and the part of the machine that each one is."""
    reasons = {u.domain: u.reason for u in found.unavailable if u.domain.startswith(family)}
    read = sum(meter.source.domain.startswith(family) for meter in found.meters)
    if read:
        found.warnings += [f"{domain} is modelled: {reason}" for domain, reason in reasons.items()]
    domains = list(reasons) or ([] if read else [f"{family}0"])
    return [(domain, 1 / (read + len(domains))) for domain in domains]


def _has(found: Discovery, family: str) -> bool:
    return any(meter.source.domain.startswith(family) for meter in found.meters)


def own_pids() -> set[int]:
    """This process and all that it has started, by process id."""
    import psutil

    try:
        children = psutil.Process().children(recursive=True)
    except psutil.Error:
        children = []
    return {os.getpid(), *(child.pid for child in children)}


def _sensors(
    scope: str, clock: Clock, root: Path, cpu_time: CpuTime, environment: Environment
) -> Discovery:
    """RAPL's or Apple's counters; the processor's and memory's split in scope "process"."""
    discovery = find_apple(clock)
    if not discovery.meters and not discovery.unavailable:
        powercap = root / "sys/class/powercap"
        is_vm = environment.is_virtual is True
        discovery = find_rapl(clock, powercap, environment.cpu.name or "", is_vm)
        dram_is_listed = any(u.domain.startswith("dram:") for u in discovery.unavailable)
        if _has(discovery, "cpu:") and not _has(discovery, "dram:") and not dram_is_listed:
            reason = "this processor counts no memory energy; assumed by size instead"
            discovery.unavailable.append(Unavailable("dram:0", "RAPL", reason, ""))
    if scope == "process":
        discovery.meters = [
            meter if meter.source.domain.startswith("gpu:") else ShareMeter(meter, cpu_time)
            for meter in discovery.meters
        ]
    return discovery


def _cpu_model(
    domain: str, part: float, scope: Scope, cpu_time: CpuTime, environment: Environment
) -> Discovery:
    cpu, is_virtual = environment.cpu, environment.is_virtual is True
    if part < 1:
        cores, threads = (n and round(n * part) for n in (cpu.cores, cpu.threads))
        cpu = replace(cpu, sockets=1, cores=cores, threads=threads)
    return Discovery(
        [cpu_model_meter(cpu_time, cpu, is_virtual=is_virtual, scope=scope, domain=domain)]
    )


def _ram_model(
    domain: str, part: float, scope: Scope, cpu_time: CpuTime, environment: Environment
) -> Discovery:
    memory = environment.host.ram_bytes
    if memory is None:
        reason = "the size of the memory is unknown"
        return Discovery(unavailable=[Unavailable(domain, "RAM model", reason, "", True)])
    # A guest's modules are made up.
    modules = None if environment.is_virtual else environment.host.memory_modules
    return Discovery([RamModelMeter(memory, cpu_time, scope, domain, part, modules)])


def _replayed(text: str, clock: Clock) -> Discovery:
    match = _REPLAY.fullmatch(text)
    path, domain, speed = match.group("path", "domain", "speed") if match else (text, None, None)
    domain = domain or "gpu:0"
    try:
        return Discovery([ReplayMeter(path, clock, float(speed or 1), domain)])
    except BadInputError as error:
        remedy = "JOULECAST_REPLAY=trace.csv[:domain[:speed]]"
        return Discovery(unavailable=[Unavailable(domain, "replay", str(error), remedy)])
