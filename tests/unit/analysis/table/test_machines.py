"""What the rows of a table share by the machine that each ran on."""

import math

import numpy as np
import pytest

from joulecast.analysis.table.columns import Table
from joulecast.analysis.table.machines import bounds, energies_by_machine, is_one_machine, machines

COLUMNS = {
    "energy_j": [100.0, 200.0, None, 50.0],
    "energy_low_j": [60.0, 120.0, None, None],
    "energy_high_j": [180.0, 360.0, None, None],
    "energy_own_low_j": [98.0, None, None, None],
    "energy_own_high_j": [103.0, None, None, None],
    "host": ["a", "a", "a", "b"],
}


def table(**changes: list | None) -> Table:
    columns = {**COLUMNS, **changes}
    return Table("t", {name: cells for name, cells in columns.items() if cells is not None})


def test_bounds_that_are_missing_are_the_next_wider_ones() -> None:
    low, high, own_low, own_high = bounds(table(), "energy_j")
    nan = math.nan
    for row, expected in (
        (low, [60, 120, nan, 50]),
        (high, [180, 360, nan, 50]),
        (own_low, [98, 120, nan, 50]),
        (own_high, [103, 360, nan, 50]),
    ):
        np.testing.assert_array_equal(row, expected)
    bare = table(energy_own_low_j=None, energy_own_high_j=None)
    np.testing.assert_array_equal(bounds(bare, "energy_j")[2], low)
    # Bounds of another figure do not turn an interval around.
    wrong = table(energy_low_j=[101.0] * 4, energy_high_j=[99.0] * 4)
    np.testing.assert_array_equal(bounds(wrong, "energy_j")[0], [100, 101, nan, 50])
    np.testing.assert_array_equal(bounds(wrong, "energy_j")[1], [100, 200, nan, 99])


def test_the_runs_of_a_machine_add_up() -> None:
    a, b = energies_by_machine(table(), "energy_j")
    assert (a.value, a.low, a.high, a.own_low, a.own_high) == (300, 180, 540, 218, 463)
    assert (b.value, b.low, b.high) == (50, 50, 50)
    assert (list(a.shared), list(b.shared)) == (["a"], ["b"])
    assert energies_by_machine(table(), "power_w") == []
    assert energies_by_machine(table(energy_j=[None] * 4), "energy_j") == []


def test_a_host_is_more_precise_than_hardware_and_either_may_be_unknown() -> None:
    assert machines(table(machine=["x"] * 4)) == ["a", "a", "a", "b"]
    assert machines(table(host=None, machine=["x"] * 4)) == ["x"] * 4
    assert machines(table(host=None)) == [None] * 4


@pytest.mark.parametrize(
    ("host", "one"),
    [
        (["a"] * 4, True),
        (["a", "a", "b", "a"], False),
        (["a", None, "a", "a"], False),
        (None, False),
    ],
)
def test_whether_all_rows_are_of_one_machine(host: list | None, one: bool) -> None:
    assert is_one_machine(table(host=host)) is one
