"""Sums of squares of two crossed factors, from the cells' counts and means alone.

No design matrix of rows is built: a hundred thousand runs cost no more than their cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..table.columns import Array

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Values by the levels of two factors.

    Attributes:
        counts: shape (a, b); 0 where a combination was not run.
        means: shape (a, b); NaN there.
        within: sum of squares around the cells' means.
    """

    counts: Counts
    means: Array
    within: float

    @property
    def complete(self) -> bool:
        """Whether every combination was run."""
        return bool((self.counts > 0).all())

    @property
    def df_within(self) -> int:
        """Degrees of freedom around the cells' means."""
        return int(self.counts.sum() - (self.counts > 0).sum())


@dataclass(frozen=True, slots=True)
class Sums:
    """Sum of squares and degrees of freedom of each effect, and of the additive model's rest."""

    a: tuple[float, int]
    b: tuple[float, int]
    ab: tuple[float, int]
    kind: str  # "III" or "II"


def cells_of(values: Array, i: npt.NDArray[np.intp], j: npt.NDArray[np.intp]) -> Cells:
    """The cells of finite values, shape (n,), at levels `i` and `j` from 0, of the same shape."""
    shape = (int(i.max()) + 1, int(j.max()) + 1)
    at = i * shape[1] + j
    size = shape[0] * shape[1]
    counts = np.bincount(at, minlength=size)
    with np.errstate(invalid="ignore"):
        means = np.bincount(at, values, size) / counts
    within = float(((values - means[at]) ** 2).sum())
    return Cells(counts.reshape(shape), means.reshape(shape), within)


def sums_of_squares(cells: Cells) -> Sums:
    """Of both main effects and their interaction.

    Where every combination was run, type III: each main effect is that of the unweighted means
    over the other factor (Yates 1934, the method of weighted squares of means), whatever the
    counts. Where some were not, these means do not exist, and main effects are type II: what a
    factor explains beyond the other, without interaction. In balanced designs both are the same.
    """
    rest, rank = _additive(cells)
    filled = int((cells.counts > 0).sum())
    ab = (rest, filled - rank)
    rows, columns = cells.counts.shape
    if cells.complete:
        return Sums(
            (_unweighted(cells.counts, cells.means), rows - 1),
            (_unweighted(cells.counts.T, cells.means.T), columns - 1),
            ab,
            "III",
        )
    by_b = _one_factor(cells.counts.T, cells.means.T)
    by_a = _one_factor(cells.counts, cells.means)
    return Sums(
        (max(0.0, by_b - rest), rank - columns), (max(0.0, by_a - rest), rank - rows), ab, "II"
    )


def _unweighted(counts: Counts, means: Array) -> float:
    """Of the first factor: its levels' unweighted means, each weighed by its precision."""
    precision = counts.shape[1] ** 2 / (1 / counts).sum(axis=1)
    level = means.mean(axis=1)
    center = (precision * level).sum() / precision.sum()
    return float((precision * (level - center) ** 2).sum())


def _one_factor(counts: Counts, means: Array) -> float:
    """What is left between cells if the first factor alone explains them."""
    known = np.where(counts > 0, means, 0.0)
    level = (counts * known).sum(axis=1) / counts.sum(axis=1)
    return float((counts * (known - level[:, None]) ** 2).sum())


def _additive(cells: Cells) -> tuple[float, int]:
    """What is left between cells if both factors add up, and the rank of that model."""
    counts = cells.counts.astype(np.float64)
    known = np.where(cells.counts > 0, cells.means, 0.0)
    rows, columns = counts.shape
    normal = np.zeros((rows + columns, rows + columns))
    normal[:rows, :rows] = np.diag(counts.sum(axis=1))
    normal[rows:, rows:] = np.diag(counts.sum(axis=0))
    normal[:rows, rows:] = counts
    normal[rows:, :rows] = counts.T
    right = np.concatenate([(counts * known).sum(axis=1), (counts * known).sum(axis=0)])
    fit = np.linalg.lstsq(normal, right, rcond=None)[0]
    left = known - fit[:rows, None] - fit[None, rows:]
    return float((counts * left**2).sum()), rows + columns - _parts(cells.counts > 0)


def _parts(run: npt.NDArray[np.bool_]) -> int:
    """Into how many parts that share no level the combinations fall."""
    unseen, parts = set(range(len(run))), 0
    while unseen:
        parts += 1
        rows = {unseen.pop()}
        while rows:
            columns = run[sorted(rows)].any(axis=0)
            reached = set(np.flatnonzero(run[:, columns].any(axis=1)).tolist())
            rows = reached & unseen
            unseen -= rows
    return parts
