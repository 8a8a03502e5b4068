"""The share of a CPU package that belongs to one process tree, and a meter that takes it.

No counter splits a package's energy between processes. joulecast splits it by CPU time: the
tree's CPU seconds over the machine's busy CPU seconds in the same window, as Scaphandre and Kepler
do. The split is exact where the tree is alone on the machine; beside others it is not, since equal
CPU seconds do not cost equal joules (vector units, memory traffic, two threads on one core).
`SPLIT_UNCERTAINTY` is an assumption: workloads at equal CPU load differ by about that much.
"""

from __future__ import annotations

from dataclasses import replace

from ..units import Provenance
from .base import Meter, Reading, ReadingKind, Uncertainty
from .cpu_time import CpuSample, CpuTime

SPLIT_UNCERTAINTY = 0.3  # of the share, where all the rest of the machine's load is others'

TICK_S = 0.01
"""CPU time is counted in ticks (Linux: 10 ms)."""


class TickError:
    """What counting in ticks may have added to a tree's energy, and hidden of it, J.

    What a tree uses shows when a tick of it is full, whichever of two windows that falls into: over
    the whole, one tick too many may be counted or one too few. A tick costs what the window says
    in which it shows, the whole idle power where little else runs; the dearest one counts.
    """

    def __init__(self) -> None:
        self.added_j, self.hidden_j = 0.0, 0.0

    def see(self, before: CpuSample, after: CpuSample, low_j: float, high_j: float) -> None:
        """A window in which the machine used `low_j` to `high_j`."""
        if before.tree_cpu_s is None or after.tree_cpu_s is None:
            return
        tick = TICK_S / max(TICK_S, after.machine_busy_s - before.machine_busy_s)
        if after.tree_cpu_s > before.tree_cpu_s:
            self.added_j = max(self.added_j, low_j * tick)
        self.hidden_j = max(self.hidden_j, high_j * tick)


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


class ShareMeter(Meter):
    """The process tree's part of a package counter (RAPL, say): measured joules, modelled split.

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
                low=min(1.0, whole.low + SPLIT_UNCERTAINTY),
                high=whole.high + SPLIT_UNCERTAINTY,
                origin=f"{whole.origin}; split by CPU time: up to 30 % assumed, "
                "less the more of the load is the run's own",
            ),
        )
        self._before: tuple[Reading, CpuSample] | None = None
        self._reading: Reading | None = None
        self._bounds = (0.0, 0.0)  # of what the ticks say
        self._ticks = TickError()

    def read(self) -> Reading:
        """Joules of the tree since the meter was opened. Raises `MeterLostError`."""
        whole, sample = self._inner.read(), self._cpu_time.sample()
        if self._before is None or self._reading is None:
            self._before = (whole, sample)
            self._reading = Reading(whole.t_s, 0.0, 0.0, 0.0, 0.0)
            return self._reading
        then, sample_then = self._before
        if sample.t_s <= sample_then.t_s:  # asked again within one tick
            return self._reading
        share = tree_share(sample_then, sample)
        low, high = share_interval(share)
        last = self._reading
        joules = max(0.0, whole.value - then.value)
        least, most = max(0.0, whole.low - then.low), max(0.0, whole.high - then.high)
        self._ticks.see(sample_then, sample, least, most)
        self._bounds = (self._bounds[0] + least * low, self._bounds[1] + most * high)
        self._before = (whole, sample)
        self._reading = Reading(
            t_s=whole.t_s,
            value=last.value + joules * share,
            low=max(0.0, self._bounds[0] - self._ticks.added_j),
            high=self._bounds[1] + self._ticks.hidden_j,
            held_s=last.held_s + max(0.0, whole.held_s - then.held_s) * share,
        )
        return self._reading

    def note(self) -> str | None:
        """The inner meter's note."""
        return self._inner.note()

    def close(self) -> None:
        """Closes the inner meter."""
        self._inner.close()
