"""The environment of a run: the hardware and software it ran in, as plain data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from .. import serialize
from .detect.cgroup import Limits, detect_limits
from .detect.container import detect_container
from .detect.cpu import DetectedCpu, detect_cpu
from .detect.files import Tree
from .detect.gpu import DetectedGpu, GpuReport
from .detect.gpu_amd import detect_amd
from .detect.gpu_nvidia import detect_nvidia
from .detect.host import Host, detect_host
from .detect.interpreter import interpreter_of
from .detect.machine import Machine, detect_machine
from .detect.microarchitecture import arm_name
from .detect.software import Software, detect_software

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Environment:
    """Hardware and software of a machine. Unknown is None, and `notes` gives the reason."""

    host: Host = field(default_factory=Host)
    machine: Machine = field(default_factory=Machine)
    cpu: DetectedCpu = field(default_factory=DetectedCpu)
    gpus: tuple[DetectedGpu, ...] = ()
    # Environment variables that hide GPUs.
    gpus_restricted_by: str | None = None
    # For example "docker", "podman" or "kubernetes"; "none" outside one, None where it is unknown.
    container: str | None = None
    limits: Limits = field(default_factory=Limits)
    software: Software = field(default_factory=Software)
    notes: tuple[str, ...] = ()

    @classmethod
    def detect(cls, root: Path = Path("/"), env: Mapping[str, str] | None = None) -> Environment:
        """The machine whose files are under `root`, seen by a process with the variables `env`.

        Never raises: a part that fails stays unknown, with a note. Starts no process, sends
        nothing, imports no framework. Drivers' libraries are called only where `root` is "/".

        Args:
            root: the root folder; another one than "/" is for tests.
            env: environment variables that hide GPUs; those of this process by default.

        Examples:
            >>> environment = joulecast.Environment.detect()
            >>> environment.effective_cpus > 0
            True
        """
        env = os.environ if env is None else env
        notes: list[str] = []
        tree = Tree(root)
        if tree.live and sys.platform == "darwin":
            environment = _detect_mac(notes)
        else:
            environment = _detect_linux(tree, env, notes)
        return replace(environment, notes=tuple(notes))

    def of_program(self, program: str) -> Environment:
        """The same machine with the Python packages that `program` will import, not our own.

        Where the program's files do not show which, they are unknown, with a note.
        """
        interpreter = interpreter_of(program)
        if interpreter is None:
            why = f"packages: unknown, {Path(program).name} does not show which Python it runs"
            software = replace(self.software, python=None, packages={}, cuda_runtime=None)
            return replace(self, software=software, notes=(*self.notes, why))
        software = replace(
            detect_software(interpreter.packages),
            python=interpreter.version,
            nvidia_driver=self.software.nvidia_driver,
            cuda_driver=self.software.cuda_driver,
        )
        return replace(self, software=software)

    @property
    def effective_cpus(self) -> float | None:
        """CPU time per second that this process can get, in processors; None if unknown.

        The minimum of the logical processors, the affinity mask and the control groups' quota.
        """
        bounds = (self.cpu.threads, self.cpu.usable_threads, self.limits.cpus)
        return min((float(bound) for bound in bounds if bound is not None), default=None)

    @property
    def effective_memory_bytes(self) -> int | None:
        """Memory this process can get: the machine's, or the control groups' limit if lower."""
        bounds = (self.host.ram_bytes, self.limits.memory_bytes)
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def is_virtual(self) -> bool | None:
        """Whether this is a guest of a hypervisor; None if unknown."""
        return self.machine.virtual

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, as recordings keep them; inverse of `from_json`."""
        builtins: dict[str, Any] = serialize.to_builtins(self)
        return builtins

    @classmethod
    def from_json(cls, data: Any) -> Environment:
        """The environment of a recording, of this or another version of joulecast.

        Unknown fields are ignored and missing ones get their default.

        Raises:
            BadInputError: a value has the wrong type; the text names its key.
        """
        return serialize.read(data, cls, "environment")


def _attempt(what: str, notes: list[str], detect: Callable[[], T], otherwise: T) -> T:
    """What `detect` returns, `otherwise` with a note where it raises.

    Third-party libraries and unusual kernels may raise anything.
    """
    try:
        return detect()
    except Exception as error:
        notes.append(f"{what}: could not be detected: {type(error).__name__}: {error}")
        return otherwise


def _detect_linux(tree: Tree, env: Mapping[str, str], notes: list[str]) -> Environment:
    machine = _attempt("machine", notes, lambda: detect_machine(tree, notes), Machine())
    cpu = _attempt("CPU", notes, lambda: detect_cpu(tree, notes), DetectedCpu())
    nvidia = _attempt("gpu (nvidia)", notes, lambda: detect_nvidia(tree, env, notes), GpuReport())
    amd = _attempt("gpu (amd)", notes, lambda: detect_amd(tree, env, notes), GpuReport())
    software = _attempt("software", notes, detect_software, Software())
    restrictions = dict.fromkeys(filter(None, (nvidia.restricted_by, amd.restricted_by)))
    return Environment(
        host=_attempt("host", notes, lambda: detect_host(tree, notes), Host()),
        machine=machine,
        cpu=_name_arm_product(cpu, machine, notes),
        gpus=nvidia.gpus + amd.gpus,
        gpus_restricted_by=" ".join(restrictions) or None,
        container=_attempt("container", notes, lambda: detect_container(tree, env), None),
        limits=_attempt("limits", notes, lambda: detect_limits(tree, notes), Limits()),
        software=replace(software, nvidia_driver=nvidia.driver, cuda_driver=nvidia.cuda_driver),
    )


def _name_arm_product(cpu: DetectedCpu, machine: Machine, notes: list[str]) -> DetectedCpu:
    """Add the model name where one seller has one product with this core: ARM kernels show none."""
    if cpu.name or not cpu.microarchitecture:
        return cpu
    seller = machine.cloud or machine.vendor
    name = arm_name("arm_product", seller=seller, core=cpu.microarchitecture)
    if name is None:
        notes.append(f"CPU: its name is unknown; its cores are {cpu.microarchitecture}")
        return cpu
    return replace(cpu, name=name, codename=name)


def _detect_mac(notes: list[str]) -> Environment:
    from .detect.apple import apple_cpu, apple_gpu, apple_host, apple_machine, sysctl

    return Environment(
        host=_attempt("host", notes, lambda: apple_host(sysctl), Host()),
        machine=_attempt("machine", notes, lambda: apple_machine(sysctl), Machine()),
        cpu=_attempt("CPU", notes, lambda: apple_cpu(sysctl), DetectedCpu()),
        gpus=_attempt("gpu", notes, lambda: apple_gpu(sysctl, notes), GpuReport()).gpus,
        container="none",
        software=_attempt("software", notes, detect_software, Software()),
    )


def machine_of(environment: Mapping[str, Any]) -> dict[str, Any] | None:
    """What distinguishes a machine from others: its processor, its number of threads, its GPUs.

    All GPUs: one that is hidden from a process is in the machine still. None where it names neither
    processor nor GPU.
    """
    cpu = environment.get("cpu")
    cpu = cpu if isinstance(cpu, Mapping) else {}
    gpus = sorted(
        str(gpu.get("name")) for gpu in environment.get("gpus") or () if isinstance(gpu, Mapping)
    )
    if cpu.get("name") is None and not gpus:
        return None
    return {"cpu": cpu.get("name"), "threads": cpu.get("threads"), "gpus": gpus}


def machine_text(identity: Mapping[str, Any]) -> str:
    """The machine for people: `AMD EPYC 7763, 64 threads, 2 x NVIDIA A100`."""
    parts = [str(identity.get("cpu") or "unknown processor")]
    if identity.get("threads"):
        parts.append(f"{identity['threads']} threads")
    gpus = list(identity.get("gpus") or ())
    for name in dict.fromkeys(gpus):
        count = gpus.count(name)
        parts.append(name if count == 1 else f"{count} x {name}")
    return ", ".join(parts)
