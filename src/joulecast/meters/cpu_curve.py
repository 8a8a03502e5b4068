"""CPU package power from load, for machines whose counter cannot be read. Pure functions.

`package_power` gives watts and a 90 % interval for a load from 0 to 1. The constants are not fitted
to the machines on which it is checked; docs/methods/cpu-model.md derives them, with their sources.

* Idle and full power are means in the log of views by thermal design power (TDP), by cores, and,
  of idle power, by what reviewers measured. The interval covers the views; of full power, the TDP.
* Between them the package wakes (`wake_w`) as soon as anything runs, and its cores draw power by
  what load means: few cores at full clock, or all at a low one (`race`, `spread`, `crawl`,
  `linger`, `load ** exponent`). The middle is the mean in the log of the two likely ones.
* The errors of the level and of the curve add in quadrature of logs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ..hardware.catalog.cpus import CpuFamily, CpuModel

Array = npt.NDArray[np.float64]

IDLE_OF_TDP = 0.12  # Davy 2021
# Desktops and laptops, assumed: 4 to 8 W of 65 to 125 W.
CLIENT_IDLE_OF_TDP = 0.06
STRESS_OF_TDP = 1.02  # Davy 2021
_BIG = ("server", "workstation")
# At most; EPYC 7502, see `wake_w` in cpu_families.toml.
WAKE_OF_TDP = 30 / 180
# Standard deviations from the middle to either end of a 90 % interval.
SPREAD = 1.645


class Knowledge(StrEnum):
    """How much is known of the CPU; with less, the interval is wider."""

    # Its row in the catalog.
    MODEL = "model"
    # Its microarchitecture, not its TDP.
    FAMILY = "family"
    NOTHING = "nothing"


# Standard deviations of the log of (full, idle) power. Full: SPECpower spreads 0.14 within a
# family and 0.19 between a family and the rest; the workload adds 0.15 (integer Java against vector
# code), wall to package 0.05. Idle: 0.28 and 0.59, and firmware and C-states 0.4 (SPECpower
# systems are tuned, others are not).
_SIGMA = {
    Knowledge.MODEL: (0.21, 0.5),
    Knowledge.FAMILY: (0.33, 0.6),
    Knowledge.NOTHING: (0.45, 0.75),
}
# Of idle power, where its spread with firmware is known from measurements: SPECpower's 0.28.
_SIGMA_IDLE_KNOWN = 0.28
# Added in a virtual machine, assumed: neighbors share clock, fabric and idle.
_SIGMA_GUEST = 0.25
# Part of the log ratio of the two views of full power, assumed.
_DISAGREEMENT = 0.25

# The clock: lowest over highest, load at which it jumps to the top, voltage at clock 0 over that at
# the top (extrapolated; 0.8 V at 40 % clock against 1.1 V).
_SLOWEST, _JUMP, _VOLTAGE = 0.4, 0.8, 0.55
# What a second thread adds to a busy core's power, assumed.
_SECOND_THREAD = 0.15
# Load at which the package spends most of its time awake.
_WAKES_AT = 0.02


@dataclass(frozen=True, slots=True)
class PowerSpec:
    """All the curve needs to know of the packages of a machine, or of a guest's part of them."""

    idle_w: float
    full_w: float
    wake_w: float
    exponent: float
    sigma_full: float  # standard deviation of the log of full_w
    sigma_idle: float
    knowledge: Knowledge
    family: str
    sigma_full_high: float = 0.0  # the same as `sigma_full`, for the upper bound, where larger
    tdp_w: float | None = None  # of all packages together
    threads_per_core: float = 1.0  # of hybrid processors the mean
    # What sets the clock: "top", "hardware" or "load" (see `CpuFamily`).
    clock: str = "hardware"
    allocated: float = 1.0  # part of the host's threads that is this machine's (virtual machines)

    def part(self, allocated: float) -> PowerSpec:
        """A guest's spec: its part of the host's packages, known less well."""
        return replace(
            self,
            idle_w=self.idle_w * allocated,
            full_w=self.full_w * allocated,
            wake_w=self.wake_w * allocated,
            sigma_full=float(np.hypot(self.sigma_full, _SIGMA_GUEST)),
            sigma_full_high=float(np.hypot(self.sigma_full_high, _SIGMA_GUEST)),
            sigma_idle=float(np.hypot(self.sigma_idle, _SIGMA_GUEST)),
            tdp_w=None if self.tdp_w is None else self.tdp_w * allocated,
            allocated=allocated,
        )


def power_spec(
    family: CpuFamily,
    *,
    cpu: CpuModel | None = None,
    cores: int | None = None,
    tdp_w: float | None = None,
    sockets: int = 1,
    knowledge: Knowledge | None = None,
) -> PowerSpec:
    """Idle and full power of a machine's packages, and the curve between.

    `cpu` gives TDP and cores of one package; `tdp_w` and `cores` (per package) stand in for it, or
    override it. Without cores the family's typical package is taken.
    """
    tdp = tdp_w if tdp_w is not None else cpu.tdp_w if cpu else None
    cores = (cpu.cores if cpu else None) or cores or family.cores
    if knowledge is None:
        knowledge = Knowledge.FAMILY if tdp is None else Knowledge.MODEL
    idle = family.uncore_w + family.idle_w_per_core * cores
    wake = family.wake_w if tdp is None else min(family.wake_w, WAKE_OF_TDP * tdp)
    full = family.uncore_w + wake + family.full_w_per_core * cores
    exponent, disagreement = family.exponent, 0.0
    if tdp is not None:
        sustained = tdp * float(
            np.sqrt(family.full_of_tdp * max(STRESS_OF_TDP, family.full_of_tdp))
        )
        disagreement = _DISAGREEMENT * float(np.log(sustained / full))
        exponent *= min(1.0, max(0.5, sustained / full))
        full = float(np.sqrt(sustained * full))
        idle_of_tdp = IDLE_OF_TDP if family.segment in _BIG else CLIENT_IDLE_OF_TDP
        idle = float(np.sqrt(idle_of_tdp * tdp * idle))
    sigma_full, sigma_idle = _SIGMA[knowledge]
    sigma_full = float(np.hypot(sigma_full, disagreement))
    if family.idle_default_w is not None:
        # Between tuned systems and those with default firmware.
        half = 0.5 * float(np.log(family.idle_default_w / idle))
        idle = float(np.sqrt(idle * family.idle_default_w))
        sigma_idle = max(sigma_idle, float(np.hypot(_SIGMA_IDLE_KNOWN, half / SPREAD)))
    idle = min(idle, 0.8 * full)
    # A heavy load takes a package to its TDP, at which servers hold it.
    ceiling = float(np.log(max(1.0, STRESS_OF_TDP * (tdp or 0.0) / full)))
    return PowerSpec(
        idle_w=idle * sockets,
        full_w=full * sockets,
        wake_w=min(wake, 0.5 * (full - idle)) * sockets,
        exponent=exponent,
        sigma_full=sigma_full,
        sigma_full_high=ceiling / (SPREAD * (1 - idle / full)),
        sigma_idle=sigma_idle,
        knowledge=knowledge,
        family=family.name,
        threads_per_core=cpu.threads / cpu.cores if cpu else 2.0 if family.smt else 1.0,
        clock=family.clock,
        tdp_w=None if tdp is None else tdp * sockets,
    )


def race(load: Array) -> Array:
    """Part of the cores' power where they run at full clock at any load."""
    return np.asarray(np.log1p(5.0 * load) / np.log(6.0), dtype=np.float64)


def spread(load: Array, threads_per_core: float) -> Array:
    """Part of the cores' power where threads fill idle cores first, each at full clock."""
    first = np.minimum(1.0, threads_per_core * load)
    return np.asarray(first * (1.0 - _SECOND_THREAD) + load * _SECOND_THREAD, dtype=np.float64)


def crawl(load: Array) -> Array:
    """Part of the cores' power where the clock rises in proportion to load (`ondemand`)."""
    return _at_clock(load, _SLOWEST + (1 - _SLOWEST) * load)


def linger(load: Array) -> Array:
    """Part of the cores' power where the clock stays at the lowest while it can (`schedutil`)."""
    return _at_clock(load, np.full_like(load, _SLOWEST))


def _at_clock(load: Array, clock: Array) -> Array:
    clock = np.where(load < _JUMP, clock, 1.0)
    voltage = _VOLTAGE + (1 - _VOLTAGE) * clock
    return np.asarray(load * clock * voltage**2, dtype=np.float64)


def package_power(spec: PowerSpec, load: npt.ArrayLike) -> tuple[Any, Any, Any]:
    """Watts of the packages at a load from 0 to 1: `(watts, low, high)`, a 90 % interval.

    `load` is the busy part of all logical CPUs (clipped to 0..1), a number or an array; the
    results have its shape.
    """
    u = np.clip(np.asarray(load, dtype=np.float64), 0.0, 1.0)
    awake = spec.idle_w + spec.wake_w * (1.0 - np.exp(-u / _WAKES_AT))
    cores = spec.full_w - spec.idle_w - spec.wake_w
    managed = u**spec.exponent
    fast, slow = np.maximum(race(u), managed), np.minimum(crawl(u), managed)
    either = {"top": (managed, fast), "hardware": (fast, slow), "load": (managed, slow)}
    one, other = either[spec.clock]
    middle = np.sqrt((awake + cores * one) * (awake + cores * other))
    slowest = np.minimum(linger(u), managed) if spec.clock == "load" else slow
    fastest = np.maximum(fast, spread(u, spec.threads_per_core))
    highest, lowest = awake + cores * fastest, awake + cores * slowest
    idle_part = spec.idle_w / middle
    sigma_high = max(spec.sigma_full, spec.sigma_full_high)
    below, above = (
        SPREAD * np.hypot(spec.sigma_idle * idle_part, sigma * (1 - idle_part))
        for sigma in (spec.sigma_full, sigma_high)
    )
    low = middle * np.exp(-np.hypot(np.log(middle / lowest), below))
    high = middle * np.exp(np.hypot(np.log(highest / middle), above))
    if u.ndim == 0:
        return float(middle), float(low), float(high)
    return middle, low, high
