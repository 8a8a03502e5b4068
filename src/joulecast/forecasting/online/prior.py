"""How later epochs relate to the first one, before a second epoch is finished.

A first epoch includes what is done once (compilation, autotuning, filling of caches), so it is
usually longer than the others. The run itself shows how much longer once a second epoch, or steps
after the warm-up, are finished. Until then the ratio later / first comes from a small sample that
is shipped with the program and from past runs, which weigh more the more their first epoch was like
this one. Value and bounds are weighted quantiles of that sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...recording.model import Array
from ..base import History, Work
from .rates import Rate

# Seconds of a first epoch for what is done once; equally likely.
START_UP_S = (0.0, 0.3, 0.6, 1.0, 2.0, 5.0, 20.0, 60.0)
# Power during start-up relative to the rest: the device is idle while code compiles and data loads.
START_UP_POWER = 0.3
# Ratios later / first of the rest (caches, data read once, evaluations); equally likely.
LATER = (0.1, 0.25, 0.9, 0.95, 0.97, 0.98, 1.0, 1.0, 1.05, 1.15)
# A first epoch is treated as at most 20 times a later one.
SMALLEST_RATIO = 1 / 20
# The shipped sample has the weight of so many past runs of the same job.
SHIPPED_WEIGHT = 2.0
# Log-ratio of first epochs at which a past run has the weight e^-1/2 of an identical one.
LIKENESS = 0.15
# The weight of a past run of another job on this machine.
UNLIKE_WEIGHT = 0.02


def weighted_quantiles(values: Array, weights: Array, at: Sequence[float]) -> list[float]:
    """Quantiles of a weighted sample, interpolated between the middles of the weights."""
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    middles = np.cumsum(weights) - weights / 2
    return [float(q) for q in np.interp(np.asarray(at) * weights.sum(), middles, values)]


def shipped(seconds: float, energy: bool, whole: bool = True) -> Array:
    """The shipped sample of ratios later / first, after so many seconds of the first epoch.

    Of a part of an epoch (a step or two) at most half counts as start-up, until more steps show it.
    """
    start_up = np.array(START_UP_S) * (START_UP_POWER if energy else 1.0)
    if not whole:
        start_up = np.minimum(start_up, seconds)
    share = 1 / (1 + start_up / max(seconds, 1e-3))
    return np.maximum(np.outer(share, np.array(LATER)).ravel(), SMALLEST_RATIO)


@dataclass(frozen=True, slots=True)
class PastRun:
    """The first epoch of a finished run, and the mean of its later ones relative to it."""

    first: Work
    later_duration: float
    later_energy: float


def from_history(history: History) -> PastRun | None:
    """The ratios of a past run, or None where it has no two epochs with energy and duration."""
    epochs = [w for w in history.epochs if w.progress > 0]
    if len(epochs) < 2:
        return None
    first, later = epochs[0], epochs[1:]
    progress = math.fsum(w.progress for w in later)
    duration = math.fsum(w.duration_s for w in later) / progress
    energy = math.fsum(w.energy_j for w in later) / progress
    rates = (first.duration_s / first.progress, first.energy_j / first.progress, duration, energy)
    if not all(math.isfinite(r) and r > 0 for r in rates):
        return None
    return PastRun(Work(1.0, rates[0], rates[1]), duration / rates[0], energy / rates[1])


class Experience:
    """The ratios later / first of past runs, and the shipped ones."""

    def __init__(self, past: Sequence[History] = ()) -> None:
        runs = [run for run in map(from_history, past) if run is not None]
        self.runs = len(runs)
        self._firsts = np.array([(r.first.duration_s, r.first.energy_j) for r in runs])
        self._ratios = np.array([(r.later_duration, r.later_energy) for r in runs])

    def ratio(self, first: Work, seconds: float, energy: bool, whole: bool = True) -> Rate:
        """Later epochs over a first epoch like this one (its rates per unit of progress).

        `seconds` of it are done: less than its duration while it is not `whole`.
        """
        values = shipped(seconds, energy, whole)
        weights = np.full(len(values), SHIPPED_WEIGHT / len(values))
        if self.runs:
            here = np.array([max(first.duration_s, 1e-9), max(first.energy_j, 1e-9)])
            distance = np.log(self._firsts / here) / LIKENESS
            alike = np.exp(-0.5 * np.minimum((distance**2).sum(axis=1), 1e3))
            values = np.concatenate([values, self._ratios[:, int(energy)]])
            weights = np.concatenate([weights, np.maximum(alike, UNLIKE_WEIGHT)])
        low, middle, high = weighted_quantiles(values, weights, (0.05, 0.5, 0.95))
        return Rate(middle, low, high)
