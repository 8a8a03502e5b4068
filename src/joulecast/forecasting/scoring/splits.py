"""How runs are divided into those that a method learns from and those it is tested on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..past_run import StaticRun
from .accuracy import Split

# The tested share of a random split, as in arXiv 2307.05520.
TESTED = 0.3
# A random split is repeated until so many runs are tested, because few tests vary by chance.
_ENOUGH = 100
_MAX_DRAWS = 10
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of the runs to learn from, and of those to test."""

    train: tuple[int, ...]
    test: tuple[int, ...]


def labels(runs: Sequence[StaticRun], split: Split) -> list[str]:
    """Runs with the same label are left out together."""
    if split is Split.ARCHITECTURE:
        return [run.facts.architecture.casefold() for run in runs]
    if split is Split.GPU:
        return [run.facts.gpu.casefold() for run in runs]
    return [str(i) for i in range(len(runs))]


def folds(runs: Sequence[StaticRun], split: Split, seed: int = 0) -> list[Fold]:
    """The folds of a split; none where nothing can be left out.

    A random split tests 30 % of the runs, and is drawn up to ten times where runs are few.
    """
    if split is not Split.RANDOM:
        return _left_out(labels(runs, split))
    count = len(runs)
    tested = round(TESTED * count)
    if not 0 < tested < count:
        return []
    draws = min(_MAX_DRAWS, -(-_ENOUGH // tested))
    rng = np.random.default_rng(seed)
    return [_fold(count, rng.permutation(count)[:tested].tolist()) for _ in range(draws)]


def inner(runs: Sequence[StaticRun], split: Split) -> list[Fold]:
    """Folds of the runs to learn from, each tested once, to see the errors on what is left out."""
    if split is not Split.RANDOM:
        return _left_out(labels(runs, split))
    count = min(_FOLDS, len(runs))
    if count < 2:
        return []
    order = np.random.default_rng(0).permutation(len(runs))
    return [_fold(len(runs), order[i::count].tolist()) for i in range(count)]


def _left_out(names: Sequence[str]) -> list[Fold]:
    kinds = dict.fromkeys(names)
    if len(kinds) < 2:
        return []
    return [_fold(len(names), [i for i, n in enumerate(names) if n == kind]) for kind in kinds]


def _fold(count: int, test: Sequence[int]) -> Fold:
    tested = set(test)
    return Fold(tuple(i for i in range(count) if i not in tested), tuple(sorted(tested)))
