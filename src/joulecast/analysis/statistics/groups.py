"""The values of one column, split by the labels of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import BadInputError
from ...units import one_line
from ..table.columns import Array, Table, by_size
from .scipy_stats import finite

MOST_GROUPS = 50
"""More labels than these are no grouping, and every pair of them is more than anyone reads."""

_SAME = 1e-12  # of the largest value: a spread below it is that of rounding


@dataclass(frozen=True, slots=True)
class Group:
    """The known values of the rows of one label; `missing` rows of it have none."""

    name: str
    values: Array
    missing: int = 0

    @property
    def n(self) -> int:
        """How many values."""
        return len(self.values)

    @property
    def median(self) -> float | None:
        """None of no values."""
        if not self.n:
            return None
        scale = peak([self])
        return finite(scale * float(np.median(self.values / scale)))

    @property
    def mean(self) -> float | None:
        """None of no values."""
        if not self.n:
            return None
        scale = peak([self])
        return finite(scale * float(np.mean(self.values / scale)))

    @property
    def std(self) -> float | None:
        """Standard deviation of the sample (n - 1); None of fewer than two values."""
        if self.n < 2:
            return None
        scale = peak([self])
        return finite(scale * float(np.std(self.values / scale, ddof=1)))

    @property
    def constant(self) -> bool:
        """Whether all values are the same, up to rounding."""
        if not self.n:
            return True
        values = self.values / peak([self])
        return bool(np.ptp(values) <= _SAME)


def peak(groups: Sequence[Group]) -> float:
    """The largest absolute value of some groups, 1 where all are 0.

    Values are divided by it before they are squared, so that nothing over- or underflows.
    """
    return max((float(np.max(np.abs(g.values))) for g in groups if g.n), default=0.0) or 1.0


def split(table: Table, value: str, by: str) -> tuple[list[Group], int]:
    """The groups, in the order of their labels, and how many rows have no label.

    Labels that are numbers come in the order of the numbers, others by the alphabet.

    Raises:
        BadInputError: a column is missing, `value` holds what is no number, or `by` has more than
            `MOST_GROUPS` labels.
    """
    labels = table.levels(by)
    values = table.numbers(value)
    names = list(dict.fromkeys(label for label in labels if label is not None))
    if len(names) > MOST_GROUPS:
        raise BadInputError(
            f"{table.name}: {by} has {len(names):,} different values, too many to compare each "
            f"with each (at most {MOST_GROUPS}): choose another column, or some of the rows"
        )
    names.sort(key=by_size if table.is_numeric(by) else lambda n: (n.casefold(), n))
    place = {name: i for i, name in enumerate(names)}
    at = np.array([-1 if label is None else place[label] for label in labels], dtype=np.int64)
    known = ~np.isnan(values)
    groups = [
        Group(name, values[(at == i) & known], int(np.sum((at == i) & ~known)))
        for i, name in enumerate(names)
    ]
    return groups, int(np.sum(at < 0))


def some(names: Sequence[str]) -> str:
    """`a, b and c`, `a, b, c and 4 more`, fit for a terminal."""
    shown = [one_line(name) for name in names[:3]]
    if len(names) > 3:
        return f"{', '.join(shown)} and {len(names) - 3} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
