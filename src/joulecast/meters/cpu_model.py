"""A modelled CPU energy counter for machines without a readable one: load to power, summed up.

The curve's errors are systematic (the wrong full power stays wrong), so low and high joules add up
linearly, as the bounds of power do.
"""

from math import hypot
from typing import Literal

import numpy as np

from ..estimate import Provenance
from ..hardware.catalog.cpus import (
    CpuFamily,
    CpuModel,
    cpus_named,
    family_of,
    find_family,
    nearest_in_family,
    typical_family,
)
from ..hardware.detect.cpu import DetectedCpu
from .base import Meter, Reading, ReadingKind, Source, Uncertainty
from .cpu_curve import Knowledge, PowerSpec, package_power, power_spec
from .cpu_time import UPDATE_PERIOD_S, CpuSample, CpuTime
from .share import SPLIT_UNCERTAINTY, ShareSum

Scope = Literal["process", "machine"]

# What is not the scale's. RAPL of two machines under the same load, by all cores or by some, agrees
# within 1 % from 88 % load on; and CPU time is counted in ticks. Under another load more of the
# curve's error differs, which its bounds at that load show.
OWN = 0.02

# A machine with as many is taken to be a server, assumed.
_SERVER_THREADS = 32

# The curve is read from a table; it bends most near load 0.
_LOADS = np.linspace(0.0, 1.0, 1001) ** 2


class CpuModelMeter(Meter):
    """Modelled joules of all CPU packages, or of the process tree's share of them.

    Power is `package_power(spec, load)` of each window between two reads. Scope "process" takes the
    tree's share of it by CPU time (see `share`); `held_s` integrates that share.
    """

    def __init__(
        self,
        spec: PowerSpec,
        cpu_time: CpuTime,
        scope: Scope,
        source: str,
        device: str = "",
        domain: str = "cpu:0",
    ) -> None:
        self._spec, self._cpu_time = spec, cpu_time
        self._power = package_power(spec, _LOADS)
        watts, low, high = package_power(spec, 0.5)
        split = SPLIT_UNCERTAINTY if scope == "process" else 0.0
        self.source = Source(
            domain=domain,
            source=source,
            kind=ReadingKind.COUNTER,
            provenance=Provenance.MODELLED,
            update_period_s=UPDATE_PERIOD_S,
            uncertainty=Uncertainty(
                low=min(1.0, hypot(1 - low / watts, split)),
                high=hypot(high / watts - 1, split),
                origin="power curve at half load, from SPECpower families left out of the fit and "
                "the range of clock governors; each reading carries its own interval"
                + ("; split by CPU time, up to 30 % assumed" if split else ""),
                own=OWN,
            ),
            device=device,
        )
        self._before: CpuSample | None = None
        self._sum = ShareSum(is_split=scope == "process")

    def read(self) -> Reading:
        """Joules since the meter was opened."""
        sample = self._cpu_time.sample()
        before = self._before
        if before is None:
            self._before = sample
            return self._sum.start(sample.t_s)
        seconds = sample.t_s - before.t_s
        total = sample.machine_total_s - before.machine_total_s
        # Within one tick of the clock or of the kernel nothing has changed.
        if seconds <= 0 or total <= 0:
            return self._sum.reading
        load = (sample.machine_busy_s - before.machine_busy_s) / total
        watts, low, high = (float(np.interp(load, _LOADS, row)) for row in self._power)
        window = Reading(sample.t_s, watts * seconds, low * seconds, high * seconds, seconds)
        self._before = sample
        return self._sum.add(before, sample, window)


def cpu_model_meter(
    cpu_time: CpuTime,
    cpu: DetectedCpu,
    *,
    is_virtual: bool = False,
    scope: Scope = "process",
    domain: str = "cpu:0",
) -> CpuModelMeter:
    """The best model that is possible with what is known of the CPU; never raises.

    `cpu` is the processor as its operating system describes it. In a virtual machine `cpu.threads`
    are the virtual CPUs of the guest.
    """
    spec, source = choose_spec(cpu, is_virtual=is_virtual)
    if scope == "process":
        source += "; share by CPU time of the process tree"
    return CpuModelMeter(spec, cpu_time, scope, source, cpu.name or "", domain)


def choose_spec(cpu: DetectedCpu, *, is_virtual: bool = False) -> tuple[PowerSpec, str]:
    """The spec of the CPU's power, and in plain words its basis. See `cpu_model_meter`."""
    model = _model(cpu.name)
    family, knowledge = _family(model, cpu, is_virtual)
    packages = 1 if is_virtual else max(1, cpu.sockets or 1)
    cores = _cores_per_package(cpu, model, family, None if is_virtual else packages)
    # A processor whose name is hidden gets the TDP of the nearest model of its family.
    like = nearest_in_family(family, cores) if knowledge is Knowledge.FAMILY else None
    rated = model or like
    tdp_w = rated.tdp_w if rated else None
    spec = power_spec(
        family, cpu=model, cores=cores, tdp_w=tdp_w, sockets=packages, knowledge=knowledge
    )
    basis = "no TDP known" if tdp_w is None else f"TDP {tdp_w:g} W"
    if like is not None:
        basis += f" taken from {like.name}"
    if is_virtual:
        threads, host_threads = cpu.threads or 1, _threads(model, family)
        spec = spec.part(threads / host_threads)
        basis += f", {threads} of {host_threads} host threads"
    elif packages > 1:
        basis += f", {packages} packages"
    return spec, f"CPU load x {_curve_text(family, knowledge)}, {basis}"


def _curve_text(family: CpuFamily, knowledge: Knowledge) -> str:
    if knowledge is Knowledge.NOTHING:
        return f"curve of {family.name}, its kind is not known"
    return f"{family.name} SPECpower curve" if family.results else f"{family.name} curve"


def _threads(model: CpuModel | None, family: CpuFamily) -> int:
    """Of one package."""
    return model.threads if model else family.cores * _threads_per_core(family)


def _threads_per_core(family: CpuFamily) -> int:
    return 2 if family.smt else 1


def _cores_per_package(
    cpu: DetectedCpu, model: CpuModel | None, family: CpuFamily, packages: int | None
) -> int:
    """A guest's topology is made up (`packages` None): its host is a package of its model."""
    if packages is None:
        return model.cores if model else family.cores
    cores = cpu.cores or (cpu.threads or 0) // _threads_per_core(family)
    return max(1, cores // packages) if cores else family.cores


def _model(name: str | None) -> CpuModel | None:
    fitting = cpus_named(name or "")
    return fitting[0] if len(fitting) == 1 else None


def _family(
    model: CpuModel | None, cpu: DetectedCpu, is_virtual: bool
) -> tuple[CpuFamily, Knowledge]:
    if model is not None:
        return find_family(model.family), Knowledge.MODEL
    family = family_of(cpu.microarchitecture, cpu.name or "", cpu.codename)
    if family is not None:
        return family, Knowledge.FAMILY
    is_server = is_virtual or (cpu.threads or 0) >= _SERVER_THREADS
    return typical_family(is_server), Knowledge.NOTHING
