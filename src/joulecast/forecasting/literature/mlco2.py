"""ML CO2 Impact (Lacoste et al. 2019, arXiv 1910.09700): `TDP x time`.

It needs no meter; the time is the mean duration of the epochs seen times the planned number.
"""

from .green_algorithms import GreenAlgorithms


class MLCO2(GreenAlgorithms):
    """The rated power of all devices of the run, `tdp_w` (W), times the time.

    The formula of Green Algorithms at full utilization and without memory.
    """

    name = "mlco2"

    def __init__(self, tdp_w: float) -> None:
        super().__init__(tdp_w, ram_gb=0.0)
