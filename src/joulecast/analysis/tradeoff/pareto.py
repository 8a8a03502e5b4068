"""The Pareto front: configurations to which no other is superior in both cost and quality."""

import numpy as np
import numpy.typing as npt

from ..table.columns import Array


def on_front(cost: Array, quality: Array, maximize: bool = True) -> npt.NDArray[np.bool_]:
    """Which points are on the front, shape (n,), in O(n log n).

    A point is on the front if no other costs at most as much and is at least as good, with one of
    them strictly. Of points that are equal in both, all are on it, or none.

    Args:
        cost: to be minimized, shape (n,), finite.
        quality: of each, shape (n,), finite.
        maximize: whether more quality is better; False for a loss.
    """
    worth = np.asarray(quality if maximize else -quality, dtype=np.float64)
    # By cost, the best of equal cost first.
    order = np.lexsort((-worth, cost))
    cost_, worth_ = np.asarray(cost, dtype=np.float64)[order], worth[order]
    new = np.concatenate([[True], np.diff(cost_) > 0])[: len(cost_)]
    first_of_cost = np.maximum.accumulate(np.where(new, np.arange(len(cost_)), 0))
    best = np.maximum.accumulate(worth_)
    best_below = np.where(first_of_cost > 0, best[first_of_cost - 1], -np.inf)
    front = np.empty(len(cost_), dtype=np.bool_)
    front[order] = (worth_ == worth_[first_of_cost]) & (worth_ > best_below)
    return front
