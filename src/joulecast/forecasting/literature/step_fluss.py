"""STEP with the stabilizing point of the power trace instead of a fixed epoch.

The trace is the mean power of each finished segment of work, so segments must be small (steps, or
slices of a power trace): epochs give no forecast before the fortieth.
"""

from collections.abc import Callable

import numpy as np

from ...analysis.power import stabilize
from ...recording.model import Array
from ..base import Work
from .step import StepEnergy, StepForecaster, StepPower

# The time of a search grows with the square of the trace, so that not every work starts one.
_GROWTH = 1.1

Search = Callable[[Array, Array], float | None]


class _OnTrace(StepForecaster):
    """The stabilizing point is that of the trace: `search` returns its time (s)."""

    def __init__(self, search: Search = stabilize.stabilizing_time) -> None:
        super().__init__()
        self._find = search
        # Time, mean power, and progress at the start of each segment.
        self._times: list[float] = []
        self._watts: list[float] = []
        self._begins: list[float] = []
        # Segments at the last search.
        self._searched = 0
        self._stable: float | None = None

    def add(self, work: Work) -> None:
        """Add finished work: a sample of the trace, if it has a duration."""
        if work.duration_s > 0:
            self._times.append(self._so_far.duration_s)
            self._begins.append(self._so_far.progress)
            self._watts.append(work.energy_j / work.duration_s)
        super().add(work)

    def stable(self) -> float | None:
        """Progress at the stabilizing point; searched again when the trace has grown by a tenth."""
        count = len(self._watts)
        if count >= stabilize.MIN_SAMPLES and count >= _GROWTH * self._searched:
            self._searched = count
            times = np.array(self._times)
            stable_s = self._find(times, np.array(self._watts))
            if stable_s is not None:
                self._stable = self._begins[int(np.searchsorted(times, stable_s))]
        return self._stable


class StepEnergyFluss(_OnTrace, StepEnergy):
    """The energy form with the stabilizing point of the trace."""

    name = "step-energy-fluss"


class StepPowerFluss(_OnTrace, StepPower):
    """The power form with the stabilizing point of the trace."""

    name = "step-power-fluss"
