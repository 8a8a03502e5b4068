"""The environment of a run: the hardware and software it ran in, as plain data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadInputError
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
from .detect.microarchitecture import arm_product
from .detect.software import Software, detect_software

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Environment:
    """What a machine is, as far as it says. Unknown is None, and `notes` names the reason."""

    host: Host = field(default_factory=Host)
    machine: Machine = field(default_factory=Machine)
    cpu: DetectedCpu = field(default_factory=DetectedCpu)
    gpus: tuple[DetectedGpu, ...] = ()
    gpus_restricted_by: str | None = None  # the variables that hide GPUs, for people
    container: str | None = None  # "docker", "podman", "kubernetes", ...; "none"; None: unknown
    limits: Limits = field(default_factory=Limits)
    software: Software = field(default_factory=Software)
    notes: tuple[str, ...] = ()

    @classmethod
    def detect(cls, root: Path = Path("/"), env: Mapping[str, str] | None = None) -> Environment:
        """Look at the machine whose files are under `root`, from a process with variables `env`.

        Never raises: a part that fails is left unknown, with a note. Starts no process, sends
        nothing, imports no framework. Drivers' libraries are asked only where `root` is "/".
        """
        env = os.environ if env is None else env
        notes: list[str] = []
        tree = Tree(root)
        if tree.live and sys.platform == "darwin":
            found = _detect_mac(notes)
        else:
            found = _detect_linux(tree, env, notes)
        return replace(found, notes=tuple(notes))

    def of_program(self, program: str) -> Environment:
        """The same machine with the Python packages that `program` will see, not our own.

        Where its files do not tell them, they are left unknown, with a note.
        """
        found = interpreter_of(program)
        if found is None:
            why = f"packages: {Path(program).name} does not say which Python it runs, if any"
            software = replace(self.software, python=None, packages={}, cuda_runtime=None)
            return replace(self, software=software, notes=(*self.notes, why))
        seen = detect_software(found.packages)
        software = replace(
            self.software,
            python=found.version,
            packages=seen.packages,
            cuda_runtime=seen.cuda_runtime,
            rocm_runtime=seen.rocm_runtime,
        )
        return replace(self, software=software)

    @property
    def effective_cpus(self) -> float | None:
        """Processors' worth of CPU time this process can get; None if nothing is known.

        The least of the logical processors, the affinity mask and the control groups' quota.
        """
        bounds = (self.cpu.threads, self.cpu.usable_threads, self.limits.cpus)
        return min((float(bound) for bound in bounds if bound is not None), default=None)

    @property
    def effective_memory_bytes(self) -> int | None:
        """Memory this process can get: the machine's, or the control groups' limit if less."""
        bounds = (self.host.ram_bytes, self.limits.memory_bytes)
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def is_virtual(self) -> bool | None:
        """Whether this is a guest of a hypervisor; None where nothing tells."""
        return self.machine.virtual

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; inverse of `from_json`."""
        data = asdict(self)
        for gpu in data["gpus"]:
            gpu["mig_uuids"] = list(gpu["mig_uuids"])
        return data | {"gpus": list(data["gpus"]), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Environment:
        """Inverse of `to_json`. Fields it does not know are left out (a newer version's).

        Raises `BadInputError` where the data has another shape.
        """
        try:
            plain = {name: data.get(name) for name in ("gpus_restricted_by", "container")}
            return replace(
                _pick(cls, plain | {"notes": tuple(data.get("notes", ()))}),
                host=_pick(Host, data.get("host", {})),
                machine=_pick(Machine, data.get("machine", {})),
                cpu=_pick(DetectedCpu, data.get("cpu", {})),
                gpus=tuple(
                    _pick(DetectedGpu, {**gpu, "mig_uuids": tuple(gpu.get("mig_uuids", ()))})
                    for gpu in data.get("gpus", ())
                ),
                limits=_pick(Limits, data.get("limits", {})),
                software=_pick(Software, data.get("software", {})),
            )
        except (TypeError, AttributeError, ValueError) as error:
            raise BadInputError(
                f"this is not an environment as joulecast writes it: {error}"
            ) from None


_PLAIN: dict[str, Any] = {
    "None": type(None),
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
}


def _pick(cls: type[T], data: Mapping[str, Any]) -> T:
    """The fields of `cls` that the data holds. Raises ValueError where one is of another type."""
    kinds: dict[str, str] = {f.name: str(f.type) for f in fields(cls)}  # type: ignore[arg-type]
    known = {name: value for name, value in data.items() if name in kinds}
    for name, value in known.items():
        if not _fits(value, kinds[name]):
            raise ValueError(f"{name} is {value!r}, not {kinds[name]}")
    return cls(**known)


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, tuple):
        return kind == "tuple[str, ...]" and all(isinstance(item, str) for item in value)
    if isinstance(value, Mapping):
        texts = [*value.keys(), *value.values()]
        return kind == "dict[str, str]" and all(isinstance(item, str) for item in texts)
    return any(isinstance(value, _PLAIN.get(name, ())) for name in kind.split(" | "))


def _attempt(what: str, notes: list[str], look: Callable[[], T], otherwise: T) -> T:
    """The last line of "never raises": third-party libraries and odd kernels may do anything."""
    try:
        return look()
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
    """ARM kernels name no model; a seller that has one processor of this core names it."""
    if cpu.name or not cpu.microarchitecture:
        return cpu
    name = arm_product(machine.cloud or machine.vendor, cpu.microarchitecture)
    if name is None:
        notes.append(f"CPU: it gives no name; its cores are {cpu.microarchitecture}")
        return cpu
    return replace(cpu, name=name)


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
