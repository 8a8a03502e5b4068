"""CPU time of the machine and of a process tree, read once for all meters in one tick."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .process_tree import ProcTreeReader, PsutilTreeReader, TreeAccount

NOT_STARTED = 0
"""For `root_pid`: a process that will start and be given to `follow`; it has used nothing yet."""

UPDATE_PERIOD_S = 0.05
"""CPU time is counted in ticks of 10 ms: within fewer than five, load is mostly rounding."""

# Meters read within one tick of the sampler share a sample.
_MAX_AGE_S = 0.02


@dataclass(frozen=True, slots=True)
class CpuSample:
    """Cumulative CPU times at one instant; only differences between samples have a meaning.

    The machine's figures are those of the kernel: of the virtual machine in a VM, of the *whole
    host* in most containers (`/proc/stat` is not namespaced). Stolen time and waiting for input
    or output count as not busy. `tree_cpu_s` and `tree_rss_bytes` are None where no process tree
    is followed; resident pages shared between its processes are counted once for each.
    """

    t_s: float
    machine_busy_s: float
    machine_total_s: float  # of all logical CPUs together
    tree_cpu_s: float | None
    tree_rss_bytes: int | None


class CpuTime:
    """CPU times of the machine and of the tree of `root_pid` (None: the machine alone).

    The tree counts its live members, children that ended (waited for or not), and descendants
    that were reparented, once seen. A descendant that is born, leaves its parent and ends between
    two readings is not seen. Resolution: the kernel's tick, 10 ms on Linux.
    """

    def __init__(
        self, clock: Callable[[], float], root_pid: int | None, proc: Path = Path("/proc")
    ) -> None:
        self._clock = clock
        self._stat = proc / "stat"
        self._proc = proc
        self._reader: ProcTreeReader | PsutilTreeReader | None = None
        self._follows = root_pid is not None
        self._account = TreeAccount()
        self._last: CpuSample | None = None
        self._lock = threading.Lock()
        if root_pid:
            self.follow(root_pid)

    def follow(self, root_pid: int) -> None:
        """From now on count the tree of `root_pid`, which was `NOT_STARTED` so far."""
        with self._lock:
            self._reader = (
                ProcTreeReader(root_pid, self._proc)
                if self._stat.exists()
                else PsutilTreeReader(root_pid)
            )

    def sample(self) -> CpuSample:
        """The times now, or those read at most 20 ms ago."""
        with self._lock:
            now = self._clock()
            if self._last is None or not 0 <= now - self._last.t_s < _MAX_AGE_S:
                self._last = self._read(now)
            return self._last

    def members(self) -> frozenset[int]:
        """Ids of the tree's processes that lived at the last sample."""
        with self._lock:
            return self._account.members()

    def _read(self, now: float) -> CpuSample:
        busy, total = machine_times(self._stat)
        if self._reader is None:
            empty = (0.0, 0) if self._follows else (None, None)
            return CpuSample(now, busy, total, *empty)
        live = self._reader.read(now)
        cpu = self._account.update(live)
        return CpuSample(now, busy, total, cpu, sum(p.rss_bytes for p in live))


class OtherLoad:
    """The share of the processors' time that other programs took since this was created."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._times = CpuTime(clock, os.getpid())
        self._before = self._times.sample()

    def others(self) -> float | None:
        """From 0 to 1; None where no CPU time has passed."""
        now, before = self._times.sample(), self._before
        total = now.machine_total_s - before.machine_total_s
        if total <= 0 or now.tree_cpu_s is None or before.tree_cpu_s is None:
            return None
        busy = now.machine_busy_s - before.machine_busy_s
        return max(0.0, busy - (now.tree_cpu_s - before.tree_cpu_s)) / total


def machine_times(stat: Path) -> tuple[float, float]:
    """Busy and total CPU seconds since boot of all logical CPUs, from `/proc/stat` or psutil.

    Field order: proc(5), `/proc/stat`. Guest time is part of user time already.
    """
    try:
        with stat.open("rb") as file:
            fields = [int(x) for x in file.readline().split()[1:9]]
    except OSError:
        return _psutil_machine_times()
    user, nice, system, idle, iowait, irq, softirq, steal = (fields + [0] * 8)[:8]
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
    busy = user + nice + system + irq + softirq
    return busy * tick_s, (busy + idle + iowait + steal) * tick_s


def _psutil_machine_times() -> tuple[float, float]:
    import psutil

    times = psutil.cpu_times()._asdict()
    total = sum(v for name, v in times.items() if not name.startswith("guest"))
    idle = times.get("idle", 0.0) + times.get("iowait", 0.0) + times.get("steal", 0.0)
    return float(total - idle), float(total)
