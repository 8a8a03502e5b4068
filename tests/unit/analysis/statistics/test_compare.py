"""The public function: which analysis its options choose."""

import doctest

import pytest

import joulecast
from joulecast.analysis.statistics.group_comparison import Comparison
from joulecast.analysis.statistics.interaction import Interaction
from joulecast.analysis.table.load import load_table
from joulecast.errors import UsageError

RUNS = {
    "model": ["a"] * 4 + ["b"] * 4,
    "gpu": ["x", "x", "y", "y"] * 2,
    "energy_j": [9.0, 9.2, 9.1, 8.8, 7.0, 7.1, 7.3, 7.2],
    "duration_s": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
}


def test_the_groups_are_those_of_the_first_usual_column() -> None:
    comparison = joulecast.compare(RUNS)
    assert isinstance(comparison, Comparison)
    assert (comparison.value, comparison.by, comparison.requested) == ("energy_j", "model", "auto")
    assert joulecast.compare(RUNS, by="gpu").by == "gpu"
    one_model = joulecast.compare(RUNS | {"name": RUNS["gpu"]}, where={"model": "a"})
    assert one_model.by == "name"


def test_two_columns_are_two_factors() -> None:
    for by in ("model,gpu", ["model", "gpu"]):
        result = joulecast.compare(RUNS, "duration_s", by, test="anova")
        assert isinstance(result, Interaction)
        assert (result.a, result.b, result.value, result.method) == (
            "model",
            "gpu",
            "duration_s",
            "anova",
        )


def test_alpha_and_baseline_are_passed_on() -> None:
    comparison = joulecast.compare(RUNS, alpha=0.2, baseline="b")
    assert (comparison.alpha, comparison.baseline) == (0.2, "b")
    assert joulecast.compare(RUNS, by="model,gpu", alpha=0.2).alpha == 0.2


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0},
        {"alpha": 1.5},
        {"test": "anova"},
        {"test": "welch", "by": "model,gpu"},
        {"test": "t"},
        {"by": "model,gpu,duration_s"},
        {"by": "model,gpu", "baseline": "a"},
    ],
)
def test_options_that_do_not_fit_together(options: dict) -> None:
    with pytest.raises(UsageError):
        joulecast.compare(RUNS, **options)


def test_a_table_without_a_usual_column_proposes_those_that_make_groups() -> None:
    runs = {"kind": ["x", "y", "x"], "rate": ["1", "1", "2"], "energy_j": [1.0, 2.0, 3.0]}
    with pytest.raises(UsageError, match="kind, rate"):
        joulecast.compare(runs)


def test_results_show_themselves() -> None:
    assert "model" in repr(joulecast.compare(RUNS))
    assert "<table>" in joulecast.compare(RUNS, by="model,gpu")._repr_html_()


@pytest.mark.parametrize("function", [joulecast.compare, joulecast.correlate, load_table])
def test_the_example_of_the_docstring(function) -> None:
    names = {"joulecast": joulecast, "load_table": load_table}
    (example,) = doctest.DocTestFinder().find(function, function.__name__, globs=names)
    assert doctest.DocTestRunner().run(example) == (0, 2)
