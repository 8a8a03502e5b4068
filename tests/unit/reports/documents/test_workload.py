import pytest

from fakes.golden import golden
from joulecast.reports.documents import document_of
from joulecast.reports.terminal.render import to_text
from joulecast.workload.model import Layer, Op, OperatorKind, Phase, Workload

CONV = Op(OperatorKind.CONV, Phase.FORWARD, 6e9, 2e6, "bf16", "stem.conv", count=2)
GRADIENT = Op(OperatorKind.CONV, Phase.BACKWARD, 1.2e10, 4e6, "bf16", "stem.conv", count=2)
MOVE = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 1e6, "bf16")
STEP = Op(OperatorKind.OPTIMIZER, Phase.OPTIMIZER, 3e7, 5e8, "fp32", count=8)
WORK = Workload(
    name="net.py:build",
    batch=4,
    input_shape=(3, 224, 224),
    precision="bf16",
    training=True,
    optimizer="adamw",
    parameters=11_000_000,
    ops=(CONV, GRADIENT, MOVE, STEP),
    layers=(
        Layer("", "Net", 0, 5e6, 0.0, 0.0),
        Layer("stem.conv", "Conv2d", 9408, 1.2e10, 2.4e10, 3e8),
    ),
    weight_bytes=4.4e7,
    gradient_bytes=4.4e7,
    optimizer_bytes=8.8e7,
    activation_bytes=3e8,
    peak_bytes=4e8,
    notes=("no input was given: 3x224x224 is assumed",),
)


def test_wording():
    golden("workload", repr(WORK))


def test_inference_has_one_phase():
    from dataclasses import replace

    served = replace(WORK, training=False, optimizer=None, ops=(CONV,), layers=())
    per_step, _, kinds = document_of(served).sections[:3]
    assert [row[0] for row in per_step.blocks[0].rows] == ["forward"]
    assert [row[:3] for row in kinds.blocks[0].rows] == [["conv", "12.0 GFLOP", "100.0%"]]


def test_only_the_largest_layers_are_listed():
    from dataclasses import replace

    layers = [Layer(f"block.{i}", "Linear", 1, float(i), 0.0, 0.0) for i in range(12)]
    (table,) = document_of(replace(WORK, layers=tuple(layers))).sections[3].blocks
    assert [row[0] for row in table.rows] == [f"block.{i}" for i in range(11, 1, -1)]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_report_fits_the_terminal(width):
    lines = to_text(document_of(WORK), width).splitlines()
    assert len(lines) > 15
    assert max(map(len, lines)) <= width


def test_notebooks_show_the_same_tables():
    assert WORK._repr_html_().count("<table>") == 4
