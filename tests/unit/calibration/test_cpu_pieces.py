"""The pieces of work for a CPU, against what they are to contain."""

from collections import Counter

import pytest

torch = pytest.importorskip("torch")

from joulecast.calibration.cpu_fit import ORDER  # noqa: E402
from joulecast.calibration.cpu_pieces import (  # noqa: E402
    OPERATOR,
    UPDATE,
    cpu_pieces,
    layer_ops,
    samples,
    views,
)
from joulecast.calibration.cpu_steps import AMONG  # noqa: E402
from joulecast.calibration.microbench import run_pieces  # noqa: E402
from joulecast.workload.model import (  # noqa: E402
    OperatorKind,
    Phase,
)


class Clock:
    """Each look takes a second: no piece is repeated for long."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("sample", samples(torch), ids=lambda sample: sample.name)
def test_a_layer_is_of_its_class_both_ways(sample):
    (forward, _), (both, _) = (layer_ops(torch, sample, backward) for backward in (False, True))
    assert sample.kind in {op.kind for op in forward}
    assert {op.phase for op in forward} == {Phase.FORWARD}
    assert {op.phase for op in both} == {Phase.FORWARD, Phase.BACKWARD}
    assert all(op in both for op in forward)


def test_a_product_wants_both_gradients():
    (linear,) = (s for s in samples(torch) if s.name.startswith("linear 512"))
    ops, viewed = layer_ops(torch, linear, True)
    assert viewed >= 3  # the weight transposed for each product
    assert [(op.phase, op.flops, op.count) for op in ops] == [
        (Phase.FORWARD, 2.0 * 512**3, 1),
        (Phase.BACKWARD, 2.0 * 512**3, 2),
    ]


def test_all_classes_are_there_in_several_sizes():
    pieces = cpu_pieces(torch)
    names = Counter(piece.name for piece in pieces if piece.group != AMONG)
    assert set(names.values()) == {1}  # spans are told by name
    steps = Counter(piece.name for piece in pieces if piece.group == AMONG)
    assert len(steps) == 8 and set(steps.values()) == {3}
    for kind in OperatorKind:
        assert str(kind) in ORDER or kind is OperatorKind.OPTIMIZER
        sizes = {
            piece.work.bytes() for piece in pieces if kind in {op.kind for op in piece.work.ops}
        }
        assert len(sizes) >= 4, kind


def test_views_launch_nothing():
    ops, viewed = layer_ops(torch, views(torch), False)
    assert (ops, viewed) == ((), 16)


def test_the_pieces_run():
    pieces = [p for p in cpu_pieces(torch) if p.work.bytes() < 2e6 or p.group == UPDATE]
    assert {OPERATOR, UPDATE} <= {p.group for p in pieces}
    for found in run_pieces(pieces, lambda: None, 1.0, clock=Clock()):
        assert found.skipped is None, found
        assert found.seconds > 0
