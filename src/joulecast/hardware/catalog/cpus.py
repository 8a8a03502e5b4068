"""The catalog of CPUs: thermal design power by model, idle and full watts by family.

Two data files: `data/cpus.toml` (one row per model) and `data/cpu_families.toml` (one row per
microarchitecture and kind of product, fitted to SPECpower by `benchmarks/fit_cpu_families.py`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import UnknownHardwareError
from .names import match

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class CpuFamily:
    """What is typical of one microarchitecture in one kind of product. Powers are of the package.

    A package idles at about `uncore_w + idle_w_per_core * cores` and draws about
    `uncore_w + wake_w + full_w_per_core * cores`, or `full_of_tdp * TDP`, at full load. Between,
    `wake_w` comes at once and the rest as `load ** exponent`.
    """

    name: str  # "Zen 2 server"
    microarchitectures: tuple[str, ...]
    segment: str  # "server", "workstation", "desktop", "laptop", "small"
    year: int  # of the first product
    idle_w_per_core: float
    full_w_per_core: float
    uncore_w: float  # what a package draws besides its cores when idle
    wake_w: float  # what it draws more as soon as anything runs
    full_of_tdp: float
    exponent: float
    clock: str  # who sets it under partial load: "top", "hardware" or "load" (see the data file)
    cores: int  # of a typical product
    smt: bool  # two threads on a core
    results: int  # SPECpower results it was fitted to; 0: see `source`
    source: str


@dataclass(frozen=True, slots=True)
class CpuModel:
    """One model: facts of one package (socket)."""

    name: str  # "EPYC 7742"
    tdp_w: float
    cores: int
    threads: int
    base_ghz: float | None
    family: str  # name of its `CpuFamily`
    source: str


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((_DATA / name).read_text(encoding="utf-8"))


@cache
def families() -> tuple[CpuFamily, ...]:
    """All families of the catalog."""
    data = _load("cpu_families.toml")
    return tuple(
        CpuFamily(
            **{
                **row,
                "microarchitectures": tuple(row["microarchitectures"]),
                "source": data["sources"][row["source"]],
            }
        )
        for row in data["family"]
    )


@cache
def cpus() -> tuple[CpuModel, ...]:
    """All models of the catalog."""
    data = _load("cpus.toml")
    return tuple(
        CpuModel(
            name=row["name"],
            tdp_w=float(row["tdp_w"]),
            cores=row["cores"],
            threads=row["threads"],
            base_ghz=row.get("base_ghz"),
            family=row["family"],
            source=data["sources"][row["source"]],
        )
        for row in data["cpu"]
    )


@cache
def _by_name() -> dict[str, CpuModel]:
    return {cpu.name: cpu for cpu in cpus()}


def find_cpu(name: str) -> CpuModel:
    """The model that `name` names, as written in `/proc/cpuinfo` or as people write it.

    >>> find_cpu("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz").tdp_w
    150.0

    Raises `UnknownHardwareError`, which lists the nearest names.
    """
    return match(name, _by_name(), "CPU")


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
    """The kind of product a model name speaks of: server, workstation, laptop or desktop."""
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
    the nearest kind is taken.
    """
    if not microarchitecture and not codename:
        return None
    wanted = {(codename or "").lower(), (microarchitecture or "").lower()} - {""}
    of = [f for f in families() if wanted & {m.lower() for m in f.microarchitectures}]
    exact = [f for f in of if (codename or "").lower() in {m.lower() for m in f.microarchitectures}]
    order = {
        "server": ("server", "workstation", "desktop", "laptop"),
        "workstation": ("workstation", "server", "desktop", "laptop"),
        "desktop": ("desktop", "laptop", "workstation", "server"),
        "laptop": ("laptop", "desktop", "workstation", "server"),
    }[segment_of(name, codename)]
    ranked = sorted(
        of, key=lambda f: (f not in exact, order.index(f.segment) if f.segment in order else 9)
    )
    return ranked[0] if ranked else None


def typical_family(server: bool) -> CpuFamily:
    """What is assumed of a CPU of which nothing is known."""
    return find_family("any server" if server else "any computer")


def nearest_in_family(family: CpuFamily, cores: int) -> CpuModel | None:
    """The catalog's model of a family whose number of cores comes nearest, None if it has none.

    Stands in for a model whose name is hidden, as clouds do ("AMD EPYC"). Of several, the median
    by TDP.
    """
    rows = [cpu for cpu in cpus() if cpu.family == family.name]
    if not rows:
        return None
    distance = min(abs(cpu.cores - cores) for cpu in rows)
    near = sorted((c for c in rows if abs(c.cores - cores) == distance), key=lambda c: c.tdp_w)
    return near[(len(near) - 1) // 2]
