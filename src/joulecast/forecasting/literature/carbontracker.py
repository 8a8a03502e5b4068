"""CarbonTracker (Anthony, Kanding, Selvan 2020, arXiv 2007.03051): mean of the first epochs.

That mean times the planned number of epochs is the forecast.

The published tool measures one epoch by default (`epochs_before_pred=1`) and forecasts once after
it. Here the mean includes every finished epoch, as with `epochs_before_pred` set to the number
seen, unless `epochs` limits it. The tool's PUE is left out.
"""

from ..base import NOTHING, Forecast, OnlineForecaster, Work
from .tally import Tally

# Rounding of progress that is a sum of steps.
_ROUNDING = 1e-9


class CarbonTracker(OnlineForecaster):
    """Mean energy and duration of the first epochs times the planned number of them.

    `epochs` is the number of first epochs in the mean: 1 as in the published tool, None for all.
    """

    name = "carbontracker"

    def __init__(self, epochs: float | None = None) -> None:
        if epochs is not None and not epochs > 0:
            raise ValueError(f"epochs={epochs}: must be above 0")
        self._epochs = epochs
        self._first, self._so_far = Tally(), Tally()

    def add(self, work: Work) -> None:
        """Add finished work; it is part of the mean until that is complete."""
        self._so_far.add(work)
        if self._epochs is None or self._first.progress < self._epochs - _ROUNDING:
            self._first.add(work)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """From the first finished work on; no interval."""
        first = self._first
        if not first.can_extend_to(planned):
            return None
        units = planned / first.progress
        return self._so_far.point(first.energy_j * units, first.duration_s * units, pending)
