"""The Pareto front: configurations that no other beats in both cost and quality."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def on_front(cost: Array, quality: Array, maximize: bool = True) -> npt.NDArray[np.bool_]:
    """Which points are on the front, shape (n,), in O(n log n).

    A point is on it if no other costs at most as much and is at least as good, one of them
    strictly. Points that are alike in both do not beat each other: all of them are on it, or none.

    Args:
        cost: to be small, shape (n,), finite.
        quality: of each, shape (n,), finite.
        maximize: whether more quality is better; else less (a loss).
    """
    worth = np.asarray(quality if maximize else -quality, dtype=np.float64)
    order = np.lexsort((-worth, cost))  # by cost, the best of equal cost first
    cost_, worth_ = np.asarray(cost, dtype=np.float64)[order], worth[order]
    new = np.concatenate([[True], np.diff(cost_) > 0])[: len(cost_)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(cost_)), 0))  # of equal cost
    best = np.maximum.accumulate(worth_)
    before = np.where(first > 0, best[first - 1], -np.inf)  # the best of all that cost less
    front = np.empty(len(cost_), dtype=np.bool_)
    front[order] = (worth_ == worth_[first]) & (worth_ > before)
    return front
