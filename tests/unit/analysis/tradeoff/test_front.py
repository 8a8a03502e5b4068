import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.analysis.table.columns import Table
from joulecast.analysis.tradeoff.front import tradeoff
from joulecast.errors import BadInputError, UsageError


def table(rows, **extra):
    names, costs, qualities = zip(*rows, strict=True)
    columns = {"architecture": names, "energy_j": costs, "accuracy": qualities} | extra
    return Table("runs", {k: list(v) for k, v in columns.items()})


def repeated(name, cost, quality, n, scatter=0.01):
    """n runs around a cost and a quality, their medians exactly these (n odd)."""
    steps = (np.arange(n) - n // 2) / max(n - 1, 1)
    return [(name, cost * (1 + scatter * s), quality * (1 + scatter * s / 10)) for s in steps]


NETS = [
    *repeated("vgg16", 1000.0, 0.99, 7),
    *repeated("mobilenet", 360.0, 0.982, 7),
    *repeated("resnet", 700.0, 0.95, 7),
]


def test_pairs_are_told_as_sentences():
    found = tradeoff(table(NETS))
    told = {p.sentence for p in found.pairs}
    assert "mobilenet saves 64 % for 0.8 points of accuracy against vgg16" in told
    assert "mobilenet saves 49 % and gains 3.2 points of accuracy against resnet" in told
    assert len(found.pairs) == 3
    pair = next(p for p in found.pairs if p.cheaper == "mobilenet" and p.dearer == "vgg16")
    assert pair.reduction_pct.value == pytest.approx(64)
    assert pair.loss.value == pytest.approx(0.008)
    assert pair.reduction_pct.low < 64 < pair.reduction_pct.high
    assert pair.reduction_pct.high - pair.reduction_pct.low < 1


def test_configurations_come_cheapest_first_with_rates_and_labels():
    found = tradeoff(table(NETS))
    assert [c.name for c in found.configurations] == ["mobilenet", "resnet", "vgg16"]
    assert [c.label for c in found.configurations] == ["A", "E", "G"]
    assert [c.on_front for c in found.configurations] == [True, False, True]
    assert [c.front_share for c in found.configurations] == [1.0, 0.0, 1.0]
    cheapest = found.configurations[0]
    assert cheapest.per_unit == pytest.approx(0.982 / 360)
    first = found.to_json()["configurations"][0]
    assert first["quality_per_joule"] == pytest.approx(0.982 / 360)
    assert first["quality_per_kwh"] == pytest.approx(0.982 / 360 * 3.6e6)


def test_how_sure_the_front_is():
    rng = np.random.default_rng(3)
    rows = [("a", 100.0, 0.90 + 0.02 * rng.normal()) for _ in range(11)]
    rows += [("b", 110.0, 0.90 + 0.02 * rng.normal()) for _ in range(11)]
    rows += [("c", 50.0, 0.80) for _ in range(11)]
    shares = {c.name: c.front_share for c in tradeoff(table(rows)).configurations}
    assert shares["a"] == shares["c"] == 1.0  # nothing is cheaper and nearly as good
    assert 0.05 < shares["b"] < 0.95  # it depends on the repetitions drawn


def test_the_bootstrap_gives_the_same_answer_twice():
    one, two = (tradeoff(table(NETS), seed=5).to_json() for _ in range(2))
    assert one == two


def test_what_more_costs_along_the_front():
    rows = [("s", 100.0, 0.80), ("m", 200.0, 0.90), ("l", 600.0, 0.94), ("bad", 650.0, 0.5)]
    steps = tradeoff(table(rows)).steps
    assert [(s.start, s.end) for s in steps] == [("s", "m"), ("m", "l")]
    assert steps[0].gain_per_unit == pytest.approx(0.001)
    assert [s.relative for s in steps] == pytest.approx([1.0, 0.1])


def test_the_front_walks_once_over_what_is_alike():
    rows = [("a", 100.0, 0.8), ("b", 100.0, 0.8), ("c", 200.0, 0.9)]
    found = tradeoff(table(rows))
    assert [c.on_front for c in found.configurations] == [True, True, True]
    assert [(s.start, s.end) for s in found.steps] == [("a", "c")]


@pytest.mark.parametrize(
    ("tolerance", "name"),
    [(0.0, "vgg16"), (0.005, "vgg16"), (0.01, "mobilenet"), (0.5, "mobilenet")],
)
def test_the_cheapest_within_a_tolerance_of_the_best(tolerance, name):
    pick = tradeoff(table(NETS), tolerance=tolerance).pick
    assert (pick.best, pick.name) == ("vgg16", name)
    assert (pick.pair is None) == (name == "vgg16")


def test_within_a_tolerance_of_a_negative_best():
    rows = [("a", 10.0, -0.104), ("b", 20.0, -0.10)]
    assert tradeoff(table(rows), tolerance=0.05).pick.name == "a"
    assert tradeoff(table(rows), tolerance=0.03).pick.name == "b"


def test_a_loss_is_minimized():
    rows = [("a", 100.0, 0.40), ("b", 200.0, 0.30), ("c", 300.0, 0.35)]
    found = tradeoff(table(rows), maximize=False, tolerance=0.35)
    assert [c.on_front for c in found.configurations] == [True, True, False]
    assert found.pick.name == "a"
    assert found.pick.best == "b"
    assert "a saves 50 % for 0.1 of accuracy more against b" in {p.sentence for p in found.pairs}
    assert "b saves 33 % and has 0.05 of accuracy less against c" in {
        p.sentence for p in found.pairs
    }
    assert all(c.per_unit is None for c in found.configurations)
    assert any("loss" in note for note in found.notes)


def test_the_interval_of_a_loss_is_on_its_side():
    rows = [("a", 100.0 + i, 0.40 + i / 100) for i in range(6)]
    rows += [("b", 200.0 + i, 0.30 + i / 100) for i in range(6)]
    (pair,) = tradeoff(table(rows), maximize=False).pairs
    assert pair.loss.value == pytest.approx(0.1)
    assert 0.05 < pair.loss.low < 0.1 < pair.loss.high < 0.15


def test_one_repetition_has_no_intervals_and_says_why():
    found = tradeoff(table([("a", 100.0, 0.8), ("b", 200.0, 0.9)]))
    document = found.to_json()
    for c in document["configurations"]:
        assert c["cost"]["low"] is None
        assert "one repetition" in c["cost"]["why_no_interval"]
        assert c["front_share"] is None
    assert document["front_draws"] is None
    assert document["pairs"][0]["cost_reduction_pct"] == {"value": 50.0, "low": None, "high": None}
    assert "one repetition" in document["pairs"][0]["why_no_interval"]


def test_groups_of_different_size():
    rows = [*repeated("a", 100.0, 0.8, 1), *repeated("b", 200.0, 0.9, 3)]
    rows += repeated("c", 300.0, 0.95, 25)
    found = tradeoff(table(rows))
    assert [c.n for c in found.configurations] == [1, 3, 25]
    assert [c.cost.low is None for c in found.configurations] == [True, True, False]
    assert any("1 of 3 configurations have one repetition" in note for note in found.notes)


def test_one_configuration():
    found = tradeoff(table(repeated("only", 100.0, 0.8, 5)))
    assert (found.pairs, found.steps, found.bounds) == ([], [], None)
    assert found.configurations[0].label is None
    assert found.configurations[0].front_share == 1.0
    assert (found.pick.name, found.pick.pair) == ("only", None)
    assert any("no labels: one configuration" in note for note in found.notes)


def test_constant_values():
    rows = [(name, 100.0, 0.8) for name in "abc" for _ in range(6)]
    found = tradeoff(table(rows))
    assert all(
        c.on_front and c.front_share == 1.0 and c.label is None for c in found.configurations
    )
    assert found.steps == []
    assert {p.sentence for p in found.pairs} >= {
        "a costs the same and has the same accuracy against b"
    }


def test_rows_without_quality_cost_or_factor_are_left_out_and_counted():
    rows = [*NETS, ("vgg16", 1.0, None), ("vgg16", 1.0, math.nan), ("vgg16", None, 0.9)]
    rows += [(None, 5.0, 0.9), ("new", 1.0, "n/a")]
    found = tradeoff(table(rows))
    assert found.left_out == {"no accuracy": 3, "no energy_j": 1, "no architecture": 1}
    assert [c.n for c in found.configurations] == [7, 7, 7]


def test_runs_that_did_not_finish_are_left_out_where_others_did():
    status = ["finished"] * 20 + ["failed"]
    found = tradeoff(table(NETS, status=status))
    assert found.left_out == {"status failed": 1}
    assert found.configurations[1].n == 6
    asked_for = tradeoff(table(NETS, status=["stopped"] * 21))
    assert asked_for.left_out == {}


@pytest.mark.parametrize("cost", [0.0, -5.0])
def test_a_cost_that_is_not_positive_is_refused_naming_the_row(cost):
    with pytest.raises(BadInputError, match=r"runs, row 2: energy_j is .* more than zero"):
        tradeoff(table([("a", 1.0, 0.5), ("b", cost, 0.5)]))
    in_file = Table("r.csv", {"architecture": ["a"], "energy_j": ["-1"], "accuracy": ["1"]}, [7])
    with pytest.raises(BadInputError, match=r"r\.csv, line 7"):
        tradeoff(in_file)


def test_figures_beyond_all_measure_are_refused_naming_the_row():
    with pytest.raises(BadInputError, match=r"row 1: accuracy is 1e\+300"):
        tradeoff(table([("a", 1.0, 1e300)]))
    with pytest.raises(BadInputError, match=r"row 1: energy_j is 1e\+300"):
        tradeoff(table([("a", 1e300, 1.0)]))
    diverged = tradeoff(table([("a", 1e-9, 1e90), ("b", 2.0, 1.0)]))
    json.dumps(diverged.to_json(), allow_nan=False)


def test_nothing_left_says_why():
    with pytest.raises(BadInputError, match=r"no row is left.*no accuracy \(2\)"):
        tradeoff(table([("a", 1.0, None), ("b", 2.0, None)]))


def test_numbers_as_factors_are_named_with_their_column_and_8_is_8_0():
    rows = [("a", 10.0, 0.5), ("a", 11.0, 0.5), ("a", 20.0, 0.6)]
    found = tradeoff(table(rows, batch=["8", "8.0", "32"]), by=["architecture", "batch"])
    assert [c.name for c in found.configurations] == ["a, batch=8", "a, batch=32"]
    assert found.configurations[0].factors == {"architecture": "a", "batch": "8"}
    assert found.configurations[0].n == 2


def test_names_with_odd_characters_stay_what_they_are():
    names = ["a,b", "[red]x[/red]", "ü\n2", '"', "a" * 200]
    found = tradeoff(table([(n, 10.0 + i, 0.5 + i / 10) for i, n in enumerate(names)]))
    assert {c.name for c in found.configurations} == set(names)
    assert all("\n" not in p.sentence for p in found.pairs)


def test_against_another_than_the_best():
    assert tradeoff(table(NETS)).reference == "vgg16"
    assert tradeoff(table(NETS), reference="resnet").reference == "resnet"
    with pytest.raises(UsageError, match="resnet"):
        tradeoff(table(NETS), reference="resnat")


def test_misuse():
    with pytest.raises(UsageError, match="tolerance"):
        tradeoff(table(NETS), tolerance=2)
    with pytest.raises(UsageError, match="group by"):
        tradeoff(table(NETS), by=[])
    with pytest.raises(UsageError, match="group by"):
        tradeoff(table(NETS), by=["architecture", "architecture"])
    with pytest.raises(BadInputError, match="no column speed"):
        tradeoff(table(NETS), quality="speed")


def test_a_cost_that_is_no_energy_has_no_joules():
    rows = table(NETS)
    columns = dict(rows.columns) | {"duration (h)": rows.columns["energy_j"]}
    found = tradeoff(Table("t", columns), cost="duration (h)")
    assert found.configurations[0].cost.value == pytest.approx(360 * 3600)
    first = found.to_json()["configurations"][0]
    assert first["quality_per_joule"] is None
    assert first["quality_per_cost"] == pytest.approx(0.982 / (360 * 3600))


def test_percentages_are_points_already():
    rows = table([("a", 10.0, 90.0), ("b", 20.0, 92.5)])
    found = tradeoff(
        Table("t", dict(rows.columns) | {"top1_pct": rows.columns["accuracy"]}), quality="top1_pct"
    )
    assert found.pairs[0].sentence == "a saves 50 % for 2.5 points of top1_pct against b"


def test_a_first_step_of_next_to_nothing_is_no_measure_of_the_others():
    found = tradeoff(table([("a", 1.0, 0.0), ("b", 1e11, 1e-313), ("c", 2e11, 1e9)]))
    assert [s.relative for s in found.steps] == [1.0, None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.floats(1e-9, 1e15),
            st.one_of(st.none(), st.floats(-1e9, 1e9)),
        ),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
)
def test_json_never_holds_nan(rows, maximize):
    if all(row[2] is None for row in rows):
        return
    found = tradeoff(table(rows), maximize=maximize)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["schema"] == "joulecast/tradeoff/1"
    assert any(c.on_front for c in found.configurations)


@pytest.mark.parametrize("configurations", [10, 1000, 50_000])
def test_a_hundred_thousand_rows(configurations):
    rng = np.random.default_rng(0)
    n = 100_000
    which = rng.integers(0, configurations, n)
    big = Table(
        "big",
        {
            "architecture": [f"net{i}" for i in which.tolist()],
            "energy_j": rng.lognormal(size=n).tolist(),
            "accuracy": rng.uniform(size=n).tolist(),
        },
    )
    found = tradeoff(big)
    assert sum(c.n for c in found.configurations) == n
    assert found.draws == 200
    assert len(found.pairs) < 60_000
