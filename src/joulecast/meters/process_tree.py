"""CPU time of a process and all its descendants, including those that have ended.

`/proc` and psutil report the time of processes that live now. When a process ends, its time is
gone, unless its parent waits for it (then it is added to the parent's `cutime`). `TreeAccount`
keeps the time of a process that vanished, less what its nearest live ancestor has received.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_MANY_THREADS = 200
# How often new descendants are searched: at least, and for each thread of the tree.
_REFRESH_S, _REFRESH_S_PER_THREAD = 0.2, 0.004
# Processes of a tree that are read at once: each costs about 10 microseconds.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """What one live process has used so far.

    Attributes:
        pid: process id.
        parent: process id of its parent.
        started: when it started, in a unit of its own: distinguishes a reused pid.
        own_s: CPU seconds of the process itself, all threads.
        waited_s: CPU seconds of the ended descendants it has waited for.
        rss_bytes: resident memory.
        threads: number of its threads.
    """

    pid: int
    parent: int
    started: float
    own_s: float
    waited_s: float
    rss_bytes: int = 0
    threads: int = 1

    @property
    def total_s(self) -> float:
        """CPU seconds that are lost with this process unless its parent waits for it."""
        return self.own_s + self.waited_s


class TreeAccount:
    """CPU seconds of a changing set of processes; the total never falls."""

    def __init__(self) -> None:
        self._known: dict[int, ProcessTimes] = {}
        self._lost_s = 0.0
        self._total_s = 0.0

    def update(self, live: Iterable[ProcessTimes]) -> float:
        """CPU seconds so far, given all members that live now."""
        now = {p.pid: p for p in live}
        gone = [p for pid, p in self._known.items() if not _same(p, now.get(pid))]
        if gone:
            self._lost_s += self._lost(gone, now)
        self._known = now
        total = self._lost_s + sum(p.own_s + p.waited_s for p in now.values())
        self._total_s = max(self._total_s, total)
        return self._total_s

    def _lost(self, gone: list[ProcessTimes], now: dict[int, ProcessTimes]) -> float:
        """CPU seconds of processes that ended, less what their live ancestors have received."""
        growth = {
            pid: p.waited_s - self._known[pid].waited_s
            for pid, p in now.items()
            if _same(p, self._known.get(pid))
        }
        # What an ancestor received by waiting may be the time of several that vanished below it.
        vanished: dict[int | None, float] = {}
        for process in gone:
            heir = self._heir(process, growth)
            vanished[heir] = vanished.get(heir, 0.0) + process.total_s
        return sum(
            max(0.0, seconds - (growth[heir] if heir is not None else 0.0))
            for heir, seconds in vanished.items()
        )

    def members(self) -> frozenset[int]:
        """Ids of the processes that lived at the last update."""
        return frozenset(self._known)

    def _heir(self, process: ProcessTimes, alive: dict[int, float]) -> int | None:
        """The nearest ancestor that still lives, or None (reparented to a stranger)."""
        visited = {process.pid}
        parent = process.parent
        while parent not in visited:
            if parent in alive:
                return parent
            if parent not in self._known:
                return None
            visited.add(parent)
            parent = self._known[parent].parent
        return None


def _same(a: ProcessTimes, b: ProcessTimes | None) -> bool:
    # Most are the same object: those that were not read again.
    return a is b or (b is not None and a.started == b.started)


class ProcTreeReader:
    """The tree under `root_pid`, from a Linux proc file system.

    Of a large tree each reading asks a part: processes that used CPU time when they were last
    asked, and the others in turn. When any has ended all are asked, so that its time, which its
    parent receives, is counted once.
    """

    def __init__(self, root_pid: int, proc: Path) -> None:
        self._root, self._proc = root_pid, proc
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        # What is known of each process; those that were asked longest ago come first.
        self._live: dict[int, ProcessTimes] = {}
        self._busy: set[int] = set()
        self._refreshed_s: float | None = None
        self._children_files: bool | None = None

    def read(self, now_s: float) -> list[ProcessTimes]:
        """All live members, those included that left their parent after they were first seen."""
        live = self._live
        if self._refreshed_s is None and (root := self._stat(self._root)) is not None:
            live[root.pid] = root
        busy = list(islice(self._busy, _AT_ONCE // 2))
        due = {*busy, *islice(live, _AT_ONCE - len(busy))}
        if self._ask(due):
            self._ask(live.keys() - due)
        threads = sum(p.threads for p in live.values())
        period_s = max(_REFRESH_S, _REFRESH_S_PER_THREAD * threads)
        if self._refreshed_s is None or now_s - self._refreshed_s >= period_s:
            self._refreshed_s = now_s
            for process in self._newcomers(live, threads):
                live[process.pid] = process
        return list(live.values())

    def _ask(self, pids: Iterable[int]) -> bool:
        """Read some of the processes; whether any of the tree has ended since the last time."""
        ended = False
        for pid in list(pids):
            before, now = self._live.pop(pid), self._stat(pid)
            self._busy.discard(pid)
            if now is None or not _same(now, before):
                ended = True
                continue
            ended |= now.waited_s > before.waited_s
            if now.own_s > before.own_s:
                self._busy.add(pid)
            self._live[pid] = now
        return ended

    def _newcomers(self, live: dict[int, ProcessTimes], threads: int) -> list[ProcessTimes]:
        """Descendants not yet known: by the kernel's lists of children, or by one scan of all."""
        if not live:
            return []
        # There is a list for each thread: with many of them a scan of all processes costs less.
        if threads > _MANY_THREADS or not self._has_children_files():
            everyone = [int(name) for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208
            return self._by_scan(everyone, set(live))
        return self._by_children(live)

    def _by_children(self, live: dict[int, ProcessTimes]) -> list[ProcessTimes]:
        newcomers: dict[int, ProcessTimes] = {}
        todo = list(live)
        while todo:
            for child in self._children(todo.pop()):
                if child in live or child in newcomers:
                    continue
                process = self._stat(child)
                if process is not None:
                    newcomers[child] = process
                    todo.append(child)
        return list(newcomers.values())

    def _by_scan(self, everyone: list[int], members: set[int]) -> list[ProcessTimes]:
        others = {p.pid: p for pid in everyone if pid not in members and (p := self._stat(pid))}
        descendants: list[ProcessTimes] = []
        grew = True
        while grew:
            new = [p for p in others.values() if p.parent in members]
            grew = bool(new)
            for process in new:
                members.add(process.pid)
                descendants.append(others.pop(process.pid))
        return descendants

    def _has_children_files(self) -> bool:
        """Whether the kernel was built with lists of children (CONFIG_PROC_CHILDREN)."""
        if self._children_files is None:
            self._children_files = (self._proc / "thread-self" / "children").exists()
        return self._children_files

    def _children(self, pid: int) -> list[int]:
        tasks = f"{self._proc}/{pid}/task"
        children: list[int] = []
        try:
            for task in os.listdir(tasks):  # noqa: PTH208 - paths cost at 10 Hz
                with open(f"{tasks}/{task}/children") as file:  # noqa: PTH123
                    children += map(int, file.read().split())
        except OSError:
            # The process has ended.
            pass
        return children

    def _stat(self, pid: int) -> ProcessTimes | None:
        try:
            # A file object would take as long again.
            fd = os.open(f"{self._proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            text = os.read(fd, 4096)
        except OSError:
            return None
        finally:
            os.close(fd)
        # The name, in brackets, may hold blanks and brackets itself: fields count from its end.
        fields = text[text.rfind(b")") + 2 :].split()
        if len(fields) < 22:
            return None
        own = int(fields[11]) + int(fields[12])
        waited = int(fields[13]) + int(fields[14])
        return ProcessTimes(
            pid=pid,
            parent=int(fields[1]),
            started=float(fields[19]),
            own_s=own * self._tick_s,
            waited_s=waited * self._tick_s,
            rss_bytes=max(0, int(fields[21])) * self._page,
            threads=int(fields[17]),
        )


class PsutilTreeReader:
    """The tree under `root_pid` where there is no proc file system (macOS, Windows)."""

    def __init__(self, root_pid: int) -> None:
        self._root = root_pid
        self._members: dict[int, float] = {}
        self._refreshed_s: float | None = None

    def read(self, now_s: float) -> list[ProcessTimes]:
        """All live members, those included that left their parent after they were first seen."""
        import psutil

        if self._refreshed_s is None or now_s - self._refreshed_s >= _REFRESH_S:
            self._refreshed_s = now_s
            for pid in [self._root, *self._members]:
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    for member in [process, *process.children(recursive=True)]:
                        self._members.setdefault(member.pid, member.create_time())
        live = []
        for pid, started in list(self._members.items()):
            times = _psutil_times(pid)
            if times is None or times.started != started:
                del self._members[pid]
            else:
                live.append(times)
        return live


def _psutil_times(pid: int) -> ProcessTimes | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            cpu = process.cpu_times()
            return ProcessTimes(
                pid=pid,
                parent=process.ppid(),
                started=process.create_time(),
                own_s=cpu.user + cpu.system,
                waited_s=getattr(cpu, "children_user", 0) + getattr(cpu, "children_system", 0),
                rss_bytes=process.memory_info().rss,
                threads=process.num_threads(),
            )
    except psutil.Error:
        # The process has ended, or may not be read.
        return None
