"""The operating system and the memory it has."""

import platform
import re
import shlex
from dataclasses import dataclass

from .files import Tree


@dataclass(frozen=True, slots=True)
class Host:
    """An operating system ("Debian GNU/Linux", "12") and its memory.

    It has no host name, which would identify the machine in a recording that is shared.
    `memory_modules` counts those of DDR3 to DDR5; None where the system does not show them.
    """

    os: str | None = None
    os_version: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    ram_bytes: int | None = None
    memory_modules: int | None = None


def detect_host(tree: Tree, notes: list[str]) -> Host:
    """The operating system of a Linux machine; why a field is unknown goes to `notes`."""
    release = _os_release(tree)
    if not release:
        notes.append("host: there is no os-release file, so the system's name is unknown")
    ram = re.search(r"^MemTotal:\s*(\d+) kB", tree.text("proc/meminfo") or "", re.MULTILINE)
    if ram is None:
        notes.append("host: /proc/meminfo does not show the size of the memory")
    return Host(
        os=release.get("NAME"),
        os_version=release.get("VERSION_ID"),
        kernel=tree.text("proc/sys/kernel/osrelease"),
        # The file exists since Linux 6.1.
        architecture=tree.text("proc/sys/kernel/arch")
        or (platform.machine() if tree.live else None),
        ram_bytes=int(ram[1]) * 1024 if ram else None,
        memory_modules=_memory_modules(tree),
    )


def _memory_modules(tree: Tree) -> int | None:
    """By error detection (EDAC: ECC memory, for all users), or the firmware (for root)."""
    slots = tree.find("sys/devices/system/edac/mc/mc*/dimm*/size")
    # SMBIOS (DMTF DSP0134), "Memory Device": size at 0Ch, 0 in an empty slot; type at 12h, here
    # DDR3, DDR4 or DDR5.
    devices = [tree.raw(path) or b"" for path in tree.find("sys/firmware/dmi/entries/17-*/raw")]
    ddr = [d for d in devices if any(d[0x0C:0x0E]) and d[0x12:0x13] in (b"\x18", b"\x1a", b"\x22")]
    return sum(map(bool, map(tree.number, slots))) or len(ddr) or None


def _os_release(tree: Tree) -> dict[str, str]:
    """See os-release(5)."""
    text = tree.text("etc/os-release") or tree.text("usr/lib/os-release") or ""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            values[key] = " ".join(shlex.split(value))
        except ValueError:
            # A quote is not closed.
            values[key] = value.strip("\"'")
    return values
