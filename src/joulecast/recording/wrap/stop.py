"""Ends a command and all it has started, so that it can save its work and nothing stays behind.

Who is told, and when, follows what trainings need:

1. SIGTERM goes to the command alone, as `docker stop` does it: a trainer whose data loaders were
   told with it could not write its checkpoint. SIGCONT follows, as systemd.kill(5) does it: a
   stopped process acts on neither before.
2. Where a process has gone and left others behind (a shell dies at once and leaves its trainer; a
   daemon had no parent long since), the topmost of them are told next, each with a grace period
   of its own.
3. Where one outlives its grace period, all below it are told too: a shell with a trap waits for
   the program it runs.
4. Who outlives that is killed. Parents die before their children, who else might be replaced.
   SIGSTOP first would not help: who is killed forks no more either, and a stopped command would
   stop joulecast with it.

The command shares our process group, and that may be shared with more (`joulecast run ... | tee`):
signals go to processes one by one, never to a group. On Linux orphans are adopted, so none is
missed; elsewhere one is known if it was seen while its parent lived (`tend` looks).
"""

from __future__ import annotations

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

GRACE_S = 10.0  # that of `docker stop`
_LOOK_S = 0.05
_KILLED_S = 5.0  # a killed process that is still there by then waits for a device
_GRACES = 3  # in all, whatever new processes turn up
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

Process = Any  # psutil.Process, imported late; equal where process id and start time are


@dataclass(frozen=True, slots=True)
class Left:
    """A process that could not be ended, and why."""

    pid: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a command's processes ended: by themselves once told, killed, or not at all."""

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
    """Ends the command that joulecast has started, in a thread beside the one that waits for it.

    `adopt_orphans` before the command starts, `follow` once it has, `tend` about once a second,
    and `stop` when it is to end. The thread that waits for the command sees it end first: it must
    wait for `stop` to return before it leaves. Nothing is done to processes in `exclude`, to those
    that were below us before, and to what these start.
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
        self._known: set[Process] = set()  # lived below the command when last seen
        self._adopting = False
        self._lock = threading.RLock()  # two that reap at once could hit a process id used anew

    def adopt_orphans(self) -> bool:
        """From now on a descendant that loses its parent becomes ours; False where it cannot be.

        It finds us as its parent, where it would find process 1 otherwise.
        """
        self._before = set(self._me.children(recursive=True))
        self._adopting = sys.platform == "linux" and _become_subreaper()
        return self._adopting

    def follow(self, pid: int) -> None:
        """The command has been started."""
        import psutil

        with suppress(psutil.Error):  # it has ended already, and another waited for it
            self._command = psutil.Process(pid)

    def tend(self) -> None:
        """Bury adopted orphans that have died; or, where none are adopted, see who is there.

        The command itself is left to whoever waits for it.
        """
        if self._command is None:
            return
        if not self._adopting:
            self._living()
            return
        any_ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with self._lock, suppress(ChildProcessError):
            if os.waitid(os.P_ALL, 0, any_ended) is not None:
                self._bury(self._me.children())

    def stop(self, grace_s: float = GRACE_S) -> Stopped:
        """End the command and all below it; returns when none is left that can be ended.

        At most three times `grace_s` pass before the last are killed. Time in which joulecast was
        itself stopped (Ctrl-Z) does not count.
        """
        watch = _StopWatch(self._clock)
        seen: set[Process] = set()
        refused: dict[Process, Left] = {}
        told: dict[Process, float] = {}
        while living := self._endable(seen, refused):
            now_s = watch.read()
            late = any(now_s - told[p] >= grace_s for p in living if p in told)
            for process in self._next(living, everyone=late):
                if process not in told and _send(process, signal.SIGTERM, refused):
                    _send(process, signal.SIGCONT, refused)
                    told[process] = now_s
            last_s = max(told.values(), default=math.inf)
            if now_s - last_s >= grace_s or now_s >= _GRACES * grace_s:
                break
            self._sleep(_LOOK_S)
        killed = self._kill(seen, refused)
        left = {
            p.pid: Left(p.pid, _name(p), "it was killed, but waits for a device")
            for p in killed
            if p in self._known
        }
        left |= {p.pid: why for p, why in refused.items() if p in self._known}
        gone_killed = sum(p not in self._known for p in killed)
        return Stopped(len(seen) - gone_killed - len(left), gone_killed, tuple(left.values()))

    def _kill(self, seen: set[Process], refused: dict[Process, Left]) -> set[Process]:
        """SIGKILL to all that is left, and to what they start meanwhile; who was sent one."""
        watch = _StopWatch(self._clock)
        killed: set[Process] = set()
        while (living := self._endable(seen, refused)) and watch.read() < _KILLED_S:
            new = [process for process in living if process not in killed]
            killed |= {p for p in _oldest_first(new) if _send(p, signal.SIGKILL, refused)}
            if not new:
                self._sleep(_LOOK_S)
        return killed

    def _next(self, living: dict[Process, int], *, everyone: bool) -> Iterable[Process]:
        """Who is to be told by now, see the top of this file."""
        if everyone:
            return _oldest_first(living)
        if self._command in living:
            return [self._command]
        pids = {process.pid for process in living}
        return [process for process, parent in living.items() if parent not in pids]

    def _endable(self, seen: set[Process], refused: dict[Process, Left]) -> dict[Process, int]:
        """Who lives and may be signalled, each with its parent's process id."""
        # Who forks while all are being listed, and ends, hides its child: nobody twice is nobody.
        for _ in range(2):
            living = {p: parent for p, parent in self._living().items() if p not in refused}
            if living:
                break
        seen.update(living)
        return living

    def _living(self) -> dict[Process, int]:
        """All live processes of the command, each with its parent's process id."""
        import psutil

        with self._lock:
            below = set(self._me.children(recursive=True))
            for process in (self._known | {self._command}) - below:  # an orphan not adopted
                with suppress(psutil.Error):
                    if process is not None and process.is_running():
                        below |= {process, *process.children(recursive=True)}
            if self._adopting:
                self._bury(below)
            parents = {p: parent for p in below if (parent := _parent_of_living(p)) is not None}
            spared = self._spared(parents)
            found = {p: parent for p, parent in parents.items() if p not in spared}
            self._known = set(found)
            return found

    def _spared(self, parents: dict[Process, int]) -> set[Process]:
        """Those that are not the command's: excluded, here before it, or started by such."""
        spared = {p for p in parents if p.pid in self._exclude or p in self._before}
        grew = bool(spared)
        while grew:
            pids = {p.pid for p in spared}
            more = {p for p, parent in parents.items() if parent in pids} - spared
            spared |= more
            grew = bool(more)
        return spared

    def _bury(self, processes: Iterable[Process]) -> None:
        """Wait for the dead among adopted orphans, so that they are no longer listed."""
        import psutil

        for process in processes:
            if process == self._command or process.pid in self._exclude or process in self._before:
                continue
            with suppress(psutil.Error, ChildProcessError):
                if process.ppid() == self._me.pid and process.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(process.pid, os.WNOHANG)


class _StopWatch:
    """Seconds since it was made, in which this process itself ran."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last, self._total_s = clock, clock(), 0.0

    def read(self) -> float:
        now = self._clock()
        self._total_s += min(now - self._last, 1.0)  # longer between two looks: we were stopped
        self._last = now
        return self._total_s


def _become_subreaper() -> bool:
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, no C library
        return False
    done: int = prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    return done == 0


def _parent_of_living(process: Process) -> int | None:
    """Its parent's process id, or None where it is dead, be it still listed."""
    import psutil

    try:
        with process.oneshot():
            # With threads left, only the first of them has ended.
            if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2:
                return None
            parent: int = process.ppid()
            return parent
    except psutil.NoSuchProcess:
        return None


def _oldest_first(processes: Iterable[Process]) -> list[Process]:
    return sorted(processes, key=lambda process: float(process.create_time()))


def _send(process: Process, number: int, refused: dict[Process, Left]) -> bool:
    """Signal this very process, never another that has its process id now; False if it is gone.

    One that is not ours to signal goes into `refused`.
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
        except OSError:  # an old kernel, or a sandbox that forbids it
            process.send_signal(number)
            return True
        try:
            if not process.is_running():  # asked with the process id held: it cannot change hands
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
