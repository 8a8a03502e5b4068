"""CPU time and memory that control groups allow this process (cgroup v1 and v2).

Every group from the process's own up to the root may set a limit, and the lowest applies (Linux,
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .files import Tree

# v1 writes "no limit" as the largest page-aligned number.
_UNLIMITED = 1 << 60
# A blank in a path of mountinfo is written as \040.
_OCTAL = re.compile(r"\\([0-7]{3})")
V2 = ""
"""The controller of the single hierarchy of version 2."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the control groups allow; None where they set no limit.

    `cpus` is CPU time per second: 2.5 is two and a half processors.
    """

    cpus: float | None = None
    memory_bytes: int | None = None


def detect_limits(tree: Tree, notes: list[str]) -> Limits:
    """The lowest limits of the process's control group and the visible groups above it."""
    if tree.text("proc/self/cgroup") is None and tree.live:
        notes.append("limits: /proc/self/cgroup cannot be read, so none are known")
    cpus: list[float] = []
    memory: list[int] = []
    for controller, folder in group_folders(tree):
        if controller == V2:
            cpus += _cpu_v2(tree, folder)
            memory += _memory(tree, folder, "memory.max")
        elif controller == "cpu":
            cpus += _cpu_v1(tree, folder)
        elif controller == "memory":
            memory += _memory(tree, folder, "memory.limit_in_bytes")
            memory += _inherited_memory(tree, folder)
    return Limits(min(cpus, default=None), min(memory, default=None))


def group_folders(tree: Tree) -> Iterator[tuple[str, str]]:
    """(controller, folder) of the process's groups and of the visible groups above each.

    The controller is "" (`V2`) in the single hierarchy of version 2.
    """
    mounts = _mounts(tree.text("proc/self/mountinfo") or "", tree)
    for line in (tree.text("proc/self/cgroup") or "").splitlines():
        # `4:cpu,cpuacct:/docker/1f2e`; without controllers it is version 2.
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if number and colon:
            for controller in controllers.split(","):
                for folder in _folders(mounts.get(controller), path):
                    yield controller, folder


def _mounts(mountinfo: str, tree: Tree) -> dict[str, tuple[str, str]]:
    """(root, mount point) of each controller; the key of v2 is "". See proc_pid_mountinfo(5)."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        places, kinds = before.split(), after.split()
        if len(places) < 5 or len(kinds) < 3:
            continue
        where = places[3], _OCTAL.sub(lambda m: chr(int(m[1], 8)), places[4])
        if kinds[0] == "cgroup2":
            mounts.setdefault("", where)
        elif kinds[0] == "cgroup":
            for controller in kinds[2].split(","):
                mounts.setdefault(controller, where)
    # Without a readable mount table, the usual places.
    if not mounts:
        if tree.exists("sys/fs/cgroup/cgroup.controllers"):
            mounts[""] = ("/", "/sys/fs/cgroup")
        for controller in ("cpu", "memory"):
            if tree.exists(f"sys/fs/cgroup/{controller}"):
                mounts[controller] = ("/", f"/sys/fs/cgroup/{controller}")
    return mounts


def _folders(mount: tuple[str, str] | None, path: str) -> list[str]:
    """The group's folder and those above it, up to the mount point."""
    if mount is None:
        return []
    root, point = PurePosixPath(mount[0]), PurePosixPath(mount[1])
    inside = PurePosixPath(path)
    # A path outside the mount: the container keeps its host's namespace, and the mount is the
    # container's own group.
    relative = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
    if ".." in relative.parts:
        relative = PurePosixPath()
    folder = point / relative
    return [str(f) for f in (folder, *folder.parents) if f.is_relative_to(point)]


def _cpu_v2(tree: Tree, folder: str) -> list[float]:
    quota, _, period = (tree.text(f"{folder}/cpu.max") or "").partition(" ")
    return _share(quota, period)


def _cpu_v1(tree: Tree, folder: str) -> list[float]:
    quota = tree.text(f"{folder}/cpu.cfs_quota_us") or ""
    return _share(quota, tree.text(f"{folder}/cpu.cfs_period_us") or "")


def _share(quota: str, period: str) -> list[float]:
    # The default of the kernel.
    period = period or "100000"
    # Without a limit the quota is "max" or -1.
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return []
    return [int(quota) / int(period)]


def _memory(tree: Tree, folder: str, name: str) -> list[int]:
    # Without a limit it is "max", which is no number.
    limit = tree.number(f"{folder}/{name}")
    return [limit] if limit is not None and 0 < limit < _UNLIMITED else []


def _inherited_memory(tree: Tree, folder: str) -> list[int]:
    """v1 also shows the lowest limit of all groups above, visible or not."""
    stat = tree.text(f"{folder}/memory.stat") or ""
    match = re.search(r"^hierarchical_memory_limit (\d+)$", stat, re.MULTILINE)
    return [int(match[1])] if match and 0 < int(match[1]) < _UNLIMITED else []
