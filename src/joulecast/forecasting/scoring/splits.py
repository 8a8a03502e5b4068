"""How runs are parted into those that a method learns from and those it is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ..past_run import StaticRun

TESTED = 0.3  # of a random split, as in arXiv 2307.05520
_ENOUGH = 100  # tested runs, after which one random split is told apart from the next by little
_MOST_DRAWS = 10
_FOLDS = 5


class Split(StrEnum):
    """What the tested runs have in common with those learnt from."""

    RANDOM = "random"  # the same configuration may be on both sides
    ARCHITECTURE = "leave-one-architecture-out"
    GPU = "leave-one-gpu-out"


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of the runs learnt from and of those tested."""

    train: tuple[int, ...]
    test: tuple[int, ...]


def labels(runs: Sequence[StaticRun], split: Split) -> list[str]:
    """What is left out together: runs of one label are all learnt from, or all tested."""
    if split is Split.ARCHITECTURE:
        return [run.facts.architecture.casefold() for run in runs]
    if split is Split.GPU:
        return [run.facts.gpu.casefold() for run in runs]
    return [str(i) for i in range(len(runs))]


def folds(runs: Sequence[StaticRun], split: Split, seed: int = 0) -> list[Fold]:
    """The folds of a split; none where there is nothing to leave out.

    A random split tests 30 % of the runs; few runs are split anew up to ten times, so that some
    hundred tests stand behind a score.
    """
    if split is Split.RANDOM:
        return _random(len(runs), seed)
    return _left_out(labels(runs, split))


def inner(runs: Sequence[StaticRun], split: Split, seed: int = 0) -> list[Fold]:
    """Folds of runs learnt from, each run tested once: to see the errors of what is left out."""
    if split is not Split.RANDOM:
        return _left_out(labels(runs, split))
    count = min(_FOLDS, len(runs))
    if count < 2:
        return []
    order = np.random.default_rng(seed).permutation(len(runs))
    return [_but(len(runs), order[i::count].tolist()) for i in range(count)]


def _random(count: int, seed: int) -> list[Fold]:
    tested = round(TESTED * count)
    if not 0 < tested < count:
        return []
    draws = min(_MOST_DRAWS, -(-_ENOUGH // tested))
    rng = np.random.default_rng(seed)
    return [_but(count, rng.permutation(count)[:tested].tolist()) for _ in range(draws)]


def _left_out(names: Sequence[str]) -> list[Fold]:
    kinds = dict.fromkeys(names)
    if len(kinds) < 2:
        return []
    return [_but(len(names), [i for i, n in enumerate(names) if n == kind]) for kind in kinds]


def _but(count: int, test: Sequence[int]) -> Fold:
    left = set(test)
    return Fold(tuple(i for i in range(count) if i not in left), tuple(sorted(left)))
