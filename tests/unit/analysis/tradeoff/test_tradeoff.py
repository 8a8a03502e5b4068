import doctest

import pytest

import joulecast
from joulecast.analysis.table.columns import Table
from joulecast.errors import BadInputError, UsageError

DATA = {
    "architecture": ["a", "b", "a", "b"],
    "gpu": ["x", "x", "y", "y"],
    "energy_j": [10.0, 20.0, 30.0, 25.0],
    "accuracy": [0.8, 0.9, 0.8, 0.9],
}


def test_one_tradeoff():
    result = joulecast.tradeoff(DATA, baseline="a", tolerance=0.2)
    assert [c.name for c in result.configurations] == ["a", "b"]
    assert (result.baseline, result.pick.name, result.group) == ("a", "a", None)
    assert result.to_json()["schema"] == "joulecast/tradeoff/1"


def test_one_tradeoff_for_each_value_of_a_column():
    result = joulecast.tradeoff(Table("t", DATA), within="gpu")
    assert [g.group for g in result.groups] == ["x", "y"]
    assert [g.configurations[0].name for g in result.groups] == ["a", "b"]
    document = result.to_json()
    assert document["schema"] == "joulecast/tradeoff-groups/1"
    assert document["groups"][1]["configurations"][0]["cost"]["value"] == 25.0


def test_requests_compare_training_and_inference():
    columns = {"model": ["a", "b"], "t (kWh)": [0.1, 0.2], "one": ["2 J", "1 J"]}
    result = joulecast.tradeoff(
        columns, requests=1e5, training_column="t (kWh)", inference_column="one"
    )
    assert [m.name for m in result.models] == ["a", "b"]
    assert result.break_even[0].requests == pytest.approx(360e3)
    assert result.rows == 2
    assert result.to_json()["break_even"][0]["verdict"] == "breaks_even"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"requests": 5, "within": "gpu"}, "--within"),
        ({"requests": 5, "baseline": "a"}, "--baseline"),
        ({"requests": 5, "minimize": True}, "--minimize"),
        ({"requests": 5, "cost": "duration_s"}, "--cost"),
        ({"requests": 5, "quality": "f1"}, "--quality"),
        ({"requests": 5, "tolerance": 0.1}, "--tolerance"),
        ({"service_life": "1y"}, "--requests"),
        ({"baseline": "c"}, "--baseline"),
        ({"tolerance": 2.0}, "tolerance"),
    ],
)
def test_impossible_options(options, named):
    with pytest.raises(UsageError, match=named):
        joulecast.tradeoff(DATA, **options)


def test_given_energies_need_a_number_of_requests():
    with pytest.raises(UsageError, match="--requests"):
        joulecast.tradeoff(["vgg16=950kJ,1.2J", "resnet50=700kJ,0.9J"])


def test_missing_column():
    with pytest.raises(BadInputError, match="training_j"):
        joulecast.tradeoff(DATA, requests=5)


def test_example():
    (example,) = doctest.DocTestFinder().find(
        joulecast.tradeoff, "tradeoff", globs={"joulecast": joulecast}
    )
    assert len(example.examples) >= 2
    assert doctest.DocTestRunner().run(example).failed == 0
