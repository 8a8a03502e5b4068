"""Intervals of methods that learn: from the errors they make on runs held out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..conformal import grouped_half_width
from ..past_run import StaticRun
from .splits import Split, inner, labels
from .static_methods import Learner


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
    half = grouped_half_width(list(errors.values())) if errors else math.inf
    return learner.with_spread(half if math.isfinite(half) else None)
