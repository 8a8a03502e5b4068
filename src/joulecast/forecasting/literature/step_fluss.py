"""STEP with its stabilizing point found on the power trace, not fixed at an epoch.

The trace is the mean power of each finished stretch of work, so this needs work in small pieces
(steps, or slices of a power trace): a run told epoch by epoch is too coarse before its fortieth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...analysis.power import stabilize
from ..base import Work
from .step import WINDOW, StepEnergy, StepForecaster, StepPower

_GROWTH = 1.1  # a search costs time with the square of the trace: not for every new work

Search = Callable[[stabilize.Array, stabilize.Array], float | None]


class _OnTrace(StepForecaster):
    """The stabilizing point comes from the trace. `search` gives its time (s) from t_s, power_w."""

    def __init__(self, window: float = WINDOW, search: Search = stabilize.stabilizing_time) -> None:
        super().__init__(window=window)
        self._find = search
        self._instants: list[float] = []  # at which each piece of the trace begins
        self._watts: list[float] = []
        self._begins: list[float] = []  # progress there
        self._searched = 0  # samples of the trace when it was last searched
        self._stable: float | None = None

    def add(self, work: Work) -> None:
        """A sample of the trace, if it took any time."""
        if work.duration_s > 0:
            self._instants.append(self._spent.duration_s)
            self._begins.append(self._spent.progress)
            self._watts.append(work.energy_j / work.duration_s)
        super().add(work)

    def stable(self) -> float | None:
        """Progress at the point found; it is looked for anew as the trace grows by a tenth."""
        seen = len(self._watts)
        if seen >= stabilize.LEAST_SAMPLES and seen >= _GROWTH * self._searched:
            self._searched = seen
            instants = np.array(self._instants)
            found = self._find(instants, np.array(self._watts))
            if found is not None:
                self._stable = self._begins[int(np.searchsorted(instants, found))]
        return self._stable


class StepEnergyFluss(_OnTrace, StepEnergy):
    """The energy form, its stabilizing point found on the trace."""

    name = "step-energy-fluss"


class StepPowerFluss(_OnTrace, StepPower):
    """The power form, its stabilizing point found on the trace."""

    name = "step-power-fluss"
