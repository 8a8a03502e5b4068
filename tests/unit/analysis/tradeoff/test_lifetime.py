import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.table.columns import Table
from joulecast.analysis.tradeoff.demand import Demand
from joulecast.analysis.tradeoff.lifetime import (
    EnergyRange,
    ModelEnergy,
    Verdict,
    count_text,
    lifetime_energy,
)
from joulecast.analysis.tradeoff.models import models_of, parse_model
from joulecast.errors import BadInputError, UsageError


def model(name, training, inference, margin=None):
    def figure(x):
        return (
            EnergyRange(x) if margin is None else EnergyRange(x, x * (1 - margin), x * (1 + margin))
        )

    return ModelEnergy(name, figure(training), figure(inference))


SMALL, BIG = model("small", 100e3, 3.0), model("big", 500e3, 1.0)


def test_totals_are_sorted():
    result = lifetime_energy([BIG, SMALL], Demand(100e3))
    assert [c.name for c in result.models] == ["small", "big"]
    small = result.models[0]
    assert small.inference.value == 300e3
    assert small.total.value == 400e3
    assert small.training_share == 0.25
    assert small.per_request_j == 4.0


def test_break_even():
    pair = lifetime_energy([BIG, SMALL], Demand(1e6, requests_per_s=10.0)).break_even[0]
    assert (pair.lower_training, pair.higher_training, pair.verdict) == (
        "small",
        "big",
        Verdict.BREAKS_EVEN,
    )
    assert pair.requests == 200e3
    assert pair.after_s == 20e3


def test_never():
    pair = lifetime_energy([SMALL, model("waste", 200e3, 3.0)], Demand(1e9)).break_even[0]
    assert (pair.lower_training, pair.higher_training, pair.verdict) == (
        "small",
        "waste",
        Verdict.NEVER,
    )
    assert pair.requests is None


def test_at_once_and_same():
    pair = lifetime_energy([SMALL, model("lean", 100e3, 1.0)], Demand(1)).break_even[0]
    assert (pair.lower_training, pair.higher_training, pair.verdict) == (
        "small",
        "lean",
        Verdict.AT_ONCE,
    )
    twin = lifetime_energy([SMALL, model("twin", 100e3, 3.0)], Demand(1)).break_even[0]
    assert twin.verdict is Verdict.SAME


@given(*[st.floats(0, 1e12) for _ in range(4)])
def test_both_need_the_same_energy_at_the_break_even(t1, i1, t2, i2):
    pair = lifetime_energy([model("a", t1, i1), model("b", t2, i2)], Demand(1)).break_even[0]
    if pair.requests is None:
        assert pair.verdict is not Verdict.BREAKS_EVEN
        return
    n = pair.requests
    assert n > 0
    assert t1 + n * i1 == pytest.approx(t2 + n * i2, rel=1e-6)


def test_intervals_follow_from_the_inputs():
    models = [model("small", 100e3, 3.0, 0.02), model("big", 500e3, 1.0, 0.02)]
    result = lifetime_energy(models, Demand(1e6))
    pair = result.break_even[0]
    assert 180e3 < pair.low < 200e3 < pair.high < 220e3
    assert pair.never_share == 0.0
    total = result.models[0].total  # of big: 500 kJ + 1 MJ, each ± 2 %
    assert total.high - total.low == pytest.approx(2 * math.hypot(10e3, 20e3), rel=0.1)
    assert lifetime_energy(models, Demand(1e6)).to_json() == result.to_json()


def test_break_even_without_an_upper_bound():
    models = [model("small", 100e3, 1.02, 0.05), model("big", 500e3, 1.0, 0.05)]
    pair = lifetime_energy(models, Demand(1e6)).break_even[0]
    assert pair.verdict is Verdict.BREAKS_EVEN
    assert pair.low is not None
    assert pair.high is None
    assert 0.1 < pair.never_share < 0.5


def test_no_intervals_without_those_of_the_inputs():
    result = lifetime_energy([SMALL, BIG], Demand(1e6))
    assert result.break_even[0].low is None
    assert result.break_even[0].never_share is None
    assert result.models[0].total.low is None
    assert len(result.notes) == 1


def test_one_model_and_no_requests():
    result = lifetime_energy([SMALL], Demand(0))
    assert result.break_even == []
    assert result.models[0].per_request_j is None
    assert result.models[0].training_share == 1.0
    with pytest.raises(UsageError):
        lifetime_energy([], Demand(1))
    with pytest.raises(UsageError, match="small"):
        lifetime_energy([SMALL, SMALL], Demand(1))


def test_models_are_medians_of_their_rows():
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
    assert models[0].per_inference.value == 3.0
    assert "2 repetitions" in models[0].per_inference.reason
    assert left_out == {"no model": 1}


def test_incomplete_models_are_left_out():
    columns = {
        "model": list("aabbcd"),
        "t_j": [5, 5, 6, 6, None, 7],
        "i_j": [1, 1, None, None, 1, 2],
    }
    models, left_out = models_of(Table("t", columns), ["model"], "t_j", "i_j")
    assert [m.name for m in models] == ["a", "d"]
    assert left_out == {
        "no i_j for b": 2,
        "no t_j for c": 1,
    }


def test_few_runs_have_the_interval_of_the_meters():
    columns = {
        "model": ["one", "few", "few", "few", *["many"] * 5, "bare"],
        "t_j": [100.0, 100.0, 130.0, 110.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.0],
        "t_low_j": [60.0, 70.0, 125.0, 104.0, *[0.1] * 5, None],
        "t_high_j": [150.0, 105.0, 190.0, 115.0, *[99.0] * 5, None],
        "i_j": [1.0] * 10,
    }
    models, _ = models_of(Table("t", columns), ["model"], "t_j", "i_j")
    one, few, many, bare = (m.training for m in models)
    assert (one.value, one.low, one.high, one.from_meters) == (100.0, 60.0, 150.0, True)
    assert (few.value, few.low, few.high) == (110.0, 70.0, 190.0)
    assert (many.low, many.high, many.from_meters) == (1.0, 5.0, False)  # of its repetitions
    assert bare.low is None and bare.reason
    assert one.reason is None
    notes = lifetime_energy(models, Demand(1)).notes
    assert notes[-1].endswith("one and few")


def test_invalid_energies_are_refused():
    def table(training, inference="1"):
        return Table("t.csv", {"model": ["a"], "t_j": [training], "i_j": [inference]}, [2])

    with pytest.raises(BadInputError, match=r"t\.csv, line 2: t_j is -5"):
        models_of(table("-5"), ["model"], "t_j", "i_j")
    with pytest.raises(BadInputError, match=r"\bi_j\b.*\ba\b"):
        models_of(table("5", ""), ["model"], "t_j", "i_j")
    hours = Table("t", {"model": ["a"], "t (h)": ["1"], "i_j": ["1"]})
    with pytest.raises(BadInputError, match=r"\bt \(h\).*\bs\b"):
        models_of(hours, ["model"], "t (h)", "i_j")


def test_many_models_are_compared_with_the_first():
    models = [model(f"m{i}", 1e3 + i, 1.0) for i in range(1000)]
    result = lifetime_energy(models, Demand(1e6))
    assert len(result.break_even) == 999
    assert all(p.lower_training == "m0" for p in result.break_even)


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
def test_counts_for_people(number, text):
    assert count_text(number) == text


def test_given_models():
    model = parse_model("vgg = 16=950 kJ±5%,1.2 J")
    assert model.name == "vgg = 16"
    assert (model.training.value, model.training.low, model.training.high) == pytest.approx(
        (950e3, 902.5e3, 997.5e3)
    )
    assert model.per_inference.value == 1.2
    assert model.per_inference.reason is not None


@pytest.mark.parametrize("text", ["a=1kJ", "=1kJ,1J", "a=1kJ,one", "a=1kJ±x%,1J", "a=1,2,3"])
def test_invalid_given_models(text):
    with pytest.raises(UsageError):
        parse_model(text)


def test_what_one_machine_shares_cancels_where_models_break_even():
    columns = {
        "model": ["small", "big"],
        "t_j": [100e3, 500e3],
        "i_j": [3.0, 1.0],
        "host": ["a", "a"],
    }
    for name in ("t", "i"):
        for side, factor in (("low", 0.6), ("high", 1.7), ("own_low", 0.98), ("own_high", 1.02)):
            columns[f"{name}_{side}_j"] = [x * factor for x in columns[f"{name}_j"]]

    def results(hosts):
        models, _ = models_of(Table("t", columns | {"host": hosts}), ["model"], "t_j", "i_j")
        return lifetime_energy(models, Demand(100e3))

    one, two = results(["a", "a"]), results(["a", "b"])
    training = one.models[0].training
    assert (training.own_low, training.own_high) == pytest.approx((98e3, 102e3))
    assert (two.models[0].training.own_low, two.models[0].training.low) == (60e3, 60e3)
    scaled = one.models[0].inference
    assert (scaled.own_low, scaled.own_high) == pytest.approx((3e5 * 0.98, 3e5 * 1.02))
    pair, apart = one.break_even[0], two.break_even[0]
    assert pair.requests == apart.requests == 200e3
    assert 185e3 < pair.low < 197e3 and 203e3 < pair.high < 215e3
    assert pair.never_share == 0 < apart.never_share
    # Of a total the scale does not cancel.
    total = one.models[0].total
    assert total.low / total.value == pytest.approx(0.6, abs=0.03)
    assert total.high / total.value == pytest.approx(1.7, abs=0.05)
