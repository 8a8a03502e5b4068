"""What the rows of a table share: the error of the meters of the machine that each ran on."""

import numpy as np

from ...estimate import Estimate
from .columns import Array, Table
from .quantities import bounds_of, own_bounds_of, quantities

# A study knows the host of its trials, a recorded run its hardware.
_COLUMNS = ("host", "machine")


def machines(table: Table) -> list[str | None]:
    """The machine of each row, None where it is unknown."""
    column = next((c for c in _COLUMNS if c in table.columns), None)
    return [None] * len(table) if column is None else table.labels(column)


def is_one_machine(table: Table) -> bool:
    """Whether all rows are known to be of one machine."""
    return len(names := set(machines(table))) == 1 and None not in names


def bounds(table: Table, column: str) -> tuple[Array, Array, Array, Array]:
    """Low, high, own low and own high of an energy, shape (rows,), NaN where it is unknown.

    Where a bound is missing it is the value, where an own one is, that in all.
    """
    values = quantities(table, column)[0]
    low, high = (_or(table, name, values) for name in bounds_of(column))
    low, high = np.minimum(low, values), np.maximum(high, values)
    own = [
        _or(table, name, otherwise)
        for name, otherwise in zip(own_bounds_of(column), (low, high), strict=True)
    ]
    return low, high, np.minimum(own[0], values), np.maximum(own[1], values)


def _or(table: Table, column: str, otherwise: Array) -> Array:
    if column not in table.columns:
        return otherwise
    there = quantities(table, column)[0]
    return np.where(np.isnan(there), otherwise, there)


def energies_by_machine(table: Table, column: str) -> list[Estimate]:
    """The sum of a column of each machine, J; none where the column has no value."""
    if column not in table.columns:
        return []
    values = quantities(table, column)[0]
    rows = np.stack([values, *bounds(table, column)])
    names = np.array([str(machine) for machine in machines(table)])
    energies = []
    for name in dict.fromkeys(names[~np.isnan(values)].tolist()):
        sums = rows[:, (names == name) & ~np.isnan(values)].sum(axis=1)
        value, low, high, own_low, own_high = sums.tolist()
        energy = Estimate(value, low, high, own_low=own_low, own_high=own_high)
        energies.append(energy.by_meter(name))
    return energies


def scale_notes(table: Table, value: str, *factors: str) -> list[str]:
    """A note on each factor whose levels ran on different machines, where their meters share much.

    Args:
        table: of the runs.
        value: the column that is compared.
        factors: the columns whose levels are compared.
    """
    if not any(energy.is_apart for energy in energies_by_machine(table, value)):
        return []
    notes = []
    for factor in factors:
        of_level: dict[str | None, set[str | None]] = {}
        for level, machine in zip(table.levels(factor), machines(table), strict=True):
            of_level.setdefault(level, set()).add(machine)
        if len(set(map(frozenset, of_level.values()))) > 1:
            notes.append(
                f"the values of {factor} ran on different machines: the scale of their meters, "
                "which differs between machines, is part of every difference, and no test shows it"
            )
    return notes
