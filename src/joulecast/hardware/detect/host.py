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
    """

    os: str | None = None
    os_version: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    ram_bytes: int | None = None


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
    )


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
