import math

import pytest

from joulecast.analysis.table.column_units import plain_name, quantities, unit_of
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError


@pytest.mark.parametrize(
    ("column", "unit", "factor"),
    [
        ("energy_j", "J", 1),
        ("energy (MJ)", "J", 1e6),
        ("energy [kWh]", "J", 3.6e6),
        ("energy (mJ)", "J", 1e-3),
        ("used_kwh", "J", 3.6e6),
        ("training duration (h)", "s", 3600),
        ("duration_s", "s", 1),
        ("emissions (gCO2e)", "g", 1),
        ("power draw (W)", "W", 1),
        ("accuracy (%)", "%", 1),
        ("load_pct", "%", 1),
        ("gpu memory (MB)", None, 1),
        ("accuracy", None, 1),
        # It may be milli or mega.
        ("energy_mj", None, 1),
    ],
)
def test_the_unit_is_at_the_end_of_the_name(column, unit, factor):
    assert (unit_of(column).name, unit_of(column).factor) == (unit, factor)


@pytest.mark.parametrize(
    ("column", "name"),
    [("energy_j", "energy"), ("energy (MJ)", "energy"), ("used_kWh", "used"), ("_j", "_j")]
    + [(x, x) for x in ("(kWh)", "accuracy", "top_k", "loss (nats)")],
)
def test_a_plain_name_has_no_unit(column, name):
    assert plain_name(column) == name


def test_cells_may_have_units_of_their_own():
    table = Table("t", {"training (kWh)": ["1", "50 kJ", "", None, 2.0]})
    values, unit = quantities(table, "training (kWh)")
    assert unit.name == "J"
    assert values[:2].tolist() == [3.6e6, 50e3]
    assert math.isnan(values[2]) and math.isnan(values[3])
    assert values[4] == 7.2e6


def test_a_cell_that_is_not_a_quantity_is_named_with_its_line():
    table = Table("t.csv", {"e_j": ["1", "much"]}, lines=[2, 3])
    with pytest.raises(BadInputError, match=r"t\.csv, line 3: e_j"):
        quantities(table, "e_j")


def test_a_row_of_the_ledger_is_named_by_its_run():
    table = Table("ledger", {"e_j": ["much"], "run_id": ["3f9a"]})
    with pytest.raises(BadInputError, match=r"row 1 .*3f9a"):
        quantities(table, "e_j")


def test_figures_have_their_unit():
    assert unit_of("energy (MJ)").text(345_866.4) == "346 kJ"
    assert unit_of("x").text(0.123456) == "0.1235"


def test_values_that_cannot_be_squared_are_refused():
    assert quantities(Table("t", {"e_j": [1e100]}), "e_j")[0].tolist() == [1e100]
    with pytest.raises(BadInputError, match="row 2"):
        quantities(Table("t", {"e_j": [1.0, 2e100]}), "e_j")
