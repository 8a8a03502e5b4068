"""How much CPU time and memory the control groups leave to this process (cgroup v1 and v2).

A limit may stand at any level between the process's own group and the root, and all of them hold:
the lowest is the one that counts (Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .files import Tree

_UNLIMITED = 1 << 60  # v1 writes "no limit" as the largest page-aligned number


@dataclass(frozen=True, slots=True)
class Limits:
    """What the control groups allow; None where they set no limit."""

    cpus: float | None = None  # CPU time per time: 2.5 is two and a half processors
    memory_bytes: int | None = None


def detect_limits(tree: Tree, notes: list[str]) -> Limits:
    """The lowest limits on the way from the process's control group to the root it can see."""
    membership = tree.text("proc/self/cgroup")
    if membership is None:
        if tree.live:
            notes.append("limits: /proc/self/cgroup cannot be read, so none are known")
        return Limits()
    mounts = _mounts(tree.text("proc/self/mountinfo") or "", tree)
    cpus: list[float] = []
    memory: list[int] = []
    for controllers, path in _groups(membership):
        if not controllers:  # the one hierarchy of v2
            for folder in _folders(mounts.get(""), path):
                cpus += _cpu_v2(tree, folder)
                memory += _memory(tree, folder, "memory.max")
        if "cpu" in controllers:
            for folder in _folders(mounts.get("cpu"), path):
                cpus += _cpu_v1(tree, folder)
        if "memory" in controllers:
            for folder in _folders(mounts.get("memory"), path):
                memory += _memory(tree, folder, "memory.limit_in_bytes")
                memory += _inherited_memory(tree, folder)
    return Limits(min(cpus, default=None), min(memory, default=None))


def _groups(membership: str) -> Iterator[tuple[set[str], str]]:
    """(controllers, path) of each line `4:cpu,cpuacct:/docker/1f2e`; no controllers: v2."""
    for line in membership.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield set(filter(None, parts[1].split(","))), parts[2]


def _mounts(mountinfo: str, tree: Tree) -> dict[str, tuple[str, str]]:
    """(root, mount point) of each controller; the key of v2 is empty. See proc_pid_mountinfo(5)."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        places, kinds = before.split(), after.split()
        if len(places) < 5 or len(kinds) < 3:
            continue
        where = places[3], _unescape(places[4])
        if kinds[0] == "cgroup2":
            mounts.setdefault("", where)
        elif kinds[0] == "cgroup":
            for controller in kinds[2].split(","):
                mounts.setdefault(controller, where)
    if not mounts:  # no mount table to read: the usual places
        if tree.exists("sys/fs/cgroup/cgroup.controllers"):
            mounts[""] = ("/", "/sys/fs/cgroup")
        for controller in ("cpu", "memory"):
            if tree.exists(f"sys/fs/cgroup/{controller}"):
                mounts[controller] = ("/", f"/sys/fs/cgroup/{controller}")
    return mounts


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), path)


def _folders(mount: tuple[str, str] | None, path: str) -> list[str]:
    """The group's folder and those above it, up to the mount point."""
    if mount is None:
        return []
    root, point = PurePosixPath(mount[0]), PurePosixPath(mount[1])
    inside = PurePosixPath(path)
    # A path outside of what is mounted (a container that keeps its host's namespace): what is
    # mounted is then the container's own group.
    relative = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
    if ".." in relative.parts:
        relative = PurePosixPath()
    folder = point / relative
    return [str(f) for f in (folder, *folder.parents) if f.is_relative_to(point)]


def _cpu_v2(tree: Tree, folder: str) -> list[float]:
    quota, _, period = (tree.text(f"{folder}/cpu.max") or "").partition(" ")
    return _share(quota, period)


def _cpu_v1(tree: Tree, folder: str) -> list[float]:
    quota = tree.text(f"{folder}/cpu.cfs_quota_us") or ""  # -1: none
    return _share(quota, tree.text(f"{folder}/cpu.cfs_period_us") or "")


def _share(quota: str, period: str) -> list[float]:
    period = period or "100000"  # the kernel's default
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return []  # "max", "-1", or nothing to read
    return [int(quota) / int(period)]


def _memory(tree: Tree, folder: str, name: str) -> list[int]:
    limit = tree.number(f"{folder}/{name}")  # "max" is no number
    return [limit] if limit is not None and 0 < limit < _UNLIMITED else []


def _inherited_memory(tree: Tree, folder: str) -> list[int]:
    """v1 also tells the lowest limit of the groups above, those out of sight included."""
    stat = tree.text(f"{folder}/memory.stat") or ""
    match = re.search(r"^hierarchical_memory_limit (\d+)$", stat, re.MULTILINE)
    return [int(match[1])] if match and 0 < int(match[1]) < _UNLIMITED else []
