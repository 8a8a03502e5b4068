import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.golden import golden
from joulecast.analysis.table.columns import Table
from joulecast.analysis.tradeoff.weigh import weigh
from joulecast.errors import BadInputError, UsageError


def weighed(table, cost="energy_j", quality="accuracy", by=("architecture",), **options):
    return weigh(table, cost, quality, by, **options)


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


LOSSES = [("a", 100.0, 0.40), ("b", 200.0, 0.30), ("c", 300.0, 0.35)]
PERCENT = {"architecture": ["a", "b"], "energy_j": [10.0, 20.0], "top1_pct": [90.0, 92.5]}


def test_wording_of_pairs():
    results = [
        weighed(table(NETS)),
        weighed(table(LOSSES), maximize=False, tolerance=0.35),
        weighed(table([(name, 100.0, 0.8) for name in "abc"])),
        weighed(Table("t", PERCENT), quality="top1_pct"),
    ]
    golden("tradeoff_pairs", "\n".join(p.sentence for result in results for p in result.pairs))


def test_pairs_have_a_cost_reduction_and_a_quality_loss():
    result = weighed(table(NETS))
    assert len(result.pairs) == 3
    pair = next(p for p in result.pairs if p.lower_cost == "mobilenet" and p.higher_cost == "vgg16")
    assert pair.cost_reduction_pct.value == pytest.approx(64)
    assert pair.quality_loss.value == pytest.approx(0.008)
    assert pair.cost_reduction_pct.low < 64 < pair.cost_reduction_pct.high
    assert pair.cost_reduction_pct.high - pair.cost_reduction_pct.low < 1


def test_configurations_are_sorted_by_cost_with_rates_and_labels():
    result = weighed(table(NETS))
    assert [c.name for c in result.configurations] == ["mobilenet", "resnet", "vgg16"]
    assert [c.label for c in result.configurations] == ["A", "E", "G"]
    assert [c.on_front for c in result.configurations] == [True, False, True]
    assert [c.front_share for c in result.configurations] == [1.0, 0.0, 1.0]
    cheapest = result.configurations[0]
    assert cheapest.quality_per_cost == pytest.approx(0.982 / 360)
    assert cheapest.quality_per_kwh == pytest.approx(0.982 / 360 * 3.6e6)


def test_front_shares():
    rng = np.random.default_rng(3)
    rows = [("a", 100.0, 0.90 + 0.02 * rng.normal()) for _ in range(11)]
    rows += [("b", 110.0, 0.90 + 0.02 * rng.normal()) for _ in range(11)]
    rows += [("c", 50.0, 0.80) for _ in range(11)]
    shares = {c.name: c.front_share for c in weighed(table(rows)).configurations}
    assert shares["a"] == shares["c"] == 1.0  # nothing is cheaper and nearly as good
    assert 0.05 < shares["b"] < 0.95  # it depends on the repetitions drawn


def test_bootstrap_is_reproducible():
    one, two = (weighed(table(NETS)).to_json() for _ in range(2))
    assert one == two


def test_steps_along_the_front():
    rows = [("s", 100.0, 0.80), ("m", 200.0, 0.90), ("l", 600.0, 0.94), ("bad", 650.0, 0.5)]
    steps = weighed(table(rows)).steps
    assert [(s.start, s.end) for s in steps] == [("s", "m"), ("m", "l")]
    assert steps[0].gain_per_cost == pytest.approx(0.001)
    assert [s.relative_to_first for s in steps] == pytest.approx([1.0, 0.1])


def test_steps_skip_equal_configurations():
    rows = [("a", 100.0, 0.8), ("b", 100.0, 0.8), ("c", 200.0, 0.9)]
    result = weighed(table(rows))
    assert [c.on_front for c in result.configurations] == [True, True, True]
    assert [(s.start, s.end) for s in result.steps] == [("a", "c")]
    rows = [("a", 100.0, 0.8), ("b", 200.0, 0.9), ("c", 200.0, 0.9), ("d", 300.0, 0.95)]
    assert [(s.start, s.end) for s in weighed(table(rows)).steps] == [("a", "b"), ("b", "d")]


@pytest.mark.parametrize(
    ("tolerance", "name"),
    [(0.0, "vgg16"), (0.005, "vgg16"), (0.01, "mobilenet"), (0.5, "mobilenet")],
)
def test_pick_within_a_tolerance(tolerance, name):
    pick = weighed(table(NETS), tolerance=tolerance).pick
    assert (pick.best, pick.name) == ("vgg16", name)
    assert (pick.pair is None) == (name == "vgg16")


def test_pick_within_a_tolerance_of_a_negative_best():
    rows = [("a", 10.0, -0.104), ("b", 20.0, -0.10)]
    assert weighed(table(rows), tolerance=0.05).pick.name == "a"
    assert weighed(table(rows), tolerance=0.03).pick.name == "b"


def test_loss_is_minimized():
    result = weighed(table(LOSSES), maximize=False, tolerance=0.35)
    assert [c.on_front for c in result.configurations] == [True, True, False]
    assert result.pick.name == "a"
    assert result.pick.best == "b"
    changes = {(p.lower_cost, p.higher_cost): p.quality_loss.value for p in result.pairs}
    assert changes["a", "b"] == pytest.approx(0.1) and changes["b", "c"] == pytest.approx(-0.05)
    assert all(c.quality_per_cost is None for c in result.configurations)
    assert len(result.notes) == 2


def test_interval_of_a_quality_loss():
    rows = [("a", 100.0 + i, 0.40 + i / 100) for i in range(6)]
    rows += [("b", 200.0 + i, 0.30 + i / 100) for i in range(6)]
    (pair,) = weighed(table(rows), maximize=False).pairs
    assert pair.quality_loss.value == pytest.approx(0.1)
    assert 0.05 < pair.quality_loss.low < 0.1 < pair.quality_loss.high < 0.15


def test_one_repetition_has_no_intervals():
    result = weighed(table([("a", 100.0, 0.8), ("b", 200.0, 0.9)]))
    assert len(result.configurations) == 2
    for c in result.configurations:
        assert c.cost.low is None and c.cost.reason is not None
        assert c.front_share is None
    assert result.draws is None
    reduction = result.pairs[0].cost_reduction_pct
    assert (reduction.value, reduction.low, reduction.high) == (50.0, None, None)
    assert result.pairs[0].reason is not None


def test_groups_of_different_size():
    rows = [*repeated("a", 100.0, 0.8, 1), *repeated("b", 200.0, 0.9, 3)]
    rows += repeated("c", 300.0, 0.95, 25)
    result = weighed(table(rows))
    assert [c.n for c in result.configurations] == [1, 3, 25]
    assert [c.cost.low is None for c in result.configurations] == [True, True, False]
    assert any("1 of 3" in note for note in result.notes)


def test_one_configuration():
    result = weighed(table(repeated("only", 100.0, 0.8, 5)))
    assert (result.pairs, result.steps, result.labels) == ([], [], None)
    assert result.configurations[0].label is None
    assert result.configurations[0].front_share == 1.0
    assert (result.pick.name, result.pick.pair) == ("only", None)
    assert len(result.notes) == 1


@pytest.mark.parametrize(
    ("quality", "maximize", "notes"),
    [("val_loss", True, 1), ("val_loss", False, 0), ("accuracy", True, 0), ("gloss", True, 0)],
)
def test_a_loss_that_is_maximized_is_noted(quality, maximize, notes):
    rows = {
        "architecture": ["a"] * 5 + ["b"] * 5,
        "energy_j": [1.0] * 5 + [2.0] * 5,
        quality: [0.5, 0.6] * 5,
    }
    result = weighed(Table("t", rows), quality=quality, maximize=maximize)
    assert sum("--minimize" in note for note in result.notes) == notes


def test_constant_values():
    rows = [(name, 100.0, 0.8) for name in "abc" for _ in range(6)]
    result = weighed(table(rows))
    assert all(
        c.on_front and c.front_share == 1.0 and c.label is None for c in result.configurations
    )
    assert result.steps == [] and len(result.configurations) == 3
    (first, *_) = result.pairs
    assert (first.cost_reduction_pct.value, first.quality_loss.value) == (0, 0)


def test_incomplete_rows_are_left_out_and_counted():
    rows = [*NETS, ("vgg16", 1.0, None), ("vgg16", 1.0, math.nan), ("vgg16", None, 0.9)]
    rows += [(None, 5.0, 0.9), ("new", 1.0, "n/a")]
    result = weighed(table(rows))
    assert result.left_out == {"no accuracy": 3, "no energy_j": 1, "no architecture": 1}
    assert [c.n for c in result.configurations] == [7, 7, 7]


def test_unfinished_runs_are_left_out_where_others_finished():
    status = ["finished"] * 20 + ["failed"]
    result = weighed(table(NETS, status=status))
    assert result.left_out == {"status failed": 1}
    assert result.configurations[1].n == 6
    asked_for = weighed(table(NETS, status=["stopped"] * 21))
    assert asked_for.left_out == {}


@pytest.mark.parametrize("cost", [0.0, -5.0])
def test_cost_must_be_positive(cost):
    with pytest.raises(BadInputError, match="runs, row 2: energy_j"):
        weighed(table([("a", 1.0, 0.5), ("b", cost, 0.5)]))
    in_file = Table("r.csv", {"architecture": ["a"], "energy_j": ["-1"], "accuracy": ["1"]}, [7])
    with pytest.raises(BadInputError, match=r"r\.csv, line 7"):
        weighed(in_file)


def test_huge_figures_are_refused():
    with pytest.raises(BadInputError, match=r"row 1: accuracy is 1e\+300"):
        weighed(table([("a", 1.0, 1e300)]))
    with pytest.raises(BadInputError, match=r"row 1: energy_j is 1e\+300"):
        weighed(table([("a", 1e300, 1.0)]))
    diverged = weighed(table([("a", 1e-9, 1e59), ("b", 2.0, 1.0)]))
    assert len(diverged.to_json()["configurations"]) == 2


def test_no_row_remains():
    with pytest.raises(BadInputError, match=r"no accuracy \(2\)"):
        weighed(table([("a", 1.0, None), ("b", 2.0, None)]))


def test_numeric_factors_are_named_with_their_column():
    rows = [("a", 10.0, 0.5), ("a", 11.0, 0.5), ("a", 20.0, 0.6)]
    result = weighed(table(rows, batch=["8", "8.0", "32"]), by=["architecture", "batch"])
    assert [c.name for c in result.configurations] == ["a, batch=8", "a, batch=32"]
    assert result.configurations[0].factors == {"architecture": "a", "batch": "8"}
    assert result.configurations[0].n == 2


def test_names_with_special_characters():
    names = ["a,b", "[red]x[/red]", "ü\n2", '"', "a" * 200]
    result = weighed(table([(n, 10.0 + i, 0.5 + i / 10) for i, n in enumerate(names)]))
    assert {c.name for c in result.configurations} == set(names)
    assert result.pairs
    assert all("\n" not in p.sentence for p in result.pairs)


def test_baseline():
    assert weighed(table(NETS)).baseline == "vgg16"
    assert weighed(table(NETS), baseline="resnet").baseline == "resnet"
    with pytest.raises(UsageError, match="resnet"):
        weighed(table(NETS), baseline="resnat")


def test_misuse():
    with pytest.raises(UsageError):
        weighed(table(NETS), tolerance=2)
    with pytest.raises(UsageError):
        weighed(table(NETS), by=[])
    with pytest.raises(UsageError):
        weighed(table(NETS), by=["architecture", "architecture"])
    with pytest.raises(BadInputError, match="speed"):
        weighed(table(NETS), quality="speed")


def test_cost_that_is_not_an_energy():
    rows = table(NETS)
    columns = dict(rows.columns) | {"duration (h)": rows.columns["energy_j"]}
    result = weighed(Table("t", columns), cost="duration (h)")
    assert result.configurations[0].cost.value == pytest.approx(360 * 3600)
    first = result.configurations[0]
    assert first.quality_per_kwh is None
    assert first.quality_per_cost == pytest.approx(0.982 / (360 * 3600))


def test_percentages_are_points():
    (pair,) = weighed(Table("t", PERCENT), quality="top1_pct").pairs
    assert re.findall(r"[\d.]+ [%p]", pair.sentence) == ["50 %", "2.5 p"]


def test_tiny_first_step_has_no_ratio():
    result = weighed(table([("a", 1.0, 0.0), ("b", 1e11, 1e-313), ("c", 2e11, 1e9)]))
    assert [s.relative_to_first for s in result.steps] == [1.0, None]


def test_steps_have_costs_gains_and_rates():
    # 0.1 and 0.04 of accuracy for 100 and 400 J; a kWh is 3.6 MJ.
    rows = [("s", 100.0, 0.80), ("m", 200.0, 0.90), ("l", 600.0, 0.94)]
    steps = weighed(table(rows)).steps
    assert [s.extra_cost for s in steps] == [100.0, 400.0]
    assert [s.gain for s in steps] == pytest.approx([0.1, 0.04])
    assert [s.gain_per_cost for s in steps] == pytest.approx([1e-3, 1e-4])
    assert [s.gain_per_kwh for s in steps] == pytest.approx([3600, 360])
    # Less loss is a gain, too.
    (step,) = weighed(table(LOSSES), maximize=False).steps
    assert (step.start, step.end, step.extra_cost) == ("a", "b", 100.0)
    assert step.gain == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("rows", "maximize", "threshold", "name"),
    [
        # 2 % below 1.0; 2 % above a loss of 1.0; 2 % of the size below -1.0.
        ([("a", 1.0, 0.98), ("b", 2.0, 1.0)], True, 0.98, "a"),
        ([("a", 1.0, 0.9799), ("b", 2.0, 1.0)], True, 0.98, "b"),
        ([("a", 1.0, 1.02), ("b", 2.0, 1.0)], False, 1.02, "a"),
        ([("a", 1.0, 1.0201), ("b", 2.0, 1.0)], False, 1.02, "b"),
        ([("a", 1.0, -1.02), ("b", 2.0, -1.0)], True, -1.02, "a"),
    ],
)
def test_a_quality_at_the_threshold_is_picked(rows, maximize, threshold, name):
    pick = weighed(table(rows), maximize=maximize).pick
    assert pick.tolerance == 0.02 and pick.best == "b"
    assert pick.threshold == pytest.approx(threshold)
    assert pick.name == name
    if name == "a":
        assert (pick.pair.lower_cost, pick.pair.higher_cost) == ("a", "b")


def test_of_two_that_are_best_that_of_lower_cost():
    result = weighed(table([("a", 1.0, 0.9), ("b", 2.0, 0.9), ("c", 3.0, 0.5)]), tolerance=0.0)
    assert (result.pick.best, result.pick.name, result.baseline) == ("a", "a", "a")


@pytest.mark.parametrize("tolerance", [-0.001, 1.0, math.nan])
def test_a_tolerance_is_a_fraction_below_one(tolerance):
    with pytest.raises(UsageError):
        weighed(table(NETS), tolerance=tolerance)
    assert weighed(table(NETS), tolerance=0.999).pick.name == "mobilenet"


def test_configurations_that_cost_the_same_are_in_order_of_their_names():
    result = weighed(table([("b", 1.0, 0.5), ("a", 1.0, 0.6), ("c", 0.5, 0.4)]))
    assert [c.name for c in result.configurations] == ["c", "a", "b"]


def test_each_with_each_up_to_forty_configurations():
    def pairs(n):
        rows = [(f"n{i:02}", 1.0 + i, 0.5 + i / 1000) for i in range(n)]
        return weighed(table(rows), baseline="n03")

    forty = pairs(40)
    assert len(forty.pairs) == 40 * 39 // 2
    assert [(p.lower_cost, p.higher_cost) for p in forty.pairs[:3]] == [
        ("n00", "n01"),
        ("n00", "n02"),
        ("n01", "n02"),
    ]
    assert not any("more than 40" in note for note in forty.notes)
    more = pairs(41)
    assert [(p.lower_cost, p.higher_cost) for p in more.pairs[:4]] == [
        ("n00", "n03"),
        ("n01", "n03"),
        ("n02", "n03"),
        ("n03", "n04"),
    ]
    assert len(more.pairs) == 40
    assert more.notes[0].startswith("41 configurations, more than 40")


def test_a_cost_that_counts_as_zero():
    assert weighed(table([("a", 1e-18, 0.5)])).configurations[0].cost.value == 1e-18
    with pytest.raises(BadInputError):
        weighed(table([("a", 0.95e-18, 0.5)]))


def test_notes_state_what_limits_the_figures():
    def notes(rows, **options):
        return weighed(table(rows), **options).notes

    five, four = repeated("a", 1.0, 0.8, 5), repeated("b", 2.0, 0.9, 4)
    assert notes([*five, *repeated("b", 2.0, 0.9, 5)]) == []
    (few,) = notes([*five, *four])
    assert few.startswith("1 of 2 configurations have fewer than 5")
    (single,) = notes([*five, ("b", 2.0, 0.9)])
    assert single.startswith("1 of 2 configurations have one repetition")
    (alone,) = notes([("a", 1.0, 0.8), ("b", 2.0, 0.9)])
    assert alone.startswith("one repetition each")
    (same,) = notes([*five, *repeated("b", 2.0, 0.8, 5)])
    assert same.startswith("all configurations have the same quality")
    (label,) = notes([*five, *repeated("b", 1.001, 0.9, 5)])
    assert label.startswith("no labels: ")
    (loss,) = notes([*five, *repeated("b", 2.0, 0.9, 5)], maximize=False)
    assert loss.startswith("no quality per energy")
    (one,) = notes(five)
    assert one.startswith("no labels")


def test_notes_of_the_table_come_first():
    rows = table([("a", 1.0, 0.8), ("b", 2.0, 0.9)])
    noted = Table(rows.name, rows.columns, notes=("a note of the table",))
    result = weighed(noted)
    assert result.notes[0] == "a note of the table" and len(result.notes) == 2
    assert (result.title, result.rows, result.by) == ("runs", 2, ("architecture",))
    assert (result.cost.column, result.cost.unit) == ("energy_j", "J")
    assert result.cost.is_energy and result.cost.text(339_000.0) == "339 kJ"
    assert result.cost.noun == "energy" and result.group is None
    assert [c.name for c in result.front] == ["a", "b"]


def test_a_baseline_that_is_not_there_names_the_nearest():
    with pytest.raises(UsageError, match="there are resnet"):
        weighed(table(NETS), baseline="resmet")
    with pytest.raises(UsageError, match="mobilenet; resnet; vgg16"):
        weighed(table(NETS), baseline="q")
    # The three nearest, or the first five.
    alike = table([(f"net{i}", 1.0 + i, 0.5) for i in range(6)])
    with pytest.raises(UsageError, match=r"there are net\d; net\d; net\d$"):
        weighed(alike, baseline="net9")
    with pytest.raises(UsageError, match=r"there are net0; net1; net2; net3; net4$"):
        weighed(alike, baseline="q")


def test_shares_of_draws_on_the_front():
    # Of a's two runs, one is better than b and one is worse; medians of two draws from two runs.
    rows = [("b", 200.0, 0.5), ("b", 200.0, 0.5), ("a", 100.0, 0.4), ("a", 100.0, 0.58)]
    result = weighed(table(rows))
    assert [c.name for c in result.configurations] == ["a", "b"]
    assert result.configurations[0].front_share == 1.0
    # The median of a is 0.4 or 0.49 in three of four draws, and only then is b on the front.
    assert result.configurations[1].front_share == pytest.approx(0.75, abs=0.05)
    assert result.draws >= 1000


def test_intervals_of_pairs_need_medians_that_are_kept():
    pairs = weighed(table(NETS)).pairs
    assert all(p.cost_reduction_pct.low is not None for p in pairs)
    scattered = [*repeated("a", 100.0, 0.8, 9, scatter=0.2), *repeated("b", 200.0, 0.9, 9, 0.2)]
    (pair,) = weighed(table(scattered)).pairs
    assert pair.cost_reduction_pct.low < 50 < pair.cost_reduction_pct.high


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
def test_any_table_has_a_front_and_a_document(rows, maximize):
    if all(row[2] is None for row in rows):
        return
    result = weighed(table(rows), maximize=maximize)
    document = result.to_json()
    assert document["schema"] == "joulecast/tradeoff/1"
    assert document["rows"] == len(rows)
    assert any(c.on_front for c in result.configurations)


@pytest.mark.parametrize("configurations", [10, 50_000])
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
    result = weighed(big)
    assert sum(c.n for c in result.configurations) == n
    assert result.draws == 200
    assert len(result.pairs) < 60_000
