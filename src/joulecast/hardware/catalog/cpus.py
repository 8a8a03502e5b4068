"""The catalog of CPUs: thermal design power by model, idle and full power by family.

Two data files: `data/cpus.toml` (one row per model) and `data/cpu_families.toml` (one row per
microarchitecture and kind of product, fitted to SPECpower by `benchmarks/fit_cpu_families.py`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...errors import UnknownHardwareError
from .data_file import data_file
from .names import fitting, match


@dataclass(frozen=True, slots=True)
class CpuFamily:
    """Typical figures of one microarchitecture in one kind of product. Power is per package.

    An idle package draws about `uncore_w + idle_w_per_core * cores`; at full load
    `uncore_w + wake_w + full_w_per_core * cores`, or `full_of_tdp * TDP`. In between, `wake_w`
    is added as soon as anything runs, and the rest grows as `load ** exponent`.

    Attributes:
        name: "Zen 2 server".
        segment: "server", "workstation", "desktop", "laptop" or "small".
        year: of the first product.
        uncore_w: power of an idle package without its cores.
        clock: what sets the clock under partial load: "top", "hardware" or "load" (see the data
            file).
        cores: of a typical product.
        smt: whether a core has two threads.
        results: number of SPECpower results that it was fitted to; 0: see `source`.
        idle_default_w: idle power of a package with default firmware, as reviewers measured it.
    """

    name: str
    microarchitectures: list[str]
    segment: str
    year: int
    idle_w_per_core: float
    full_w_per_core: float
    uncore_w: float
    wake_w: float
    full_of_tdp: float
    exponent: float
    clock: str
    cores: int
    smt: bool
    results: int
    source: str
    idle_default_w: float | None = None


@dataclass(frozen=True, slots=True)
class CpuModel:
    """One model ("EPYC 7742"): facts of one package (socket). `family` names its `CpuFamily`."""

    name: str
    tdp_w: float
    cores: int
    threads: int
    family: str
    source: str
    base_ghz: float | None = None


def _rows(file: str, key: str) -> Iterator[dict[str, Any]]:
    data = data_file(file)
    return (row | {"source": data["sources"][row["source"]]} for row in data[key])


@cache
def families() -> tuple[CpuFamily, ...]:
    """All families of the catalog."""
    return tuple(CpuFamily(**row) for row in _rows("cpu_families", "family"))


@cache
def cpus() -> tuple[CpuModel, ...]:
    """All models of the catalog."""
    return tuple(CpuModel(**row) for row in _rows("cpus", "cpu"))


def find_cpu(name: str) -> CpuModel:
    """The model with this name, as `/proc/cpuinfo` or a person writes it.

    Raises:
        UnknownHardwareError: no model fits; the text lists the nearest names.

    Examples:
        >>> find_cpu("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz").tdp_w
        150.0
    """
    return match(name, {cpu.name: cpu for cpu in cpus()}, "CPU")


def cpus_named(name: str) -> list[CpuModel]:
    """The models that fit a name: as `find_cpu`, without a search for the nearest names."""
    return fitting(name, {cpu.name: cpu for cpu in cpus()})


def find_family(name: str) -> CpuFamily:
    """The family of exactly this name. Raises `UnknownHardwareError`."""
    for family in families():
        if family.name == name:
            return family
    raise UnknownHardwareError(f"no CPU family in the catalog is called {name!r}")


_SERVER = re.compile(
    r"epyc|opteron|graviton|altra|neoverse|axion|cobalt|xeon(?!.*\b(e3-|e-\d|w-1\d))|skx", re.I
)
_WORKSTATION = re.compile(r"threadripper|xeon.*\bw\d?-\d", re.I)
_LAPTOP = re.compile(
    r"\b(i[3579]-)?\d{4,5}(u|y|h|hk|hq|hs|hx|m|mq|qm|p|g\d)\b"
    r"|ultra \d \d{3}[uhv]\b|ryzen ai|laptop|mobile",
    re.I,
)


def segment_of(name: str, codename: str | None = None) -> str:
    """The kind of product by its model name: server, workstation, laptop or desktop."""
    if _WORKSTATION.search(name):
        return "workstation"
    if _SERVER.search(name) or (codename and re.search(r"-(SP|EP|EX|D)$", codename)):
        return "server"
    return "laptop" if _LAPTOP.search(name) else "desktop"


def family_of(
    microarchitecture: str | None, name: str = "", codename: str | None = None
) -> CpuFamily | None:
    """The family by microarchitecture ("Zen 4") and kind of product; None where there is none.

    Where the microarchitecture has no family of that kind (a server chip sold in a workstation),
    the nearest kind is used. A family that lists the product's `codename` comes first.
    """
    by_codename = _families_of(codename)
    candidates = by_codename or _families_of(microarchitecture)
    nearest = _NEAREST_SEGMENTS[segment_of(name, codename)]

    return min(candidates, key=lambda family: nearest.index(family.segment), default=None)


_NEAREST_SEGMENTS = {
    "server": ("server", "workstation", "desktop", "laptop", "small"),
    "workstation": ("workstation", "server", "desktop", "laptop", "small"),
    "desktop": ("desktop", "laptop", "workstation", "server", "small"),
    "laptop": ("laptop", "desktop", "workstation", "server", "small"),
}


def _families_of(microarchitecture: str | None) -> list[CpuFamily]:
    wanted = (microarchitecture or "").lower()
    return [f for f in families() if wanted in {m.lower() for m in f.microarchitectures}]


def typical_family(server: bool) -> CpuFamily:
    """The family assumed for an unknown CPU."""
    return find_family("any server" if server else "any computer")


def nearest_in_family(family: CpuFamily, cores: int) -> CpuModel | None:
    """The model of a family with the nearest number of cores; None if the family has no models.

    It replaces a model whose name a cloud hides ("AMD EPYC"). Of several as near, the median by
    TDP.
    """
    models = [cpu for cpu in cpus() if cpu.family == family.name]
    if not models:
        return None
    distance = min(abs(cpu.cores - cores) for cpu in models)
    near = sorted((c for c in models if abs(c.cores - cores) == distance), key=lambda c: c.tdp_w)
    return near[(len(near) - 1) // 2]
