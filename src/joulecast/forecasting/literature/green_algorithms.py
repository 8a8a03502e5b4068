"""Green Algorithms (Lannelongue et al. 2021, doi:10.1002/advs.202100707).

Energy is `(TDP x usage factor + RAM_GB x 0.3725 W) x time`. It needs no meter; the time is the
mean duration of the epochs seen times the planned number of them. The PUE is left out (1), because
no other method here has one.
"""

from ..base import NOTHING, Forecast, OnlineForecaster, Work
from .tally import Tally


def rated_power_w(tdp_w: float, ram_gb: float = 0.0, utilization: float = 1.0) -> float:
    """`TDP x utilization + RAM_GB x 0.3725 W`, in W; ML CO2 Impact uses the TDP alone."""
    return tdp_w * utilization + ram_gb * 0.3725


class GreenAlgorithms(OnlineForecaster):
    """The rated power of the hardware times the time.

    Args:
        tdp_w: thermal design power of all devices of the run together, W.
        ram_gb: memory of the machine, GB.
        usage_factor: mean load of the devices, 0 to 1; the calculator uses 1 where it is unknown.
    """

    name = "green-algorithms"

    def __init__(self, tdp_w: float, ram_gb: float, usage_factor: float = 1.0) -> None:
        self._power_w = rated_power_w(tdp_w, ram_gb, usage_factor)
        self._so_far = Tally()

    def add(self, work: Work) -> None:
        """Add finished work; only its duration is used."""
        self._so_far.add(work)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """From the first finished work on; no interval."""
        if not self._so_far.can_extend_to(planned):
            return None
        duration_s = self._so_far.duration_s / self._so_far.progress * planned
        return self._so_far.point(self._power_w * duration_s, duration_s, pending)
