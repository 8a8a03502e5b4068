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
from .base import Kind, Meter, Reading, Uncertainty
from .cpu_time import CpuSample, CpuTime

SPLIT_UNCERTAINTY = 0.3  # of the share, where all the rest of the machine's load is others'


TICK_S = 0.01
"""CPU time is counted in ticks (Linux: 10 ms). A tree that used less than one shows none, so the
upper bound of its energy allows for one tick more than was counted."""


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

    `inner` must be a `Kind.COUNTER` (ValueError otherwise). `held_s` integrates the share.
    """

    def __init__(self, inner: Meter, cpu_time: CpuTime) -> None:
        if inner.source.kind is not Kind.COUNTER:
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
        unseen = 0.0
        if last.held_s == 0.0 and last.high == 0.0:  # once: the tick under way stays the same one
            busy = max(TICK_S, sample.machine_busy_s - sample_then.machine_busy_s)
            unseen = joules * TICK_S / busy
        self._before = (whole, sample)
        self._reading = Reading(
            t_s=whole.t_s,
            value=last.value + joules * share,
            low=last.low + max(0.0, whole.low - then.low) * low,
            high=last.high + max(0.0, whole.high - then.high) * high + unseen,
            held_s=last.held_s + max(0.0, whole.held_s - then.held_s) * share,
        )
        return self._reading

    def note(self) -> str | None:
        """The inner meter's note."""
        return self._inner.note()

    def close(self) -> None:
        """Closes the inner meter."""
        self._inner.close()
