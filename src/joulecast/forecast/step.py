"""STEP, energy form (del Rey et al. 2023, arXiv 2307.05520).

Energy spent so far, plus the mean energy of the last stable epochs for each epoch still to come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..units import Estimate, Provenance, weakest

WINDOW = 5  # epochs, as in the paper
WARM_UP = 1  # epochs left out of the mean. The paper waits for ten; that wastes the forecast.

_T95 = (6.314, 2.920, 2.353, 2.132)
"""Student's t, 95th percentile, for 1 to 4 degrees of freedom (a window has at most 5 epochs)."""


def step_energy(epochs: Sequence[Estimate], planned: int) -> Estimate | None:
    """Energy of the whole run, J, from its finished epochs; None before two stable ones are seen.

    The interval joins two parts: the meters' own relative error, taken from the epochs, and the
    prediction interval of the remaining epochs, from the spread of those in the window (normal,
    independent errors).
    """
    remaining = max(0, planned - len(epochs))
    stable = [e.value for e in epochs[WARM_UP:]][-WINDOW:]
    spent = math.fsum(e.value for e in epochs)
    if not epochs or (remaining and len(stable) < 2):
        return None
    value, spread = spent, 0.0
    if remaining:
        k = len(stable)
        value += remaining * float(np.mean(stable))
        deviation = float(np.std(stable, ddof=1))
        spread = _T95[k - 2] * deviation * math.sqrt(remaining + remaining**2 / k)
    below = math.fsum(e.value - e.low for e in epochs) / spent if spent else 0.0
    above = math.fsum(e.high - e.value for e in epochs) / spent if spent else 0.0
    low = value - math.hypot(value * below, spread)
    high = value + math.hypot(value * above, spread)
    # What was spent is spent: no forecast of the whole lies below it.
    floor = min(value, math.fsum(e.low for e in epochs))
    provenance = weakest(e.provenance for e in epochs)
    if remaining:  # what is still to come was not measured
        provenance = weakest([provenance, Provenance.MODELLED])
    return Estimate(value, max(floor, low), high, epochs[0].unit, provenance)
