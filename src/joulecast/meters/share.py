"""The share of a CPU package that belongs to one process tree, and a meter that takes it.

No counter splits a package's energy between processes. joulecast splits it by CPU time: the
tree's CPU seconds over the machine's busy CPU seconds in the same window, as Scaphandre and Kepler
do. The split is exact if no other program runs; otherwise it is not, because equal
CPU seconds do not cost equal joules (vector units, memory traffic, two threads on one core).
`SPLIT_UNCERTAINTY` is an assumption: workloads at equal CPU load differ by about that much.
"""

from dataclasses import replace
from math import hypot

from ..estimate import Provenance
from .base import Meter, Reading, ReadingKind, Uncertainty
from .cpu_time import CpuSample, CpuTime

SPLIT_UNCERTAINTY = 0.3
"""Of the share, where all other load of the machine is other programs'."""

TICK_S = 0.01
"""CPU time is counted in ticks (Linux: 10 ms)."""


def tree_share(before: CpuSample, after: CpuSample) -> float:
    """The tree's part of the machine's busy time between two samples, from 0 to 1.

    1 where no tree is followed; 0 in a window in which the machine was idle.
    """
    if before.tree_cpu_s is None or after.tree_cpu_s is None:
        return 1.0
    busy = after.machine_busy_s - before.machine_busy_s
    if busy <= 0:
        return 0.0
    return min(1.0, max(0.0, (after.tree_cpu_s - before.tree_cpu_s) / busy))


def share_interval(share: float) -> tuple[float, float]:
    """The 90 % interval of a share: `share * (1 -+ 0.3 * (1 - share))`, at most 1."""
    spread = SPLIT_UNCERTAINTY * (1.0 - share)
    return share * (1.0 - spread), min(1.0, share * (1.0 + spread))


class ShareSum:
    """Adds up a tree's share of the energy of each window, and its bounds.

    Bounds are those of the split, and what counting CPU time in ticks may have added or hidden.
    What a tree uses shows when a tick of it is full, in whichever of two windows that happens:
    over the whole run, one tick too many may be counted or one too few. A tick costs what its
    window shows, the whole idle power where little else runs; the largest such cost counts.

    `is_split` is False where all of the energy is the run's.
    """

    def __init__(self, is_split: bool = True) -> None:
        self._is_split = is_split
        self._low_j = self._high_j = 0.0
        self._added_j = self._hidden_j = 0.0
        self.reading = Reading(0.0, 0.0, 0.0, 0.0, 0.0)

    def start(self, t_s: float) -> Reading:
        """The first reading, at the instant `t_s`."""
        self.reading = Reading(t_s, 0.0, 0.0, 0.0, 0.0)
        return self.reading

    def add(self, before: CpuSample, after: CpuSample, window: Reading) -> Reading:
        """The reading after a window in which the machine used the joules of `window`."""
        share, low, high = 1.0, 1.0, 1.0
        if self._is_split:
            share = tree_share(before, after)
            low, high = share_interval(share)
            self._count_ticks(before, after, window)
        # The meter's error and the split's are independent: half-widths in quadrature.
        value = window.value * share
        below = hypot(share * (window.value - window.low), window.value * (share - low))
        above = hypot(share * (window.high - window.value), window.value * (high - share))
        self._low_j += max(0.0, value - below)
        self._high_j += value + above
        self.reading = Reading(
            t_s=window.t_s,
            value=self.reading.value + value,
            low=max(0.0, self._low_j - self._added_j),
            high=self._high_j + self._hidden_j,
            held_s=self.reading.held_s + window.held_s * share,
        )
        return self.reading

    def _count_ticks(self, before: CpuSample, after: CpuSample, window: Reading) -> None:
        if before.tree_cpu_s is None or after.tree_cpu_s is None:
            return
        tick = TICK_S / max(TICK_S, after.machine_busy_s - before.machine_busy_s)
        if after.tree_cpu_s > before.tree_cpu_s:
            self._added_j = max(self._added_j, window.low * tick)
        self._hidden_j = max(self._hidden_j, window.high * tick)


class ShareMeter(Meter):
    """The process tree's part of a package counter (such as RAPL): measured joules, modelled split.

    `inner` must be a `ReadingKind.COUNTER` (ValueError otherwise). `held_s` integrates the share.
    """

    def __init__(self, inner: Meter, cpu_time: CpuTime) -> None:
        if inner.source.kind is not ReadingKind.COUNTER:
            raise ValueError(f"{inner.source.source} is no counter: its energy cannot be split")
        self._inner, self._cpu_time = inner, cpu_time
        whole = inner.source.uncertainty
        self.source = replace(
            inner.source,
            source=f"{inner.source.source}, share by CPU time of the process tree",
            provenance=Provenance.MODELLED,
            uncertainty=Uncertainty(
                low=min(1.0, hypot(whole.low, SPLIT_UNCERTAINTY)),
                high=hypot(whole.high, SPLIT_UNCERTAINTY),
                origin=f"{whole.origin}; split by CPU time: up to 30 % assumed, "
                "less where more of the load is the run's own",
                own=max(whole.low, whole.high) if whole.own is None else whole.own,
            ),
        )
        self._before: tuple[Reading, CpuSample] | None = None
        self._sum = ShareSum()

    def read(self) -> Reading:
        """Joules of the tree since the meter was opened. Raises `MeterLostError`."""
        whole, sample = self._inner.read(), self._cpu_time.sample()
        if self._before is None:
            self._before = (whole, sample)
            return self._sum.start(whole.t_s)
        then, sample_then = self._before
        # Two reads within one tick share a sample of CPU time.
        if sample.t_s <= sample_then.t_s:
            return self._sum.reading
        self._before = (whole, sample)
        window = Reading(
            t_s=whole.t_s,
            value=max(0.0, whole.value - then.value),
            low=max(0.0, whole.low - then.low),
            high=max(0.0, whole.high - then.high),
            held_s=max(0.0, whole.held_s - then.held_s),
        )
        return self._sum.add(sample_then, sample, window)

    def note(self) -> str | None:
        """The inner meter's note."""
        return self._inner.note()

    def close(self) -> None:
        """Closes the inner meter."""
        self._inner.close()
