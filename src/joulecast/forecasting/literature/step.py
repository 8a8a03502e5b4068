"""STEP, the online method of del Rey et al. 2023 (arXiv 2307.05520), in its two forms.

Power is taken to be stable from some epoch on; a window of epochs from there stands for the rest.
The energy form adds, to what is spent, the mean energy of an epoch in the window for each epoch
still to come. The power form multiplies the mean power in the window by the time of the whole run.
The paper has both stable from epoch 10 on and a window of 5, so they speak once 15 are done, and
gives no interval. It knows the time of the whole run; here it is forecast, from the window too.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left

from ..base import NOTHING, Forecast, OnlineForecaster, Work
from .tally import Tally

STABLE_FROM = 10  # epochs done when power is taken to be stable, as in the paper
WINDOW = 5  # epochs, as in the paper
_ROUNDING = 1e-9  # of progress that is a sum of steps


class StepForecaster(OnlineForecaster):
    """What both forms share: finished work, and the window in it.

    Args:
        stable_from: progress (epochs) from which power is stable.
        window: progress (epochs) from there on that is taken for all that is to come.
    """

    def __init__(self, stable_from: float = STABLE_FROM, window: float = WINDOW) -> None:
        if not (stable_from >= 0 and window > 0):
            raise ValueError(
                f"stable_from={stable_from}, window={window}: from 0 on, and more than nothing"
            )
        self._stable_from, self._window = stable_from, window
        self._spent = Tally()
        self._edges = [0.0]  # progress at the end of each work
        self._works: list[Work] = []
        self._found: Tally | None = None

    def add(self, work: Work) -> None:
        """The next stretch of work is finished."""
        self._spent.add(work)
        self._works.append(work)
        self._edges.append(self._spent.progress)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """No interval. None until the window is complete, or where the total is not known."""
        if self._found is None:
            self._found = self._search()
        window, spent = self._found, self._spent
        if window is None or not spent.can_extend_to(planned):
            return None
        left = max(0.0, planned - spent.progress)
        duration_s = spent.duration_s + left * window.duration_s / window.progress
        return spent.point(self._energy(window, left, duration_s), duration_s, pending)

    def stable(self) -> float | None:
        """Progress from which power is stable; None where it cannot be told yet."""
        return self._stable_from

    @abstractmethod
    def _energy(self, window: Tally, left: float, duration_s: float) -> float:
        """Energy of the whole run, J, with so much progress left and so long in all."""

    def _search(self) -> Tally | None:
        """The work of the window; once found it stays."""
        stable = self.stable()
        if stable is None:
            return None
        first = bisect_left(self._edges, stable - _ROUNDING)
        last = bisect_left(self._edges, stable + self._window - _ROUNDING)
        if first == last or last == len(self._edges):
            return None
        found = Tally()
        for work in self._works[first:last]:
            found.add(work)
        return found


class StepEnergy(StepForecaster):
    """What is spent, plus the mean energy of an epoch in the window for each one to come."""

    name = "step-energy"

    def _energy(self, window: Tally, left: float, duration_s: float) -> float:
        return self._spent.energy_j + left * window.energy_j / window.progress


class StepPower(StepForecaster):
    """The mean power in the window times the time of the whole run."""

    name = "step-power"

    def _energy(self, window: Tally, left: float, duration_s: float) -> float:
        power_w = window.energy_j / window.duration_s if window.duration_s > 0 else 0.0
        return power_w * duration_s
