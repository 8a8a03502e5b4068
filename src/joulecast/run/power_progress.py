"""The progress of a run that prints none, from the period that epochs leave in its power."""

import numpy as np

from ..estimate import Estimate
from ..forecasting.online.period import Period, PeriodCount, find_period
from ..recording.epochs import RunPosition

# The count of these positions: those read from the output start afresh.
BEFORE_OUTPUT = -1
# Time between two searches for a period.
_SEARCH_S = 5.0
# Readings kept; of more, every second one is dropped.
_MAX_READINGS = 4096


class PowerProgress:
    """Estimates the position of a run from its energy so far, which it is given at each round."""

    source = "the rhythm of its power"

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._readings: list[tuple[float, Estimate]] = []
        # Between two readings that are kept.
        self._min_step_s = 0.0
        self._next_s = 2 * _SEARCH_S
        self._count = PeriodCount()
        self._begun = False

    def push(self, t_s: float, energy: Estimate | None) -> list[RunPosition]:
        """The positions reached by `t_s`; none while they are unknown."""
        if energy is None or (self._readings and t_s - self._readings[-1][0] < self._min_step_s):
            return []
        self._readings.append((t_s, energy))
        if len(self._readings) > _MAX_READINGS:
            self._readings = self._readings[::2]
            self._min_step_s = (
                0.9 * (self._readings[-1][0] - self._readings[0][0]) / len(self._readings)
            )
        if t_s < self._next_s:
            return []
        self._next_s = t_s + _SEARCH_S
        times = np.array([t for t, _ in self._readings])
        joules = np.array([e.value for _, e in self._readings])
        period = find_period(times[1:], np.diff(joules) / np.diff(times))
        return [] if period is None else self._positions(period, t_s, energy)

    def _positions(self, period: Period, t_s: float, energy: Estimate) -> list[RunPosition]:
        positions = []
        if not self._begun:
            self._begun = True
            start_s, before = next(r for r in self._readings if r[0] >= period.start_s)
            positions.append(
                RunPosition(
                    0.0, self._planned, start_s, before, source=self.source, count=BEFORE_OUTPUT
                )
            )
        done = min(float(self._planned), self._count.update(period, t_s))
        positions.append(
            RunPosition(done, self._planned, t_s, energy, source=self.source, count=BEFORE_OUTPUT)
        )
        return positions
