"""How later epochs relate to the first one, before a second epoch is finished.

A first epoch includes what is done once (compilation, autotuning, filling of caches), so it may be
longer than the others, by a part that one figure does not show. The run itself shows it once a
second epoch, or steps after the warm-up, are finished. Until then a later epoch is treated as
equal to the first, with a wide interval downwards. Past runs correct that, the more the more their
first epoch was like this one.
"""

import math
from collections.abc import Sequence

import numpy as np

from ...recording.model import Array
from ..base import History, Work
from .rates import Rate

# Ratios later / first, with their weights, before past runs are known: the median is 1. Published
# fine-tunings have first epochs of 3.5 to 4.1 later ones, trainings with cached data shorter ones.
RATIOS, WEIGHTS = (0.24, 1.0, 1.25), (0.1, 0.8, 0.1)
# They have the weight of so many past runs of the same job.
SHIPPED_WEIGHT = 2.0
# A first epoch is treated as at most 20 times a later one.
SMALLEST_RATIO = 1 / 20
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


def first_and_later(history: History) -> list[float] | None:
    """Duration and energy of a run's first epoch, then their means in later ones relative to it.

    None where it has no two epochs with duration and energy.
    """
    epochs = np.array([(w.progress, w.duration_s, w.energy_j) for w in history.epochs])
    epochs = epochs.reshape(-1, 3)[[w.progress > 0 for w in history.epochs]]
    if len(epochs) < 2:
        return None
    with np.errstate(all="ignore"):
        first = epochs[0, 1:] / epochs[0, 0]
        later = epochs[1:, 1:].sum(axis=0) / epochs[1:, 0].sum() / first
    row = [*first.tolist(), *later.tolist()]
    return row if all(math.isfinite(value) and value > 0 for value in row) else None


class Experience:
    """The ratios later / first of past runs, and the shipped ones."""

    def __init__(self, past: Sequence[History] = ()) -> None:
        self._runs = np.array([row for row in map(first_and_later, past) if row]).reshape(-1, 4)
        self.runs = len(self._runs)

    def later(self, first: Work, whole: bool) -> tuple[Rate, Rate]:
        """Duration and energy of a later epoch, from the first one (per unit of progress).

        The steps of a first epoch that is not `whole` may all be start-up.
        """
        here = np.array([max(first.duration_s, 1e-9), max(first.energy_j, 1e-9)])
        distance = np.log(self._runs[:, :2] / here) / LIKENESS
        alike = np.exp(-0.5 * np.minimum((distance**2).sum(axis=1), 1e3))
        shipped = SHIPPED_WEIGHT * np.array(WEIGHTS)
        weights = np.concatenate([shipped, np.maximum(alike, UNLIKE_WEIGHT)])
        rates = []
        for i, value in enumerate((first.duration_s, first.energy_j), 2):
            ratios = np.concatenate([RATIOS, self._runs[:, i]])
            low, middle, high = weighted_quantiles(ratios, weights, (0.05, 0.5, 0.95))
            low = low if whole else low * SMALLEST_RATIO
            rates.append(Rate(value * middle, value * low, value * high))
        return rates[0], rates[1]
