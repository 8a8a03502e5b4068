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


def arm_board(evidence: str) -> str | None:
    """The processor of a board, by what its device tree or `/proc/cpuinfo` shows of it."""
    rows = data_file("microarchitectures")["arm_board"]
    return next((row["name"] for row in rows if row["shows"] in evidence.lower()), None)


def arm_name(table: str, **wanted: Any) -> str | None:
    """The name in the first row that fits.

    Args:
        table: "arm": a core by implementer and part of its MIDR_EL1 register; "arm_vendor": its
            designer by implementer; "arm_product": what a seller sells with a core.
        wanted: columns of the table and their values.
    """
    rows = data_file("microarchitectures")[table]
    return next((row["name"] for row in rows if row.items() >= wanted.items()), None)
