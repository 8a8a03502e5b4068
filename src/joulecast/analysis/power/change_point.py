"""Where the mean of a power trace changes for good: its warm-up, by cumulative sums.

It needs no search, unlike FLUSS (`analysis.power.stabilize`), which compares the shape of the
trace. On 309 measured trainings (one sample a second, without 45 in which FLUSS returns the end of
the run) the two are 40 s apart in the median, about one epoch: FLUSS tends to return the last epoch
that differs from the others, this method the first of those that are alike.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..table.columns import Array

MIN_SAMPLES = 40
"""As many as FLUSS needs: fewer are only an epoch or two."""

# The 95 % quantile of the largest |Brownian bridge| (Kolmogorov).
_CRITICAL = 1.358
# A smaller change, as a fraction of the mean after it, is not relevant.
_RELEVANT = 0.02
# The fraction of samples clipped at each end: a start of a few seconds is not a level.
_CLIPPED = 0.02
_MAX_CHANGES = 50


@dataclass(frozen=True, slots=True)
class Change:
    """A change of mean: the first sample after it, and the means before and after."""

    at: int
    before: float
    after: float


def last_change(values: Array, until: float = 0.5) -> Change | None:
    """The last change of mean that begins in the first part of a trace, or None.

    The largest cumulative sum of deviations from the mean marks a change (Page 1954). It counts if
    it is larger than a trace with this autocorrelation reaches by chance (5 %; long-run variance
    with Bartlett weights, Newey and West 1987) and moves the mean by 2 % or more. The rest of the
    trace is searched in the same way. A warm-up of a few hundredths of the run is not detected
    where power varies widely within epochs.

    Args:
        values: shape (n,), finite, in equal steps.
        until: fraction of the trace in which changes may begin; a later rest is too short to
            represent the run.
    """
    if len(values) < MIN_SAMPLES:
        return None
    clipped = np.clip(values, *np.quantile(values, (_CLIPPED, 1 - _CLIPPED)))
    last, start = int(len(values) * until), 0
    for _ in range(_MAX_CHANGES):
        step = _change(clipped[start:], last - start)
        if step is None:
            break
        start += step
    if start == 0:
        return None
    return Change(start, float(values[:start].mean()), float(values[start:].mean()))


def _change(values: Array, last: int) -> int | None:
    n = len(values)
    if n < MIN_SAMPLES // 2 or last < 1:
        return None
    sums = np.cumsum(values - values.mean())[: min(last, n - 1)]
    at = int(np.argmax(np.abs(sums))) + 1
    before, after = float(values[:at].mean()), float(values[at:].mean())
    if abs(after - before) < _RELEVANT * abs(after):
        return None
    rest = values - np.where(np.arange(n) < at, before, after)
    deviation = math.sqrt(n * _long_run_variance(rest))
    return at if abs(float(sums[at - 1])) > _CRITICAL * deviation else None


def _long_run_variance(values: Array) -> float:
    """Of deviations from a mean, with the covariance of those up to sqrt(n) steps apart."""
    n = len(values)
    lags = math.isqrt(n)
    spectrum = np.fft.rfft(values, 2 * n)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum))[: lags + 1] / n
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    return max(float(covariance[0] + 2 * (weights * covariance[1:]).sum()), 0.0)
