"""Rows of a table as configurations: the runs that share the values of their factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .columns import UNKNOWN, Array, Table

NOT_COMPARABLE = frozenset(
    {"failed", "out_of_memory", "stopped", "interrupted", "running", "pending"}
)
"""What the column `status` says of a run or trial whose figures are not those of a whole one."""


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
        needed: figures, each of shape (rows,), NaN where not known, by column.

    Raises `BadInputError` for a column that is not there, `UsageError` without factors.
    """
    if not by or len(set(by)) < len(by):
        raise UsageError(f"group by one column or more, each once, not by {', '.join(by) or '()'}")
    factors = [table.levels(column) for column in by]
    numeric = [table.is_numeric(column) for column in by]
    reasons = _unfinished(table)
    for column, values in needed.items():
        for i in np.flatnonzero(np.isnan(values)).tolist():
            reasons[i] = reasons[i] or f"no {column}"
    found: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(zip(*factors, strict=True)):
        if reasons[row] is not None:
            continue
        if None in key:
            reasons[row] = f"no {by[key.index(None)]}"
            continue
        found.setdefault(tuple(map(str, key)), []).append(row)
    groups = [
        Members(_name(by, key, numeric), dict(zip(by, key, strict=True)), np.array(rows))
        for key, rows in found.items()
    ]
    return groups, dict(Counter(r for r in reasons if r is not None))


def _unfinished(table: Table) -> list[str | None]:
    """Why a row is left out by its status; of a table in which no run finished, none is."""
    status = table.labels("status") if "status" in table.columns else []
    if "finished" not in status:
        return [None] * len(table)
    return [f"status {s}" if s in NOT_COMPARABLE else None for s in status]


def _name(by: Sequence[str], key: Sequence[str], numeric: Sequence[bool]) -> str:
    """`resnet50`, or of several factors `resnet50, batch=32`: a number, or `none`, says nothing."""
    parts = zip(by, key, numeric, strict=True)
    return ", ".join(
        f"{column}={value}" if n or value.lower() in UNKNOWN else value
        for column, value, n in parts
    )
