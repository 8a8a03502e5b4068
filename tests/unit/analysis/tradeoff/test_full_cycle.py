import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.table.columns import Table
from joulecast.analysis.tradeoff.full_cycle import (
    Figure,
    InferenceDemand,
    Model,
    Verdict,
    counted,
    full_cycle,
    models_of,
)
from joulecast.errors import BadInputError, UsageError


def model(name, training, inference, margin=None):
    def figure(x):
        return Figure(x) if margin is None else Figure(x, x * (1 - margin), x * (1 + margin))

    return Model(name, figure(training), figure(inference))


SMALL, BIG = model("small", 100e3, 3.0), model("big", 500e3, 1.0)


def test_totals_under_a_usage_cheapest_first():
    found = full_cycle([BIG, SMALL], InferenceDemand(100e3))
    assert [c.model.name for c in found.cycles] == ["small", "big"]
    small = found.cycles[0]
    assert small.inference.value == 300e3
    assert small.total.value == 400e3
    assert small.training_share == 0.25
    assert small.per_request == 4.0


def test_break_even():
    pair = full_cycle([BIG, SMALL], InferenceDemand(1e6, per_s=10.0)).pairs[0]
    assert (pair.early, pair.late, pair.verdict) == ("small", "big", Verdict.BREAKS_EVEN)
    assert pair.inferences == 200e3
    assert pair.after_s == 20e3
    assert pair.sentence == (
        "big is cheaper than small from 200,000 inferences on, after 5 h 33 min"
    )


def test_never():
    pair = full_cycle([SMALL, model("waste", 200e3, 3.0)], InferenceDemand(1e9)).pairs[0]
    assert (pair.early, pair.late, pair.verdict) == ("small", "waste", Verdict.NEVER)
    assert pair.inferences is None
    assert "never overtakes" in pair.sentence


def test_at_once_and_the_same():
    pair = full_cycle([SMALL, model("lean", 100e3, 1.0)], InferenceDemand(1)).pairs[0]
    assert (pair.early, pair.late, pair.verdict) == ("small", "lean", Verdict.AT_ONCE)
    twin = full_cycle([SMALL, model("twin", 100e3, 3.0)], InferenceDemand(1)).pairs[0]
    assert twin.verdict is Verdict.SAME


@given(*[st.floats(0, 1e12) for _ in range(4)])
def test_at_the_break_even_both_cost_the_same(t1, i1, t2, i2):
    pair = full_cycle([model("a", t1, i1), model("b", t2, i2)], InferenceDemand(1)).pairs[0]
    json.dumps(pair.to_json(), allow_nan=False)
    if pair.inferences is None:
        assert pair.verdict is not Verdict.BREAKS_EVEN
        return
    n = pair.inferences
    assert n > 0
    assert t1 + n * i1 == pytest.approx(t2 + n * i2, rel=1e-6)


def test_intervals_follow_from_those_of_the_inputs():
    models = [model("small", 100e3, 3.0, 0.02), model("big", 500e3, 1.0, 0.02)]
    found = full_cycle(models, InferenceDemand(1e6))
    pair = found.pairs[0]
    assert 180e3 < pair.low < 200e3 < pair.high < 220e3
    assert pair.never_share == 0.0
    total = found.cycles[0].total  # of big: 500 kJ + 1 MJ, each ± 2 %
    assert total.high - total.low == pytest.approx(2 * math.hypot(10e3, 20e3), rel=0.1)
    assert full_cycle(models, InferenceDemand(1e6)).to_json() == found.to_json()


def test_what_may_never_break_even_has_no_upper_bound():
    models = [model("small", 100e3, 1.02, 0.05), model("big", 500e3, 1.0, 0.05)]
    pair = full_cycle(models, InferenceDemand(1e6)).pairs[0]
    assert pair.verdict is Verdict.BREAKS_EVEN
    assert pair.low is not None
    assert pair.high is None
    assert 0.1 < pair.never_share < 0.5


def test_without_intervals_none_is_told():
    found = full_cycle([SMALL, BIG], InferenceDemand(1e6))
    assert found.pairs[0].low is None
    assert found.pairs[0].never_share is None
    assert found.cycles[0].total.low is None
    assert any("scatter of an input is unknown" in note for note in found.notes)


def test_one_model_no_pair_and_no_request_no_rate():
    found = full_cycle([SMALL], InferenceDemand(0))
    assert found.pairs == []
    assert found.cycles[0].to_json()["per_request_j"] is None
    assert found.cycles[0].training_share == 1.0
    with pytest.raises(UsageError, match="no model"):
        full_cycle([], InferenceDemand(1))
    with pytest.raises(UsageError, match="small is there twice"):
        full_cycle([SMALL, SMALL], InferenceDemand(1))


def test_models_of_a_table_are_medians_of_what_each_row_knows():
    table = Table(
        "t",
        {
            "model": ["a"] * 7 + ["b", None],
            "training (kWh)": [1, 1.1, 0.9, 1.2, 0.8, None, None, 2, 1],
            "inference": [None] * 5 + ["2 J", "4000 mJ", "1", "1"],
        },
    )
    models, left_out = models_of(table, ["model"], "training (kWh)", "inference")
    assert [m.name for m in models] == ["a", "b"]
    assert models[0].training.value == 3.6e6
    assert models[0].training.low == pytest.approx(0.8 * 3.6e6)
    assert models[0].inference.value == 3.0
    assert "2 repetitions" in models[0].inference.why
    assert left_out == {"no model": 1}


def test_a_model_that_lacks_a_figure_is_left_out_and_told():
    columns = {
        "model": list("aabbcd"),
        "t_j": [5, 5, 6, 6, None, 7],
        "i_j": [1, 1, None, None, 1, 2],
    }
    models, left_out = models_of(Table("t", columns), ["model"], "t_j", "i_j")
    assert [m.name for m in models] == ["a", "d"]
    assert left_out == {
        "no energy of inference (i_j) of b": 2,
        "no energy of training (t_j) of c": 1,
    }


def test_of_few_runs_the_meters_tell_the_interval():
    columns = {
        "model": ["one", "few", "few", "few", *["many"] * 5, "bare"],
        "t_j": [100.0, 100.0, 130.0, 110.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.0],
        "t_low_j": [60.0, 70.0, 125.0, 104.0, *[0.1] * 5, None],
        "t_high_j": [150.0, 105.0, 190.0, 115.0, *[99.0] * 5, None],
        "i_j": [1.0] * 10,
    }
    models, _ = models_of(Table("t", columns), ["model"], "t_j", "i_j")
    one, few, many, bare = (m.training for m in models)
    assert (one.value, one.low, one.high, one.metered) == (100.0, 60.0, 150.0, True)
    assert (few.value, few.low, few.high) == (110.0, 70.0, 190.0)
    assert (many.low, many.high, many.metered) == (1.0, 5.0, False)  # of its repetitions
    assert bare.low is None and "one repetition" in bare.why
    assert one.to_json()["interval_of"] == "meters" and one.why is None
    notes = full_cycle(models, InferenceDemand(1)).notes
    assert any("those of the runs' meters" in n and n.endswith("one and few") for n in notes)


def test_what_makes_no_sense_is_refused_naming_the_row():
    def table(training, inference="1"):
        return Table("t.csv", {"model": ["a"], "t_j": [training], "i_j": [inference]}, [2])

    with pytest.raises(BadInputError, match=r"t\.csv, line 2: t_j is -5"):
        models_of(table("-5"), ["model"], "t_j", "i_j")
    with pytest.raises(BadInputError, match=r"no model has both .* inference \(i_j\) of a$"):
        models_of(table("5", ""), ["model"], "t_j", "i_j")
    hours = Table("t", {"model": ["a"], "t (h)": ["1"], "i_j": ["1"]})
    with pytest.raises(BadInputError, match="no energy: its unit is s"):
        models_of(hours, ["model"], "t (h)", "i_j")


def test_many_models_are_set_against_the_cheapest():
    models = [model(f"m{i}", 1e3 + i, 1.0) for i in range(1000)]
    found = full_cycle(models, InferenceDemand(1e6))
    assert len(found.pairs) == 999
    assert all(p.early == "m0" for p in found.pairs)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1.2, "2"),
        (940, "940"),
        (12_345, "12,300"),
        (999_600, "1 million"),
        (1.25e6, "1.25 million"),
        (3.65e8, "365 million"),
        (2e9, "2 billion"),
    ],
)
def test_numbers_as_people_read_them(number, text):
    assert counted(number) == text
