"""Whether the kernel has killed a process because memory ran out, by counts before and after."""

import re
from dataclasses import dataclass
from pathlib import Path

from ...hardware.detect.cgroup import V2, group_folders
from ...hardware.detect.files import Tree


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
    tree = Tree(root)
    files = {V2: "memory.events", "memory": "memory.oom_control"}
    ours = (
        _count(tree, f"{folder}/{files[controller]}")
        for controller, folder in group_folders(tree)
        if controller in files
    )
    first = next((count for count in ours if count is not None), None)
    return OomKills(first, _count(tree, "proc/vmstat"))


def killed(before: OomKills, after: OomKills) -> bool:
    """Whether a process was killed in between, by the count of our control group if it is there."""
    for first, then in ((before.ours, after.ours), (before.machine, after.machine)):
        if first is not None and then is not None:
            return then > first
    return False


def _count(tree: Tree, path: str) -> int | None:
    match = re.search(r"^oom_kill (\d+)$", tree.text(path) or "", re.MULTILINE)
    return int(match[1]) if match else None
