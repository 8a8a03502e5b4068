"""Sums of squares of two crossed factors, from the cells' counts and means alone.

No design matrix of rows is built: a hundred thousand runs cost no more than their cells.
"""

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
        df_removed: degrees of freedom that were taken from the values before.
    """

    counts: Counts
    means: Array
    within: float
    df_removed: int = 0

    @property
    def complete(self) -> bool:
        """Whether every combination was run."""
        return bool((self.counts > 0).all())

    @property
    def df_within(self) -> int:
        """Degrees of freedom around the cells' means."""
        return int(self.counts.sum() - (self.counts > 0).sum()) - self.df_removed


@dataclass(frozen=True, slots=True)
class Sums:
    """Sum of squares and degrees of freedom of each effect.

    `ab` is the interaction: what the sum of both main effects does not explain of the cells' means.
    """

    a: tuple[float, int]
    b: tuple[float, int]
    ab: tuple[float, int]
    # "III" or "II".
    kind: str


def cells_of(
    values: Array, i: npt.NDArray[np.intp], j: npt.NDArray[np.intp], df_removed: int = 0
) -> Cells:
    """The cells of finite values, shape (n,), at levels `i` and `j` from 0, of the same shape."""
    shape = (int(i.max()) + 1, int(j.max()) + 1)
    at = i * shape[1] + j
    size = shape[0] * shape[1]
    counts = np.bincount(at, minlength=size)
    with np.errstate(invalid="ignore"):
        means = np.bincount(at, values, size) / counts
    within = float(((values - means[at]) ** 2).sum())
    return Cells(counts.reshape(shape), means.reshape(shape), within, df_removed)


def sums_of_squares(cells: Cells) -> Sums:
    """Of both main effects and their interaction.

    Where every combination was run, type III: each main effect is that of the unweighted means
    over the other factor (Yates 1934, the method of weighted squares of means), whatever the
    counts. Where some were not, these means do not exist, and main effects are type II: what a
    factor explains beyond the other, without interaction. In balanced designs both are the same.
    """
    unexplained, rank = _residual(cells, (0, 1))
    interaction = unexplained, int((cells.counts > 0).sum()) - rank
    rows, columns = cells.counts.shape
    if cells.complete:
        by_a = _unweighted(cells.counts, cells.means), rows - 1
        by_b = _unweighted(cells.counts.T, cells.means.T), columns - 1
        return Sums(by_a, by_b, interaction, "III")
    without_a, rank_b = _residual(cells, (1,))
    without_b, rank_a = _residual(cells, (0,))
    by_a = max(0.0, without_a - unexplained), rank - rank_b
    by_b = max(0.0, without_b - unexplained), rank - rank_a
    return Sums(by_a, by_b, interaction, "II")


def _unweighted(counts: Counts, means: Array) -> float:
    """Of the first factor: its levels' unweighted means, each weighted by its precision."""
    precision = counts.shape[1] ** 2 / (1 / counts).sum(axis=1)
    level = means.mean(axis=1)
    center = (precision * level).sum() / precision.sum()
    return float((precision * (level - center) ** 2).sum())


def _residual(cells: Cells, factors: tuple[int, ...]) -> tuple[float, int]:
    """Sum of squares between cells that these factors, added up, do not explain; and their rank."""
    filled = np.nonzero(cells.counts)
    weights = np.sqrt(cells.counts[filled])
    levels = [np.eye(cells.counts.shape[factor])[filled[factor]] for factor in factors]
    design = np.hstack(levels) * weights[:, None]
    target = cells.means[filled] * weights
    fit, _, rank, _ = np.linalg.lstsq(design, target, rcond=None)
    return float(((target - design @ fit) ** 2).sum()), int(rank)
