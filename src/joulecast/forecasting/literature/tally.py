"""What the published methods share: sums so far, and a forecast without an interval."""

import math
from dataclasses import dataclass

from ..base import NOTHING, Forecast, Prediction, Work


@dataclass(slots=True)
class Tally:
    """The sum of finished work."""

    progress: float = 0.0
    duration_s: float = 0.0
    energy_j: float = 0.0

    def add(self, work: Work) -> None:
        """Add finished work."""
        self.progress += work.progress
        self.duration_s += work.duration_s
        self.energy_j += work.energy_j

    def can_extend_to(self, planned: float) -> bool:
        """Whether there is a mean per unit of progress and a total to multiply it by."""
        return self.progress > 0 and math.isfinite(planned) and planned > 0

    def point(self, energy_j: float, duration_s: float, pending: Work = NOTHING) -> Forecast:
        """A forecast without an interval, at least the energy (J) and duration (s) so far."""
        return Forecast(
            Prediction(max(energy_j, self.energy_j + pending.energy_j)),
            Prediction(max(duration_s, self.duration_s + pending.duration_s)),
        )
