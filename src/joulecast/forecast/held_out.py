"""Intervals of methods that learn: from the errors they make on runs held out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .splits import Split, inner, labels
from .static_methods import Learner
from .static_run import StaticRun

LEVEL = 0.9


def with_interval(
    learner: Learner, runs: Sequence[StaticRun], split: Split, seed: int = 0
) -> Learner:
    """The learner with the 90 % interval of what is new to it as `split` makes it new.

    Each run is forecast by the method taught by the others: of a random split in five folds, else
    with its whole architecture (or GPU) left out. No interval where nothing can be held out.
    """
    names = labels(runs, split)
    errors: dict[str, list[float]] = {}
    for fold in inner(runs, split, seed):
        taught = learner.again([runs[i] for i in fold.train])
        for i in fold.test:
            error = taught.error(runs[i])
            if error is not None:
                errors.setdefault(names[i], []).append(error)
    half = half_width(list(errors.values())) if errors else math.inf
    return learner.with_spread(half if math.isfinite(half) else None)


def half_width(errors: Sequence[Sequence[float]]) -> float:
    """The width that holds for a new group, by split conformal prediction over groups.

    Runs of one group err alike, so it is groups that are exchangeable, not runs. What holds for
    90 % of the runs of each is taken of it, and of these the k-th smallest, k = ceil(0.9 (n + 1))
    (Vovk, Gammerman, Shafer 2005); of fewer than nine groups the largest, which promises less.
    """
    widths = sorted(_quantile(group) for group in errors)
    return widths[min(len(widths), math.ceil(LEVEL * (len(widths) + 1))) - 1]


def _quantile(errors: Sequence[float]) -> float:
    """The least of them that 90 % do not exceed."""
    return sorted(errors)[math.ceil(LEVEL * len(errors)) - 1]
