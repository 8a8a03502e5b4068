"""Memory power where no sensor measures it: a constant per module, or per gigabyte.

Where the system shows its modules, each counts 3 W (1.5 to 6): DDR4 modules of 8 GB drew 2.98 W
under load, of 4 GB 1.5 W (Tom's Hardware, "Intel Core i7-5960X", 2014), and registered ones of
64 GB draw up to 6 W.

Elsewhere 0.3725 W/GB, the figure of Green Algorithms (Lannelongue et al. 2021,
doi:10.1002/advs.202100707, from Karyakin and Salem, DaMoN 2017, doi:10.1145/3076113.3076117). It
dates from modules of 4 to 8 GB, and power is not in proportion to size: 3 to 6 W of 64 GB are 0.05
to 0.1 W/GB, 2 to 5 W of 8 GB are 0.25 to 0.6. The interval spans 0.06 to 0.6 W/GB.
"""

from typing import Literal

import numpy as np

from ..estimate import Provenance
from .base import Meter, Reading, ReadingKind, Source, Uncertainty
from .cpu_time import UPDATE_PERIOD_S, CpuTime

# Watts: middle, low, high.
PER_GB = np.array([0.3725, 0.06, 0.6])
PER_MODULE = np.array([3.0, 1.5, 6.0])
_GB = 1e9


class RamModelMeter(Meter):
    """Assumed joules of `total_bytes` of memory, or of the process tree's resident part of it.

    Scope "process" needs a `cpu_time` that follows a tree; its resident memory counts, at most
    the total. `held_s` integrates the allocated part of the memory.
    `part` of the memory is in this domain (one package's of several), and `modules` hold all of it;
    None where their number is unknown.
    """

    def __init__(
        self,
        total_bytes: float,
        cpu_time: CpuTime,
        scope: Literal["process", "machine"],
        domain: str = "dram:0",
        part: float = 1.0,
        modules: int | None = None,
    ) -> None:
        self._total, self._cpu_time, self._scope = total_bytes, cpu_time, scope
        each, what, of = PER_GB, "W/GB", total_bytes / _GB
        if modules is not None:
            each, what, of = PER_MODULE, f"W for each of {modules} modules", modules
        self._watts = each * of * part
        whose = "all of it" if scope == "machine" else "resident part of the process tree"
        middle, low, high = each.tolist()
        self.source = Source(
            domain=domain,
            source=f"{middle:g} {what}, {whose}",
            kind=ReadingKind.COUNTER,
            provenance=Provenance.ASSUMED,
            update_period_s=UPDATE_PERIOD_S,
            uncertainty=Uncertainty(
                low=1 - low / middle,
                high=high / middle - 1,
                origin=f"memory modules draw {low:g} to {high:g} W"
                f"{'' if modules else '/GB'} by size, age and traffic",
                # Traffic, assumed: 3 W idle to 6 W busy around their middle.
                own=1 / 3,
            ),
            device=f"{total_bytes * part / _GB:.0f} GB",
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
        last = self._last or Reading(sample.t_s, 0.0, 0.0, 0.0, 0.0)
        self._last = last
        if sample.t_s > last.t_s:
            allocated_s = (part + self._allocated) / 2 * (sample.t_s - last.t_s)
            value, low, high = (self._watts * allocated_s).tolist()
            held_s = last.held_s + allocated_s
            self._last = Reading(
                sample.t_s, last.value + value, last.low + low, last.high + high, held_s
            )
        self._allocated = part
        return self._last
