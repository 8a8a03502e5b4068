"""The public function."""

import doctest

import joulecast
from joulecast.workload import analysis


def test_its_example_runs():
    runner = doctest.DocTestRunner()
    (example,) = doctest.DocTestFinder().find(
        joulecast.analyze, "analyze", analysis, {"joulecast": joulecast}
    )
    assert len(example.examples) >= 3
    assert runner.run(example).failed == 0


def test_its_document_holds_operators_and_layers():
    from torch import nn

    document = joulecast.analyze(nn.Linear(3, 4), (3,), training=False).to_json()
    assert document["schema"] == "joulecast/workload/1"
    (op,) = document["ops"]
    assert (op["kind"], op["phase"], op["shape"]) == ("matmul", "forward", [1, 1, 4, 3])
    assert [layer["parameters"] for layer in document["layers"]] == [16]
