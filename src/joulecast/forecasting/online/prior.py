"""What is known of a run before its second epoch: how later epochs relate to the first.

A first epoch holds what is done once (compilation, autotuning, filling of caches), so as a rule it
is longer than the others. How much longer is told by the run itself as soon as a second epoch or
steps after the warm-up are seen; until then by experience: a small sample of ratios later / first,
shipped with the program, joined by those of past runs, which count the more the more their first
epoch was like this one. Everything said of the later epochs is a weighted quantile of that sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base import History, Work

Array = NDArray[np.float64]

START_UP_S = (0.0, 0.3, 0.6, 1.0, 2.0, 5.0, 20.0, 60.0)
"""Seconds a first epoch spends on what is done once; equally likely."""
START_UP_POWER = 0.3
"""Power during the start-up over that of the rest: compiling and loading leave the device idle."""
LATER = (0.1, 0.25, 0.9, 0.95, 0.97, 0.98, 1.0, 1.0, 1.05, 1.15)
"""Ratios later / first of what is left (caches, data read once, evaluations); equally likely."""
LEAST = 1 / 20
"""No first epoch is taken for more than 20 times a later one."""
SHIPPED_WEIGHT = 2.0
"""The shipped sample counts like this many past runs of the same job."""
LIKENESS = 0.15
"""Log-ratio of first epochs at which a past run counts e^-1/2 as much as one exactly alike."""
UNLIKE_WEIGHT = 0.02
"""What a past run of another job on this machine counts for."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Later epochs over the first: middle and 90 % interval."""

    middle: float
    low: float
    high: float


def weighted_quantiles(values: Array, weights: Array, at: Sequence[float]) -> list[float]:
    """Quantiles of a weighted sample, interpolated between the middles of the weights."""
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    middles = np.cumsum(weights) - weights / 2
    return [float(q) for q in np.interp(np.asarray(at) * weights.sum(), middles, values)]


def shipped(seconds: float, energy: bool, whole: bool = True) -> Array:
    """The shipped sample of ratios later / first, after so many seconds of the first epoch.

    Of less than a `whole` epoch (a step or two) no more is taken for start-up than for work: which
    it was, a few more steps will tell.
    """
    start_up = np.array(START_UP_S) * (START_UP_POWER if energy else 1.0)
    if not whole:
        start_up = np.minimum(start_up, seconds)
    share = 1 / (1 + start_up / max(seconds, 1e-3))
    return np.maximum(np.outer(share, np.array(LATER)).ravel(), LEAST)


@dataclass(frozen=True, slots=True)
class PastRun:
    """The first epoch of a run that is over, and the mean of its later ones over it."""

    first: Work
    later_duration: float
    later_energy: float


def from_history(history: History) -> PastRun | None:
    """What a past run teaches, or None where it has no two epochs of some cost."""
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
    """The ratios later / first of past runs, beside the shipped ones."""

    def __init__(self, past: Sequence[History] = ()) -> None:
        runs = [run for run in map(from_history, past) if run is not None]
        self.runs = len(runs)
        self._firsts = np.array([(r.first.duration_s, r.first.energy_j) for r in runs])
        self._ratios = np.array([(r.later_duration, r.later_energy) for r in runs])

    def ratio(self, first: Work, seconds: float, energy: bool, whole: bool = True) -> Ratio:
        """Later epochs over a first epoch like this one (its rates per unit of progress).

        `seconds` is what was spent on it: less than its duration while it is not `whole`.
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
        return Ratio(middle, low, high)
