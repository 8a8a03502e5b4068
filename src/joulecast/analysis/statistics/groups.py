"""The values of one column, split by the labels of another."""

from dataclasses import dataclass

import numpy as np

from ...errors import BadInputError
from ..table.columns import Array, Table, sort_levels

MAX_GROUPS = 50
"""More labels than these make too many pairs for anyone to read: 1,225."""

# A spread below this share of the largest value is that of rounding.
_ROUNDING = 1e-12


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
    def constant(self) -> bool:
        """Whether all values are the same, up to rounding."""
        return not self.n or bool(
            np.ptp(self.values) <= _ROUNDING * float(np.max(np.abs(self.values)))
        )


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group in figures. `std` is of the sample (n - 1); None where there are too few values."""

    name: str
    n: int
    missing: int
    median: float | None
    mean: float | None
    std: float | None


def summarize_group(group: Group) -> GroupSummary:
    """The median, mean and standard deviation of a group, in the unit of its values."""
    values = group.values
    return GroupSummary(
        name=group.name,
        n=group.n,
        missing=group.missing,
        median=float(np.median(values)) if group.n else None,
        mean=float(np.mean(values)) if group.n else None,
        std=float(np.std(values, ddof=1)) if group.n > 1 else None,
    )


def split(table: Table, values: Array, by: str) -> tuple[list[Group], int]:
    """The groups, in the order of their labels, and how many rows have no label.

    Args:
        table: a row for each run.
        values: one of each row, NaN where it is missing.
        by: the column whose labels are the groups. Numbers are sorted by size, other labels
            alphabetically.

    Raises:
        BadInputError: the column is missing, or has more than `MAX_GROUPS` labels.
    """
    labels = table.levels(by)
    names = sort_levels({label for label in labels if label is not None}, table.is_numeric(by))
    if len(names) > MAX_GROUPS:
        raise BadInputError(
            f"{table.name}: {by} has {len(names):,} different values, too many to compare each "
            f"with each (at most {MAX_GROUPS}): choose another column, or some of the rows"
        )
    place = {name: i for i, name in enumerate(names)}
    at = np.array([-1 if label is None else place[label] for label in labels], dtype=np.int64)
    present = ~np.isnan(values)
    groups = [
        Group(name, values[(at == i) & present], int(np.sum((at == i) & ~present)))
        for i, name in enumerate(names)
    ]
    return groups, int(np.sum(at < 0))
