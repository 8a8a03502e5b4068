"""STEP, the online method of del Rey et al. 2023 (arXiv 2307.05520), in its two forms.

Power is assumed to be stable from some epoch on, and a window of epochs from there represents the
rest. The energy form adds, to the energy so far, the mean energy of an epoch in the window for each
remaining epoch. The power form multiplies the mean power in the window by the duration of the whole
run. In the paper both are stable from epoch 10 on with a window of 5, so the first forecast comes
after epoch 15, without an interval. The paper knows the duration of the whole run; here it is
forecast from the window.
"""

from abc import abstractmethod
from bisect import bisect_left

from ..base import NOTHING, Forecast, OnlineForecaster, Work
from .tally import Tally

# Epochs, as in the paper: from which on power is stable, and how many represent the rest.
STABLE_FROM = 10
WINDOW = 5
# Rounding of progress that is a sum of steps.
_ROUNDING = 1e-9


class StepForecaster(OnlineForecaster):
    """What both forms share: finished work, and the window in it."""

    def __init__(self) -> None:
        self._so_far = Tally()
        # Progress at the end of each work.
        self._edges = [0.0]
        self._works: list[Work] = []
        self._window_sums: Tally | None = None

    def add(self, work: Work) -> None:
        """Add finished work."""
        self._so_far.add(work)
        self._works.append(work)
        self._edges.append(self._so_far.progress)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """No interval. None until the window is complete, or where the plan has no end."""
        if self._window_sums is None:
            self._window_sums = self._search()
        window, so_far = self._window_sums, self._so_far
        if window is None or not so_far.can_extend_to(planned):
            return None
        remaining = max(0.0, planned - so_far.progress)
        duration_s = so_far.duration_s + remaining * window.duration_s / window.progress
        return so_far.point(self._energy(window, remaining, duration_s), duration_s, pending)

    def stable(self) -> float | None:
        """Progress from which power is stable; None while that is unknown."""
        return STABLE_FROM

    @abstractmethod
    def _energy(self, window: Tally, remaining: float, duration_s: float) -> float:
        """Energy of the whole run, J, from the remaining progress and the total duration, s."""

    def _search(self) -> Tally | None:
        """The sums of the window, or None before it is complete."""
        stable = self.stable()
        if stable is None:
            return None
        first = bisect_left(self._edges, stable - _ROUNDING)
        last = bisect_left(self._edges, stable + WINDOW - _ROUNDING)
        if first == last or last == len(self._edges):
            return None
        window = Tally()
        for work in self._works[first:last]:
            window.add(work)
        return window


class StepEnergy(StepForecaster):
    """Energy so far, plus the mean energy of an epoch in the window for each remaining one."""

    name = "step-energy"

    def _energy(self, window: Tally, remaining: float, duration_s: float) -> float:
        return self._so_far.energy_j + remaining * window.energy_j / window.progress


class StepPower(StepForecaster):
    """The mean power in the window times the duration of the whole run."""

    name = "step-power"

    def _energy(self, window: Tally, remaining: float, duration_s: float) -> float:
        power_w = window.energy_j / window.duration_s if window.duration_s > 0 else 0.0
        return power_w * duration_s
