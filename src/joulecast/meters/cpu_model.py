"""A modelled CPU counter for machines that show none: load through the curve, summed up.

The curve's errors are systematic (the wrong full power stays wrong), so low and high joules add up
linearly, as the bounds of power do.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import UnknownHardwareError
from ..hardware.catalog.cpus import (
    CpuFamily,
    CpuModel,
    family_of,
    find_cpu,
    find_family,
    nearest_in_family,
    typical_family,
)
from ..units import Provenance
from .base import Meter, Reading, ReadingKind, Source, Uncertainty
from .cpu_curve import Knowledge, PowerSpec, package_power, power_spec
from .cpu_time import CpuSample, CpuTime
from .share import SPLIT_UNCERTAINTY, TickError, share_interval, tree_share

Scope = Literal["process", "machine"]

# The curve is looked up in a table five times a second; it bends most near load 0.
_LOADS = np.linspace(0.0, 1.0, 1001) ** 2


class CpuModelMeter(Meter):
    """Modelled joules of all CPU packages, or of the process tree's share of them.

    Power is `package_power(spec, load)` of each window between two reads. Scope "process" takes the
    tree's share of it by CPU time (`share.tree_share`); `held_s` integrates that share.
    """

    def __init__(
        self, spec: PowerSpec, cpu_time: CpuTime, scope: Scope, source: str, device: str = ""
    ) -> None:
        self._spec, self._cpu_time, self._scope = spec, cpu_time, scope
        self._power = package_power(spec, _LOADS)
        watts, low, high = package_power(spec, 0.5)
        split = SPLIT_UNCERTAINTY if scope == "process" else 0.0
        self.source = Source(
            domain="cpu:0",
            source=source,
            kind=ReadingKind.COUNTER,
            provenance=Provenance.MODELLED,
            update_period_s=0.2,
            uncertainty=Uncertainty(
                low=min(1.0, 1 - low / watts + split),
                high=high / watts - 1 + split,
                origin="power curve at half load, from SPECpower families left out of the fit and "
                "the range of clock governors; each reading carries its own interval"
                + ("; split by CPU time, up to 30 % assumed" if split else ""),
            ),
            device=device,
        )
        self._before: CpuSample | None = None
        self._reading: Reading | None = None
        self._bounds = (0.0, 0.0)  # of what the ticks say
        self._ticks = TickError()

    def read(self) -> Reading:
        """Joules since the meter was opened."""
        sample = self._cpu_time.sample()
        if self._before is None or self._reading is None:
            self._before = sample
            self._reading = Reading(sample.t_s, 0.0, 0.0, 0.0, 0.0)
            return self._reading
        before, last = self._before, self._reading
        seconds = sample.t_s - before.t_s
        total = sample.machine_total_s - before.machine_total_s
        if seconds <= 0 or total <= 0:  # within one tick of the clock or of the kernel
            return last
        load = (sample.machine_busy_s - before.machine_busy_s) / total
        watts, low, high = (float(np.interp(load, _LOADS, row)) for row in self._power)
        least, most = low * seconds, high * seconds
        share, share_low, share_high = 1.0, 1.0, 1.0
        if self._scope == "process":
            share = tree_share(before, sample)
            share_low, share_high = share_interval(share)
            self._ticks.see(before, sample, least, most)
        self._bounds = (self._bounds[0] + least * share_low, self._bounds[1] + most * share_high)
        self._before = sample
        self._reading = Reading(
            t_s=sample.t_s,
            value=last.value + watts * share * seconds,
            low=max(0.0, self._bounds[0] - self._ticks.added_j),
            high=self._bounds[1] + self._ticks.hidden_j,
            held_s=last.held_s + share * seconds,
        )
        return self._reading


def cpu_model_meter(
    cpu_time: CpuTime,
    *,
    name: str | None,
    microarchitecture: str | None = None,
    codename: str | None = None,
    sockets: int | None = None,
    cores: int | None = None,
    threads: int | None = None,
    is_virtual: bool = False,
    tdp_w: float | None = None,
    scope: Scope = "process",
) -> CpuModelMeter:
    """The best model that what is known of the CPU allows; never raises.

    `cores` and `threads` count all sockets together, as an operating system does; `tdp_w` is of
    one package and overrides the catalog's. In a virtual machine `threads` are the vCPUs held.
    """
    spec, source = choose_spec(
        name=name,
        microarchitecture=microarchitecture,
        codename=codename,
        sockets=sockets,
        cores=cores,
        threads=threads,
        is_virtual=is_virtual,
        tdp_w=tdp_w,
    )
    if scope == "process":
        source += "; share by CPU time of the process tree"
    return CpuModelMeter(spec, cpu_time, scope, source, device=name or "")


def choose_spec(
    *,
    name: str | None,
    microarchitecture: str | None = None,
    codename: str | None = None,
    sockets: int | None = None,
    cores: int | None = None,
    threads: int | None = None,
    is_virtual: bool = False,
    tdp_w: float | None = None,
) -> tuple[PowerSpec, str]:
    """The spec of the CPU's power, and in plain words what it rests on. See `cpu_model_meter`."""
    cpu = _find(name)
    family, knowledge = _family(
        cpu, name or "", microarchitecture, codename, server=is_virtual or (threads or 0) >= 32
    )
    if tdp_w is not None:
        knowledge = Knowledge.MODEL
    packages = max(1, sockets or 1)
    if is_virtual:  # the guest's topology is invented; its host is a package of the model or family
        each = cpu.cores if cpu else family.cores
    else:
        all_cores = cores or (threads // (2 if family.smt else 1) if threads else None)
        each = max(1, all_cores // packages) if all_cores else family.cores
    like = None  # the model that lends its TDP to one whose name is hidden
    if cpu is None and tdp_w is None and knowledge is Knowledge.FAMILY:
        like = nearest_in_family(family, each)
    tdp = tdp_w or (cpu.tdp_w if cpu else like.tdp_w if like else None)
    spec = power_spec(
        family,
        cpu=cpu,
        cores=each,
        tdp_w=tdp,
        sockets=1 if is_virtual else packages,
        knowledge=knowledge,
    )
    held = times = ""
    if is_virtual:
        host_threads = cpu.threads if cpu else family.cores * (2 if family.smt else 1)
        spec = spec.part((threads or 1) / host_threads)
        held = f", {threads or 1} of {host_threads} host threads"
    elif packages > 1:
        times = f", {packages} packages"
    basis = "no TDP known" if tdp is None else f"TDP {tdp:g} W"
    if like is not None:
        basis += f" taken from {like.name}"
    curve = f"{family.name} " + ("SPECpower curve" if family.results else "curve")
    if knowledge is Knowledge.NOTHING:
        curve = f"curve of {family.name}, its kind is not known"
    return spec, f"CPU load x {curve}, {basis}{times}{held}"


def _find(name: str | None) -> CpuModel | None:
    try:
        return find_cpu(name) if name else None
    except UnknownHardwareError:
        return None


def _family(
    cpu: CpuModel | None,
    name: str,
    microarchitecture: str | None,
    codename: str | None,
    *,
    server: bool,
) -> tuple[CpuFamily, Knowledge]:
    if cpu is not None:
        return find_family(cpu.family), Knowledge.MODEL
    family = family_of(microarchitecture, name, codename)
    if family is not None:
        return family, Knowledge.FAMILY
    return typical_family(server), Knowledge.NOTHING
