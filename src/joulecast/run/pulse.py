"""The progress of a run that prints none: epochs leave a rhythm in its power."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..recording.recorder import Reached
from ..units import Estimate

_LOOK_S = 5.0  # between two searches
_KEPT = 6000  # readings searched: ten minutes at 10 Hz


class Pulse:
    """Fed with the energy used so far, at each round; tells where the run is, once it can."""

    source = "the rhythm of its power"

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._seen: deque[tuple[float, Estimate]] = deque(maxlen=_KEPT)
        self._next_s = 2 * _LOOK_S
        self._done = 0.0

    def push(self, t_s: float, energy: Estimate | None) -> Reached | None:
        """The place reached at `t_s`, or None where that cannot be told (yet)."""
        if energy is None:
            return None
        self._seen.append((t_s, energy))
        if t_s < self._next_s:
            return None
        self._next_s = t_s + _LOOK_S
        from ..forecast.period import find_period, positions

        times = np.array([t for t, _ in self._seen])
        joules = np.array([e.value for _, e in self._seen])
        period = find_period(times[1:], np.diff(joules) / np.diff(times))
        if period is None:
            return None
        done = min(float(self._planned), positions(period, t_s))
        self._done = max(self._done, done)
        return Reached(self._done, self._planned, t_s, energy, source=self.source)
