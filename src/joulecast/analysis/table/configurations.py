"""Rows of a table as configurations: the runs that share the values of their factors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .columns import UNKNOWN, Array, Table

NOT_COMPARABLE = frozenset(
    {"failed", "out_of_memory", "stopped", "canceled", "interrupted", "running", "pending"}
)
"""Values of the column `status` of runs and trials whose figures are not those of a whole run."""


@dataclass(frozen=True, slots=True)
class Members:
    """One configuration: its rows, shape (n,), at least one."""

    name: str
    factors: dict[str, str]
    rows: npt.NDArray[np.intp]


def grouped(
    table: Table, by: Sequence[str], needed: Mapping[str, Array]
) -> tuple[list[Members], dict[str, int]]:
    """The configurations, in the order of their first rows, and the rows left out by reason.

    A row is left out where its run did not finish though others did, or where a factor or a needed
    figure is missing.

    Args:
        table: a row for each run.
        by: the columns of factors; at least one.
        needed: figures by column, each of shape (rows,), NaN where they are missing.

    Raises:
        BadInputError: a column is missing.
        UsageError: no factor is named, or one twice.
    """
    if not by or len(set(by)) < len(by):
        raise UsageError(f"group by one column or more, each once, not by {', '.join(by) or '()'}")
    factors = [table.levels(column) for column in by]
    reasons = _reasons(table, dict(zip(by, factors, strict=True)), needed)
    members: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(zip(*factors, strict=True)):
        if reasons[row] is None:
            members.setdefault(tuple(map(str, key)), []).append(row)
    numeric = [table.is_numeric(column) for column in by]
    groups = [
        Members(_name(by, key, numeric), dict(zip(by, key, strict=True)), np.array(rows))
        for key, rows in members.items()
    ]
    return groups, dict(Counter(reason for reason in reasons if reason is not None))


def _reasons(
    table: Table, factors: Mapping[str, list[str | None]], needed: Mapping[str, Array]
) -> list[str | None]:
    """Why each row is left out; None where it is not."""
    reasons = _unfinished(table)
    missing = {column: np.isnan(values) for column, values in needed.items()}
    missing |= {column: np.array([x is None for x in levels]) for column, levels in factors.items()}
    for column, rows in missing.items():
        for i in np.flatnonzero(rows).tolist():
            reasons[i] = reasons[i] or f"no {column}"
    return reasons


def _unfinished(table: Table) -> list[str | None]:
    """Why each row is left out by its status; none is in a table in which no run finished."""
    status = table.labels("status") if "status" in table.columns else []
    if "finished" not in status:
        return [None] * len(table)
    return [f"status {s}" if s in NOT_COMPARABLE else None for s in status]


def _name(by: Sequence[str], key: Sequence[str], numeric: Sequence[bool]) -> str:
    """`resnet50`, or of several factors `resnet50, batch=32`.

    Numbers and words such as `none` mean nothing without the column, which is shown with them.
    """
    parts = zip(by, key, numeric, strict=True)
    return ", ".join(
        f"{column}={value}" if n or value.lower() in UNKNOWN else value
        for column, value, n in parts
    )
