"""The progress of a run that prints none: epochs leave a rhythm in its power."""

from __future__ import annotations

import numpy as np

from ..forecast.period import Period, find_period, periods_done
from ..recording.recorder import Reached
from ..units import Estimate

_LOOK_S = 5.0  # between two searches
_MOST = 4096  # readings kept; then every second is dropped, so that hours of them find room


class Pulse:
    """Fed with the energy used so far, at each round; tells where the run is, once it can."""

    source = "the rhythm of its power"

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._seen: list[tuple[float, Estimate]] = []
        self._apart_s = 0.0  # least time between two readings that are kept
        self._next_s = 2 * _LOOK_S
        self._start: tuple[float, Estimate] | None = None  # of the first epoch
        self._done = 0.0

    def push(self, t_s: float, energy: Estimate | None) -> list[Reached]:
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

    def _places(self, period: Period, t_s: float, energy: Estimate) -> list[Reached]:
        found = []
        if self._start is None:
            self._start = next(seen for seen in self._seen if seen[0] >= period.start_s)
            found.append(Reached(0.0, self._planned, *self._start, source=self.source))
        # Once told, the start stays: a later look may find that of another part of the run.
        begun = Period(period.period_s, self._start[0], period.strength, period.periods)
        self._done = max(self._done, min(float(self._planned), periods_done(begun, t_s)))
        found.append(Reached(self._done, self._planned, t_s, energy, source=self.source))
        return found
