"""From the numbers a processor gives of itself to the name of its microarchitecture."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "catalog" / "data" / "microarchitectures.toml"


@dataclass(frozen=True, slots=True)
class Microarchitecture:
    """`name` is the core's ("Zen 4"), `codename` the product's ("Genoa") where one is known."""

    name: str
    codename: str | None = None


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_DATA.read_text(encoding="utf-8"))


def x86_microarchitecture(
    vendor_id: str | None,
    family: int | None,
    model: int | None,
    stepping: int | None,
    name: str | None = None,
) -> Microarchitecture | None:
    """By CPUID vendor, display family, display model and stepping; None where not in the table.

    QEMU's generic models ("QEMU Virtual CPU", "Common KVM processor") carry numbers of processors
    they are not, so a `name` of that kind gives None.
    """
    if name and ("QEMU Virtual" in name or "Common KVM" in name or "Common 32-bit KVM" in name):
        return None
    for row in _table()["x86"]:
        if (row["vendor"], row["family"]) != (vendor_id, family) or model is None:
            continue
        first, last = row.get("steppings", (0, 15))
        if not any(low <= model <= high for low, high in row["models"]):
            continue
        if first <= (stepping or 0) <= last and row.get("brand", "") in (name or ""):
            return Microarchitecture(row["name"], row.get("codename"))
    return None


def arm_core(implementer: int | None, part: int | None) -> str | None:
    """The name of an ARM core by the implementer and part of its MIDR_EL1 register."""
    for row in _table()["arm"]:
        if (row["implementer"], row["part"]) == (implementer, part):
            return str(row["name"])
    return None


def arm_vendor(implementer: int | None) -> str | None:
    """Who designed an ARM core, by the implementer code of its MIDR_EL1 register."""
    for row in _table()["arm_vendor"]:
        if row["implementer"] == implementer:
            return str(row["name"])
    return None


def arm_product(seller: str | None, core: str | None) -> str | None:
    """The processor that a cloud or maker sells with this core, where it sells just one."""
    for row in _table()["arm_product"]:
        if (row["seller"], row["core"]) == (seller, core):
            return str(row["name"])
    return None
