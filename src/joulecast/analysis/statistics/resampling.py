"""Medians of configurations in bootstrap samples of their repetitions.

Each draw takes, for every configuration, as many of its repetitions as it has, with replacement
(Efron 1979). Cost and quality of one repetition stay together, because they are of one run.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..table.columns import Array

# Values drawn in total, which takes about two seconds, and at most so many of them in memory.
_MAX_VALUES = 20_000_000
_MAX_IN_MEMORY = 2_000_000
_MIN_DRAWS, _MAX_DRAWS = 100, 2000


def draws_for(rows: int) -> int:
    """How many draws a table of so many rows gets: 2000, or fewer where it is long."""
    return max(_MIN_DRAWS, min(_MAX_DRAWS, _MAX_VALUES // max(rows, 1)))


def medians_drawn(
    cost: Array, quality: Array, groups: Sequence[npt.NDArray[np.intp]], draws: int
) -> Iterator[tuple[Array, Array]]:
    """Blocks of draws: medians of cost and of quality, each of shape (draws in block, groups).

    A group of one repetition is the same in every draw.

    Args:
        cost: of each row, shape (n,).
        quality: of each row, shape (n,).
        groups: the rows of each configuration, none empty.
        draws: how many.
    """
    # So that the same table gives the same answer.
    rng = np.random.default_rng(0)
    sizes = np.array([len(g) for g in groups])
    alike = [(int(n), np.flatnonzero(sizes == n)) for n in np.unique(sizes)]
    rows = [np.stack([groups[i] for i in members.tolist()]) for _, members in alike]
    block = max(1, min(draws, _MAX_IN_MEMORY // max(int(sizes.sum()), 1)))
    for start in range(0, draws, block):
        count = min(block, draws - start)
        costs = np.empty((count, len(groups)))
        qualities = np.empty((count, len(groups)))
        for (n, members), of in zip(alike, rows, strict=True):
            drawn = rng.integers(0, n, size=(count, len(members), n), dtype=np.int32)
            at = of[np.arange(len(members))[None, :, None], drawn]
            costs[:, members] = np.median(cost[at], axis=2)
            qualities[:, members] = np.median(quality[at], axis=2)
        yield costs, qualities
