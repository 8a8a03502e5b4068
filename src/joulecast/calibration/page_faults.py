"""Memory that the operating system hands out anew while something runs, and the time that takes."""

from __future__ import annotations

import mmap
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageFaultUsage:
    """Of this process so far: pages handed out without reading a disk, CPU seconds."""

    pages: int
    system_s: float
    user_s: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """Between two usages: bytes handed out anew, and the system's share of the CPU time."""

    bytes: float
    system_share: float

    @classmethod
    def since(cls, before: PageFaultUsage | None) -> Fresh:
        """What came since; nothing where the system does not tell."""
        after = usage()
        if before is None or after is None:
            return cls(0.0, 0.0)
        return cls.between(before, after, mmap.PAGESIZE)

    @classmethod
    def between(cls, before: PageFaultUsage, after: PageFaultUsage, page_bytes: int) -> Fresh:
        """The difference; nothing where no CPU time passed."""
        system_s, user_s = after.system_s - before.system_s, after.user_s - before.user_s
        total = system_s + user_s
        share = system_s / total if total > 0 else 0.0
        return cls(max(0, after.pages - before.pages) * float(page_bytes), share)


def usage() -> PageFaultUsage | None:
    """Now; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    said = resource.getrusage(resource.RUSAGE_SELF)
    return PageFaultUsage(said.ru_minflt, said.ru_stime, said.ru_utime)
