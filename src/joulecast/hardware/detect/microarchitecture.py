"""The name of a microarchitecture, from the numbers by which a processor identifies itself."""

from dataclasses import dataclass
from typing import Any

from ..catalog.data_file import data_file


@dataclass(frozen=True, slots=True)
class Microarchitecture:
    """`name` is that of the core ("Zen 4"), `codename` that of the product ("Genoa")."""

    name: str
    codename: str | None = None


def x86_microarchitecture(
    vendor_id: str | None,
    family: int | None,
    model: int | None,
    stepping: int | None,
    name: str | None = None,
) -> Microarchitecture | None:
    """By CPUID vendor, display family, display model and stepping; None where not in the table.

    QEMU's generic models ("QEMU Virtual CPU", "Common KVM processor") have the numbers of other
    processors: such a `name` gives None.
    """
    name = name or ""
    if model is None or any(generic in name for generic in _GENERIC):
        return None
    for row in data_file("microarchitectures")["x86"]:
        first, last = row.get("steppings", (0, 15))
        if (
            (row["vendor"], row["family"]) == (vendor_id, family)
            and any(low <= model <= high for low, high in row["models"])
            and first <= (stepping or 0) <= last
            and row.get("brand", "") in name
        ):
            return Microarchitecture(row["name"], row.get("codename"))
    return None


_GENERIC = ("QEMU Virtual", "Common KVM", "Common 32-bit KVM")


def arm_core(implementer: int | None, part: int | None) -> str | None:
    """The name of an ARM core by the implementer and part of its MIDR_EL1 register."""
    return _name("arm", implementer=implementer, part=part)


def arm_vendor(implementer: int | None) -> str | None:
    """The designer of an ARM core by the implementer code of its MIDR_EL1 register."""
    return _name("arm_vendor", implementer=implementer)


def arm_product(seller: str | None, core: str | None) -> str | None:
    """The processor that a cloud or maker sells with this core, where it sells just one."""
    return _name("arm_product", seller=seller, core=core)


def _name(table: str, **wanted: Any) -> str | None:
    rows = data_file("microarchitectures")[table]
    return next((row["name"] for row in rows if row.items() >= wanted.items()), None)
