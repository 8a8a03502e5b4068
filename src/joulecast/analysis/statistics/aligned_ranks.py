"""The aligned rank transform of two crossed factors.

Each effect has its own responses: those of the runs without every other effect, then ranked. An
analysis of variance of these ranks tests that effect only (Wobbrock, Findlater, Gergle, Higgins:
The aligned rank transform for nonparametric factorial analyses using only ANOVA procedures, CHI
2011, doi:10.1145/1978942.1978963).
"""

import numpy as np
import numpy.typing as npt

from ..table.columns import Array
from .two_way import Cells

# Values that differ only beyond these digits of the largest are ties separated by rounding.
_DIGITS = 10


def aligned_ranks(
    values: Array, i: npt.NDArray[np.intp], j: npt.NDArray[np.intp], cells: Cells
) -> tuple[Array, Array, Array]:
    """Ranks aligned for the first factor, the second, and their interaction; each of shape (n,).

    Effects are estimated by unweighted means over the cells, so that in unbalanced designs, too,
    each aligned response contains nothing of the other effects (of a type III analysis).

    Args:
        values: shape (n,), finite.
        i: level of the first factor.
        j: level of the second.
        cells: of these values; every combination was run.
    """
    means = cells.means
    grand = means.mean()
    a = means.mean(axis=1) - grand
    b = means.mean(axis=0) - grand
    ab = means - grand - a[:, None] - b[None, :]
    residuals = values - means[i, j]
    return (
        mean_ranks(residuals + a[i]),
        mean_ranks(residuals + b[j]),
        mean_ranks(residuals + ab[i, j]),
    )


def mean_ranks(values: Array) -> Array:
    """Mean ranks from 1; ties share theirs."""
    scale = float(np.abs(values).max()) or 1.0
    _, at, counts = np.unique(
        np.round(values / scale, _DIGITS), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[at]
    return ranks
