import math

import pytest

import joulecast
from joulecast.analysis.table.columns import Table
from joulecast.analysis.table.quantities import quantities
from joulecast.column_units import matching_columns, plain_name, unit_of
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
        ("epoch_time_min", "s", 60),
        # A minimum, not minutes.
        ("val_loss_min", None, 1),
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


@pytest.mark.parametrize(
    ("columns", "wanted", "meant"),
    [
        (["energy_j", "energy (MJ)"], "energy_j", ["energy_j"]),
        (["arch", "Energy (MJ)"], "energy_j", ["Energy (MJ)"]),
        (["Energy_J"], "energy_j", ["Energy_J"]),
        (["energy_kwh", "energy_low_j"], "energy_j", ["energy_kwh"]),
        (["total energy [kWh]", "accuracy"], "energy_j", ["total energy [kWh]"]),
        (["gpu energy (J)", "cpu energy (J)"], "energy_j", []),
        (["energy (kJ)", "energy (Wh)"], "energy_j", ["energy (kJ)", "energy (Wh)"]),
        (["energy"], "energy_j", []),
        (["training (kWh)"], "training_j", ["training (kWh)"]),
        (["duration (min)", "power (kW)"], "duration_s", ["duration (min)"]),
        (["a", "a"], "a", ["a", "a"]),
        (["accuracy (%)"], "accuracy", []),
    ],
)
def test_a_name_means_the_same_quantity_in_another_unit(columns, wanted, meant):
    assert matching_columns(columns, wanted) == meant


def test_another_unit_is_converted():
    values, unit = quantities(Table("t", {"energy (MJ)": ["1.5"]}), "energy_j")
    assert (values.tolist(), unit.name, unit.factor) == ([1.5e6], "J", 1e6)
    both = Table("t", {"energy (kJ)": ["1"], "energy (Wh)": ["1"]})
    with pytest.raises(BadInputError, match="name one"):
        quantities(both, "energy_j")


@pytest.mark.parametrize(
    ("column", "refused"),
    [
        ("energy_j", True),
        ("gpu energy (kWh)", True),
        ("power_w", True),
        ("training duration (h)", True),
        ("time_s", True),
        ("carbon (g)", True),
        ("energy_saved_j", False),
        ("difference (kJ)", False),
        ("power_change_w", False),
        # Grams by its ending, though perhaps g.
        ("val_loss_min", False),
        ("acceleration_g", False),
        ("loss", False),
        ("change_pct", False),
    ],
)
def test_amounts_are_not_below_zero_and_differences_may_be(column, refused):
    table = Table("t.csv", {column: ["0", "1", "-253371267933.0"]}, lines=[2, 3, 5])
    if refused:
        with pytest.raises(BadInputError, match=r"t\.csv, line 5"):
            quantities(table, column)
    else:
        assert quantities(table, column)[0][2] < 0


# --- one check, and one way to find a column, for all verbs --------------------------------------

EPOCHS = "run_id,epoch,{energy},duration_s\n" + "".join(f"r,{i},{{x}},9\n" for i in range(4))
RUNS = "architecture,gpu,duration_s,accuracy,{energy}\n" + "".join(
    f"{name},T4,9,0.9,{{x}}\n" for name in "aaabbb"
)
VERBS = {
    "compare": (RUNS, lambda f: joulecast.compare(f).groups[0].median),
    "tradeoff": (RUNS, lambda f: joulecast.tradeoff(f).configurations[0].cost.value),
    "correlate": (RUNS, lambda f: joulecast.correlate(f, "energy_j", "duration_s")),
    "findings": (RUNS, lambda f: joulecast.findings(f, by="architecture").energy.value / 6),
    "evaluate": (EPOCHS, lambda f: joulecast.evaluate(f, methods=["carbontracker"])),
    "evaluate static": (
        RUNS,
        lambda f: joulecast.evaluate(f, static=True, methods=["green-algorithms"], tdp_w=70.0),
    ),
}


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_refuses_a_negative_energy_and_finds_one_in_another_unit(verb, tmp_path):
    text, run = VERBS[verb]
    path = tmp_path / "runs.csv"
    path.write_text(text.format(energy="energy_j", x="2000"))
    plain = run(path)
    path.write_text(text.format(energy="energy (kJ)", x="2"))
    assert run(path) == plain
    bad = text.format(energy="energy_j", x="2000").splitlines()
    bad[4] = bad[4].replace("2000", "-2000")
    path.write_text("\n".join(bad))
    with pytest.raises(BadInputError, match=r"runs\.csv, line 5.*below 0|not above 0"):
        run(path)
