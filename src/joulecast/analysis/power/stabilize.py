"""Where the power of a run becomes stable: regime change by matrix profile and FLUSS.

The matrix profile joins each segment of a trace to the one most similar to it; where few of these
arcs cross, one regime ends and another begins (Gharghabi et al. 2017, doi:10.1109/ICDM.2017.21).
The first change of regime is the stabilizing point of STEP, with segments of 10 samples (del Rey et
al. 2023, arXiv 2307.05520, at one sample a second).
"""

import warnings

import numpy as np

from ...errors import MissingExtraError
from ..table.columns import Array

WINDOW = 10
"""Samples of a segment, as in the paper."""

MIN_SAMPLES = 4 * WINDOW
"""FLUSS excludes the first and last `WINDOW` segments; as many must remain between."""


def stabilizing_time(t_s: Array, power_w: Array, window: int = WINDOW) -> float | None:
    """The instant (s) at which power enters its second and last regime.

    None where the trace is too short (`4 x window` samples), or constant.

    Args:
        t_s: instants, shape (n,), in about equal steps.
        power_w: power at each, shape (n,).
        window: samples of a segment.

    Raises:
        MissingExtraError: stumpy is not installed.
    """
    power_w = np.asarray(power_w, dtype=np.float64)
    if len(power_w) < 4 * window or np.ptp(power_w) == 0:
        return None
    try:
        import stumpy
    except ImportError:
        raise MissingExtraError("the stabilizing point of a power trace", "analysis") from None
    with warnings.catch_warnings():
        # The warning is about constant segments, whose profile is zero, as it should be.
        warnings.simplefilter("ignore")
        profile = stumpy.stump(power_w, m=window)
    # The exclusion zone at the edges is one segment wide, so that early points can be found.
    _, changes = stumpy.fluss(profile[:, 1], L=window, n_regimes=2, excl_factor=1)
    return float(t_s[int(changes[0])])
