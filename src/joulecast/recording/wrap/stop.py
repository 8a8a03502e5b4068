"""Ends a command and all its processes, so that it can save its work and no process remains.

The order of signals follows what trainings need:

1. SIGTERM goes to the command alone, as `docker stop` does: a trainer whose data loaders receive
   it, too, cannot write its checkpoint. SIGCONT follows, as systemd.kill(5) does, because a stopped
   process handles no signal.
2. Where a process has ended and others remain (a shell ends at once and leaves its trainer; a
   daemon has no parent), the topmost of them are signaled next, each with its own grace period.
3. Where one outlives its grace period, all below it are signaled, too: a shell with a trap waits
   for the program it runs.
4. Processes that outlive that are killed, parents before their children, which parents might
   replace. SIGSTOP is not sent first: a killed process forks no more either, and a stopped command
   would stop joulecast.

The command shares our process group, possibly with other programs (`joulecast run ... | tee`):
signals go to processes one by one, never to a group. On Linux orphans are adopted, so that none is
missed; elsewhere one is found if `tend` listed it while its parent lived.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

# As `docker stop`.
GRACE_S = 10.0
_POLL_S = 0.05
# A killed process that still exists after so long waits for a device.
_KILLED_S = 5.0
# Grace periods in total, whatever new processes start.
_GRACES = 3
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

# A psutil.Process, which is imported late; compared by process id and start time.
Process = Any


@dataclass(frozen=True, slots=True)
class Left:
    """A process that could not be ended, and why."""

    pid: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """How many of a command's processes ended by SIGTERM, were killed, or still run."""

    terminated: int
    killed: int
    left: tuple[Left, ...] = ()

    def __str__(self) -> str:
        parts = []
        if self.terminated:
            parts.append(f"{_processes(self.terminated)} ended")
        if self.killed:
            parts.append(f"{_processes(self.killed)} had to be killed")
        parts += [f"{p.name} (pid {p.pid}) still runs: {p.reason}" for p in self.left]
        return ", ".join(parts) or "it had ended already"


class Stopper:
    """Ends the command of joulecast, in another thread than the one that waits for it.

    Call `adopt_orphans` before the command starts, `follow` once it has started, `tend` about once
    a second, and `stop` to end it. The thread that waits for the command must wait for `stop` to
    return. Processes in `exclude`, those that were below joulecast before, and what these start,
    are left alone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        exclude: Collection[int] = (),
    ) -> None:
        import psutil

        self._clock, self._sleep = clock, sleep
        self._exclude = frozenset(exclude)
        self._me = psutil.Process()
        self._command: Process | None = None
        self._before: set[Process] = set()
        # Descendants of the command when they were last listed.
        self._known: set[Process] = set()
        self._adopting = False
        # Of two threads that reap at once, one could hit a process id that was reused.
        self._lock = threading.RLock()

    def adopt_orphans(self) -> bool:
        """From now on descendants that lose their parent become children of joulecast.

        Otherwise process 1 becomes their parent. Returns False where the system cannot do that.
        """
        self._before = set(self._me.children(recursive=True))
        self._adopting = sys.platform == "linux" and _become_subreaper()
        return self._adopting

    def follow(self, pid: int) -> None:
        """The command has been started."""
        import psutil

        # It has ended already.
        with suppress(psutil.Error):
            self._command = psutil.Process(pid)

    def tend(self) -> None:
        """Reap adopted orphans that have ended; where none are adopted, list the processes.

        The command itself is reaped by the thread that waits for it.
        """
        if self._command is None:
            return
        if not self._adopting:
            self._living()
            return
        any_ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with self._lock, suppress(ChildProcessError):
            if os.waitid(os.P_ALL, 0, any_ended) is not None:
                self._reap(self._me.children())

    def stop(self, grace_s: float = GRACE_S) -> Stopped:
        """End the command and all its processes; returns when none remains that can be ended.

        The last are killed after at most three times `grace_s`. Time in which joulecast itself was
        stopped (Ctrl-Z) does not count.
        """
        watch = _StopWatch(self._clock)
        processes: set[Process] = set()
        refused: dict[Process, Left] = {}
        signaled: dict[Process, float] = {}
        while living := self._endable(processes, refused):
            now_s = watch.read()
            late = any(now_s - signaled[p] >= grace_s for p in living if p in signaled)
            for process in self._next(living, everyone=late):
                if process not in signaled and _send(process, signal.SIGTERM, refused):
                    _send(process, signal.SIGCONT, refused)
                    signaled[process] = now_s
            last_s = max(signaled.values(), default=math.inf)
            if now_s - last_s >= grace_s or now_s >= _GRACES * grace_s:
                break
            self._sleep(_POLL_S)
        killed = self._kill(processes, refused)
        left = {
            p.pid: Left(p.pid, _name(p), "it was killed, but waits for a device")
            for p in killed
            if p in self._known
        }
        left |= {p.pid: why for p, why in refused.items() if p in self._known}
        gone_killed = sum(p not in self._known for p in killed)
        return Stopped(len(processes) - gone_killed - len(left), gone_killed, tuple(left.values()))

    def _kill(self, processes: set[Process], refused: dict[Process, Left]) -> set[Process]:
        """Kill the remaining processes, and those they start. Returns the killed ones."""
        watch = _StopWatch(self._clock)
        killed: set[Process] = set()
        while (living := self._endable(processes, refused)) and watch.read() < _KILLED_S:
            new = [process for process in living if process not in killed]
            killed |= {p for p in _oldest_first(new) if _send(p, signal.SIGKILL, refused)}
            if not new:
                self._sleep(_POLL_S)
        return killed

    def _next(self, living: dict[Process, int], *, everyone: bool) -> Iterable[Process]:
        """The processes to signal next, see the top of this file."""
        if everyone:
            return _oldest_first(living)
        if self._command in living:
            return [self._command]
        pids = {process.pid for process in living}
        return [process for process, parent in living.items() if parent not in pids]

    def _endable(self, processes: set[Process], refused: dict[Process, Left]) -> dict[Process, int]:
        """Live processes that may be signaled, each with its parent's process id."""
        # A process that forks and ends during the listing hides its child, so an empty list is
        # confirmed by a second one.
        for _ in range(2):
            living = {p: parent for p, parent in self._living().items() if p not in refused}
            if living:
                break
        processes.update(living)
        return living

    def _living(self) -> dict[Process, int]:
        """All live processes of the command, each with its parent's process id."""
        import psutil

        with self._lock:
            below = set(self._me.children(recursive=True))
            # Orphans that were not adopted.
            for process in (self._known | {self._command}) - below:
                with suppress(psutil.Error):
                    if process is not None and process.is_running():
                        below |= {process, *process.children(recursive=True)}
            if self._adopting:
                self._reap(below)
            parents = {p: parent for p in below if (parent := _parent_of_living(p)) is not None}
            spared = self._spared(parents)
            living = {p: parent for p, parent in parents.items() if p not in spared}
            self._known = set(living)
            return living

    def _spared(self, parents: dict[Process, int]) -> set[Process]:
        """Processes of others: excluded, older than the command, or started by such."""
        spared = {p for p in parents if p.pid in self._exclude or p in self._before}
        grew = bool(spared)
        while grew:
            pids = {p.pid for p in spared}
            more = {p for p, parent in parents.items() if parent in pids} - spared
            spared |= more
            grew = bool(more)
        return spared

    def _reap(self, processes: Iterable[Process]) -> None:
        """Wait for adopted orphans that have ended, so that they are no longer listed."""
        import psutil

        for process in processes:
            if process == self._command or process.pid in self._exclude or process in self._before:
                continue
            with suppress(psutil.Error, ChildProcessError):
                if process.ppid() == self._me.pid and process.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(process.pid, os.WNOHANG)


class _StopWatch:
    """Seconds since its creation in which this process ran."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last, self._total_s = clock, clock(), 0.0

    def read(self) -> float:
        now = self._clock()
        # A longer time between two reads means that this process was stopped.
        self._total_s += min(now - self._last, 1.0)
        self._last = now
        return self._total_s


def _become_subreaper() -> bool:
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        # A Python without ctypes, or no C library.
        return False
    done: int = prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    return done == 0


def _parent_of_living(process: Process) -> int | None:
    """Its parent's process id; None where it has ended, also while it is still listed."""
    import psutil

    try:
        with process.oneshot():
            # Where threads remain, only the first of them has ended.
            if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2:
                return None
            parent: int = process.ppid()
            return parent
    except psutil.NoSuchProcess:
        return None


def _oldest_first(processes: Iterable[Process]) -> list[Process]:
    return sorted(processes, key=lambda process: float(process.create_time()))


def _send(process: Process, number: int, refused: dict[Process, Left]) -> bool:
    """Signal a process, never another that has its process id now. Returns False if it has ended.

    A process that may not be signaled is added to `refused`.
    """
    import psutil

    try:
        if not hasattr(os, "pidfd_open"):
            process.send_signal(number)
            return True
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return False
        except OSError:
            # An old kernel, or a sandbox that does not allow it.
            process.send_signal(number)
            return True
        try:
            # While the handle is open the process id is not reused.
            if not process.is_running():
                return False
            signal.pidfd_send_signal(handle, number)
            return True
        finally:
            os.close(handle)
    except (psutil.AccessDenied, PermissionError):
        refused[process] = Left(process.pid, _name(process), f"it belongs to {_owner(process)}")
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    return False


def _name(process: Process) -> str:
    import psutil

    try:
        return str(process.name())
    except psutil.Error:
        return "a process"


def _owner(process: Process) -> str:
    import psutil

    try:
        return str(process.username())
    except (psutil.Error, KeyError):
        return "another user"


def _processes(n: int) -> str:
    return "1 process" if n == 1 else f"{n} processes"
