"""Whether the kernel has killed a process because memory ran out, by counts before and after."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OomKills:
    """Processes killed because memory ran out, so far; None where the system has no such count.

    `ours` counts our control group and those below it, whichever limit was reached.
    """

    ours: int | None
    machine: int | None


def kills(root: Path = Path("/")) -> OomKills:
    """The counts now.

    Control group version 2: `oom_kill` of memory.events (the kernel's cgroup-v2.rst); version 1:
    that of memory.oom_control. Machine: `oom_kill` of /proc/vmstat, Linux 4.13 on.
    """
    return OomKills(_group(root), _count(root / "proc/vmstat"))


def killed(before: OomKills, after: OomKills) -> bool:
    """Whether a process was killed in between, by the count of our control group if it is there."""
    for first, then in ((before.ours, after.ours), (before.machine, after.machine)):
        if first is not None and then is not None:
            return then > first
    return False


def _group(root: Path) -> int | None:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inside = path.lstrip("/")
        if not controllers:
            places = [mount / inside / "memory.events", mount / "memory.events"]
        elif "memory" in controllers.split(","):
            folder = mount / "memory"
            places = [folder / inside / "memory.oom_control", folder / "memory.oom_control"]
        else:
            continue
        for place in places:
            if (count := _count(place)) is not None:
                return count
    return None


def _count(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return None
