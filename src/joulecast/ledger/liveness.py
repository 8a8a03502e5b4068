"""Whether the process that records a run is still alive."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

HEARTBEAT_LIMIT_S = 15.0
"""A run without news for longer is interrupted: its recorder writes about every second."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What distinguishes a process from any other on any machine, also after a reboot.

    Attributes:
        host: name of the machine.
        boot: changes with each boot, and from one container to the next.
        pid: process id, which may be used again.
        started: when the process started, which differs when a process id is used again.
    """

    host: str
    boot: str
    pid: int
    started: str


def this_process(root: Path = Path("/")) -> ProcessIdentity:
    """The calling process."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _boot(root), pid, _started(pid, root) or "")


def is_interrupted(
    recorder: ProcessIdentity | None, heartbeat: float, now: float, root: Path = Path("/")
) -> bool:
    """Whether a run that has not ended has lost its recorder.

    It has if nothing was written for 15 s, or if its process belongs to this machine and does not
    live. An imported run has no recorder: nothing will end it.
    """
    if recorder is None or now - heartbeat > HEARTBEAT_LIMIT_S:
        return True
    return lives(recorder, root) is False


def lives(recorder: ProcessIdentity, root: Path = Path("/")) -> bool | None:
    """Whether a process is alive; None for one of another machine, or of another boot."""
    if recorder.host != socket.gethostname() or recorder.boot != _boot(root):
        return None
    return _started(recorder.pid, root) == recorder.started


def _boot(root: Path) -> str:
    """This boot and process namespace, where the system reports them (Linux)."""
    try:
        boot = (root / "proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(root / 'proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int, root: Path) -> str | None:
    """When a living process started, as a text to compare; None where there is none."""
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
