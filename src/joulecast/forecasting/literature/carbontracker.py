"""CarbonTracker (Anthony, Kanding, Selvan 2020, arXiv 2007.03051): mean of the first epochs.

That mean times the planned number of epochs is the forecast.

The published tool measures one epoch by default (`epochs_before_pred=1`) and forecasts once after
it. Here the mean includes every finished epoch, as with `epochs_before_pred` set to the number
seen. The tool's PUE is left out.
"""

from ..base import NOTHING, Forecast, OnlineForecaster, Work
from .tally import Tally


class CarbonTracker(OnlineForecaster):
    """Mean energy and duration of the finished epochs times the planned number of them."""

    name = "carbontracker"

    def __init__(self) -> None:
        self._so_far = Tally()

    def add(self, work: Work) -> None:
        """Add finished work."""
        self._so_far.add(work)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """From the first finished work on; no interval."""
        so_far = self._so_far
        if not so_far.can_extend_to(planned):
            return None
        units = planned / so_far.progress
        return so_far.point(so_far.energy_j * units, so_far.duration_s * units, pending)
