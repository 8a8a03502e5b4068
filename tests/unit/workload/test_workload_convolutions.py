"""Convolutions and linear layers against closed formulas, over shapes of every kind."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from joulecast.workload import OperatorKind, Phase, analyze
from joulecast.workload.model import MULTIPLYING

CONVS = {
    1: (nn.Conv1d, nn.ConvTranspose1d),
    2: (nn.Conv2d, nn.ConvTranspose2d),
    3: (nn.Conv3d, nn.ConvTranspose3d),
}


def multiplied(work, phase):
    return sum(work.flops(phase, kind) for kind in MULTIPLYING)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2, 3]))
    return {
        "dims": draw(st.integers(1, 3)),
        "transposed": draw(st.booleans()),
        "c_in": groups * draw(st.integers(1, 3)),
        "c_out": groups * draw(st.integers(1, 3)),
        "groups": groups,
        "kernel": draw(st.integers(1, 3)),
        "stride": draw(st.integers(1, 2)),
        "padding": draw(st.integers(0, 1)),
        "size": draw(st.integers(5, 8)),
        "batch": draw(st.integers(1, 3)),
    }


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_a_convolution_of_any_kind(c):
    make = CONVS[c["dims"]][c["transposed"]]
    layer = make(c["c_in"], c["c_out"], c["kernel"], c["stride"], c["padding"], groups=c["groups"])
    shape = (c["c_in"], *[c["size"]] * c["dims"])
    work = analyze(layer, shape, batch=c["batch"], loss="sum")

    if c["transposed"]:
        positions = c["size"] ** c["dims"]
    else:
        out = (c["size"] + 2 * c["padding"] - c["kernel"]) // c["stride"] + 1
        positions = out ** c["dims"]
    weights = c["c_in"] * c["c_out"] // c["groups"] * c["kernel"] ** c["dims"]
    once = 2 * c["batch"] * positions * weights
    assert multiplied(work, Phase.FORWARD) == once
    # The input is data: of the two gradients only that of the weights is taken.
    assert multiplied(work, Phase.BACKWARD) == once
    assert work.parameters == weights + c["c_out"]


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_the_backward_of_groups_is_twice_their_forward(groups):
    # torch's own counter takes the backward of a grouped convolution for that of a full one.
    net = nn.Sequential(nn.Conv2d(8, 8, 3, groups=groups), nn.Conv2d(8, 8, 3, groups=groups))
    work = analyze(net, (8, 12, 12), loss="sum")
    first, second = work.layers[:2]
    bias = first.backward_flops - first.forward_flops
    assert second.backward_flops - 2 * second.forward_flops == 8 * 8 * 8
    assert bias == 8 * 10 * 10


def test_as_many_groups_as_channels_are_depthwise():
    net = nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=4), nn.Conv2d(8, 8, 1, groups=2), nn.Conv2d(8, 4, 1)
    )
    work = analyze(net, (4, 6, 6), training=False)
    kinds = {op.layer: op.kind for op in work.ops}
    assert kinds == {"0": OperatorKind.DEPTHWISE, "1": OperatorKind.CONV, "2": OperatorKind.CONV}
    assert work.ops[0].shape == (1, 4, 6, 6, 8, 3, 3, 1, 4)


def test_bytes_of_a_convolution_are_its_input_weights_and_output():
    work = analyze(nn.Conv2d(3, 8, 3), (3, 10, 10), batch=2, training=False)
    (op,) = work.ops
    assert op.bytes == 4 * (2 * 3 * 100 + 8 * 3 * 9 + 8 + 2 * 8 * 64)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(1, 4), max_size=2), st.integers(1, 9), st.booleans())
def test_a_linear_layer(batch, lead, width, bias):
    net = nn.Sequential(nn.Linear(7, width, bias=bias), nn.Linear(width, 3, bias=bias))
    work = analyze(net, (*lead, 7), batch=batch, loss="sum")
    rows = batch * prod(lead)
    once = [2 * rows * 7 * width, 2 * rows * width * 3]
    assert multiplied(work, Phase.FORWARD) == sum(once)
    assert multiplied(work, Phase.BACKWARD) == once[0] + 2 * once[1]
    products = [op for op in work.ops if op.kind is OperatorKind.MATMUL]
    assert products[0].shape == (1, rows, width, 7)
    assert products[0].bytes == 4 * (rows * 7 + 7 * width + rows * width + width * bias)
