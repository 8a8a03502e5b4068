"""Whether the process that records a run is still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

HEARTBEAT_LIMIT_S = 15.0  # the recorder writes about every second


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, told apart from any other on any machine, before and after a reboot."""

    host: str
    boot: str  # changes with each boot, and from one container to the next
    pid: int
    started: str  # a process id is used again; its start is not


def this_process(root: Path = Path("/")) -> ProcessIdentity:
    """The calling process."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _boot(root), pid, _started(pid, root) or "")


def is_interrupted(
    recorder: ProcessIdentity | None, heartbeat: float, now: float, root: Path = Path("/")
) -> bool:
    """Whether a run that has not ended has lost its recorder.

    It has where nothing was heard for 15 s, or where its process should be on this machine and is
    not. Without a recorder (an imported run) nobody is left to end it.
    """
    if recorder is None or now - heartbeat > HEARTBEAT_LIMIT_S:
        return True
    return lives(recorder, root) is False


def lives(recorder: ProcessIdentity, root: Path = Path("/")) -> bool | None:
    """Whether a process is still there; None for one of another machine, or of another boot."""
    if recorder.host != socket.gethostname() or recorder.boot != _boot(root):
        return None
    return _started(recorder.pid, root) == recorder.started


def _boot(root: Path) -> str:
    """This boot and process namespace, where the system tells (Linux)."""
    try:
        boot = (root / "proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(root / 'proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int, root: Path) -> str | None:
    """When a living process started, in a form that only compares; None where there is none."""
    if not (root / "proc/self/stat").exists():
        return _started_elsewhere(pid)
    try:
        stat = (root / "proc" / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # proc(5): the name, in brackets, may hold anything; state is field 3, start time field 22.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _started_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.2f}"
    except psutil.Error:
        return None
