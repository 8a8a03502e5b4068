"""The progress of a run that prints none: epochs leave a rhythm in its power."""

from __future__ import annotations

import numpy as np

from ..forecasting.online.period import Period, PeriodCount, find_period
from ..recording.epochs import RunPosition
from ..units import Estimate

_LOOK_S = 5.0  # between two searches
_MOST = 4096  # readings kept; then every second is dropped, so that hours of them find room


class PowerProgress:
    """Fed with the energy used so far, at each round; tells where the run is, once it can."""

    source = "the rhythm of its power"

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._seen: list[tuple[float, Estimate]] = []
        self._apart_s = 0.0  # least time between two readings that are kept
        self._next_s = 2 * _LOOK_S
        self._count = PeriodCount()
        self._begun = False

    def push(self, t_s: float, energy: Estimate | None) -> list[RunPosition]:
        """The places reached by `t_s`: none where that cannot be told (yet)."""
        if energy is None or (self._seen and t_s - self._seen[-1][0] < self._apart_s):
            return []
        self._seen.append((t_s, energy))
        if len(self._seen) > _MOST:
            self._seen = self._seen[::2]
            self._apart_s = 0.9 * (self._seen[-1][0] - self._seen[0][0]) / len(self._seen)
        if t_s < self._next_s:
            return []
        self._next_s = t_s + _LOOK_S
        times = np.array([t for t, _ in self._seen])
        joules = np.array([e.value for _, e in self._seen])
        period = find_period(times[1:], np.diff(joules) / np.diff(times))
        return self._places(period, t_s, energy) if isinstance(period, Period) else []

    def _places(self, period: Period, t_s: float, energy: Estimate) -> list[RunPosition]:
        found = []
        if not self._begun:
            self._begun = True
            start_s, spent = next(seen for seen in self._seen if seen[0] >= period.start_s)
            found.append(RunPosition(0.0, self._planned, start_s, spent, source=self.source))
        done = min(float(self._planned), self._count.update(period, t_s))
        found.append(RunPosition(done, self._planned, t_s, energy, source=self.source))
        return found
