"""Memory power where no sensor measures it: a constant per gigabyte.

0.3725 W/GB is the figure of Green Algorithms (Lannelongue et al. 2021, doi:10.1002/advs.202100707,
from Karyakin and Salem, DaMoN 2017, doi:10.1145/3076113.3076117). It dates from modules of 4 to
8 GB. The power of a module is not in proportion to its size: 3 to 6 W of a 64 GB
registered module are 0.05 to 0.1 W/GB, 2 to 5 W of an 8 GB one are 0.25 to 0.6. The interval spans
0.06 to 0.6 W/GB; it is an assumption too.
"""

from typing import Literal

from ..units import Provenance
from .base import Meter, Reading, ReadingKind, Source, Uncertainty
from .cpu_time import CpuTime

WATTS_PER_GB = 0.3725
LOW_WATTS_PER_GB = 0.06
HIGH_WATTS_PER_GB = 0.6
_GB = 1e9


class RamModelMeter(Meter):
    """Assumed joules of `total_bytes` of memory, or of the process tree's resident part of it.

    Scope "process" needs a `cpu_time` that follows a tree; its resident memory counts, at most
    the total. `held_s` integrates the allocated part of the memory.
    """

    def __init__(
        self, total_bytes: float, cpu_time: CpuTime, scope: Literal["process", "machine"]
    ) -> None:
        self._total, self._cpu_time, self._scope = total_bytes, cpu_time, scope
        whose = "all of it" if scope == "machine" else "resident part of the process tree"
        self.source = Source(
            domain="dram:0",
            source=f"{WATTS_PER_GB} W/GB, {whose}",
            kind=ReadingKind.COUNTER,
            provenance=Provenance.ASSUMED,
            update_period_s=0.2,
            uncertainty=Uncertainty(
                low=1 - LOW_WATTS_PER_GB / WATTS_PER_GB,
                high=HIGH_WATTS_PER_GB / WATTS_PER_GB - 1,
                origin=f"memory modules draw {LOW_WATTS_PER_GB} to {HIGH_WATTS_PER_GB} W/GB "
                "by size, age and traffic",
            ),
            device=f"{total_bytes / _GB:.0f} GB",
        )
        self._last: Reading | None = None
        # Allocated part of the memory at the last reading.
        self._allocated = 0.0

    def read(self) -> Reading:
        """Joules since the meter was opened."""
        sample = self._cpu_time.sample()
        part = 1.0
        if self._scope == "process" and self._total > 0:
            part = min(1.0, (sample.tree_rss_bytes or 0) / self._total)
        if self._last is None:
            self._last = Reading(sample.t_s, 0.0, 0.0, 0.0, 0.0)
        elif sample.t_s > self._last.t_s:
            last = self._last
            allocated_s = (part + self._allocated) / 2 * (sample.t_s - last.t_s)
            gb_s = allocated_s * self._total / _GB
            self._last = Reading(
                t_s=sample.t_s,
                value=last.value + gb_s * WATTS_PER_GB,
                low=last.low + gb_s * LOW_WATTS_PER_GB,
                high=last.high + gb_s * HIGH_WATTS_PER_GB,
                held_s=last.held_s + allocated_s,
            )
        self._allocated = part
        return self._last
