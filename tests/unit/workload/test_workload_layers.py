"""Whose work it is, in both directions, and what a layer keeps."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from joulecast.workload import Phase, analyze
from joulecast.workload.model import MULTIPLYING


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(4, 16)
        self.narrow = nn.Linear(16, 4)

    def forward(self, x):
        return x + self.narrow(torch.relu(self.wide(x)))


def layers(work):
    return {layer.name: layer for layer in work.layers}


def test_backward_work_belongs_to_the_module_that_went_forward():
    net = nn.Sequential(nn.Linear(4, 4), Block(), nn.Linear(4, 2))
    by_name = layers(analyze(net, (4,), batch=10, loss="sum"))
    assert list(by_name) == ["0", "1.wide", "1", "1.narrow", "2", "loss"]
    # The bias's gradient is a sum; where the residual branched off, two gradients meet.
    sums = {"0": 4, "1.wide": 16 + 4, "1.narrow": 4, "2": 2}
    for name, summed in sums.items():
        layer = by_name[name]
        times = 1 if name == "0" else 2  # the input needs no gradient
        assert layer.backward_flops == times * layer.forward_flops + 10 * summed, name
    # The sum of the residual and the activation are the block's own.
    assert by_name["1"].type == "Block"
    assert by_name["1"].forward_flops == 10 * 4 + 10 * 16
    assert by_name["1"].backward_flops >= 10 * 16


def test_layers_add_up_to_the_whole():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(3))
    work = analyze(net, (3, 6, 6), batch=2)
    assert (
        sum(layer.parameters for layer in work.layers)
        == work.parameters
        == 3 * 4 * 9 + 4 + 8 + (64 * 3 + 3)
    )
    assert sum(layer.forward_flops for layer in work.layers) == work.flops(Phase.FORWARD)
    assert sum(layer.backward_flops for layer in work.layers) == work.flops(Phase.BACKWARD)
    assert sum(layer.activation_bytes for layer in work.layers) == work.activation_bytes


def test_weights_shared_by_two_layers_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 4)
            self.head = nn.Linear(4, 11, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    work = analyze(Tied(), 6, batch=2)
    assert work.parameters == 44
    assert [layer.parameters for layer in work.layers] == [44, 0, 0]
    assert work.flops(Phase.FORWARD, "matmul") == 2 * 12 * 4 * 11


def test_activations_are_what_autograd_keeps_once():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 4))
    work = analyze(net, (8,), batch=32, loss="sum")
    # The input, and the hidden values that the activation and the next layer share.
    assert work.activation_bytes == 4 * 32 * (8 + 16)
    assert layers(work)["1"].activation_bytes == 4 * 32 * 16


def test_a_checkpoint_keeps_less_and_computes_more():
    class Net(nn.Module):
        def __init__(self, again):
            super().__init__()
            self.blocks = nn.ModuleList(Block() for _ in range(3))
            self.again = again

        def forward(self, x):
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False) if self.again else block(x)
            return x

    plain, again = (analyze(Net(again), (4,), batch=8, loss="sum") for again in (False, True))
    assert again.activation_bytes < plain.activation_bytes
    assert again.flops(Phase.FORWARD) == plain.flops(Phase.FORWARD)
    wide = layers(again)["blocks.1.wide"]
    assert wide.backward_flops == 3 * wide.forward_flops + 8 * (16 + 4)


class _Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(8, 8, batch_first=True)

    def forward(self, x):
        return self.cell(x)[0]


class _Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class _Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(8, 8)

    def forward(self, x):
        return torch.dropout(self.line(x), 0.1, self.training)


def _attending_alone(x):
    return nn.functional.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("block", [_Recurrent, _Attending, _Dropping, lambda: _attending_alone])
def test_a_checkpoint_adds_one_more_forward_of_its_block(block, reentrant, precision):
    """What is several operators without its fused form is the same when it is computed again."""

    class Net(nn.Module):
        def __init__(self, again):
            super().__init__()
            self.first, self.block, self.last = nn.Linear(8, 8), block(), nn.Linear(8, 8)
            self.again = again

        def forward(self, x):
            x = self.first(x)
            block = partial(checkpoint, self.block, use_reentrant=reentrant)
            return self.last(block(x) if self.again else self.block(x))

    plain, again = (
        analyze(Net(keep), (16, 8), batch=4, precision=precision, loss="sum")
        for keep in (False, True)
    )

    def multiplied(work, phase=None):
        return sum(work.flops(phase, kind) for kind in MULTIPLYING)

    more = multiplied(again) - multiplied(plain)
    block_flops = multiplied(plain, Phase.FORWARD) - 2 * 2 * 4 * 16 * 8 * 8
    # Its last operator is not computed again where nothing that it returns is kept.
    assert 0.7 * block_flops <= more <= block_flops
    assert more <= again.recomputed_flops <= 1.5 * more
    assert plain.recomputed_flops == 0
    assert not again.notes


def test_peak_holds_activations_and_then_gradients():
    net = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(4)))
    work = analyze(net, (64,), batch=512, optimizer="none", loss="sum")
    assert work.peak_bytes >= work.activation_bytes
    assert work.memory_bytes >= work.weight_bytes + work.gradient_bytes + work.activation_bytes
    small = analyze(net, (64,), batch=1, optimizer="adamw", loss="sum")
    # With hardly any activations it is the optimizer's scratch that tops it.
    assert small.peak_bytes == pytest.approx(2 * small.weight_bytes, rel=0.05)


def test_inference_keeps_nothing_but_needs_room():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    work = analyze(net, (8,), batch=32, training=False)
    assert work.activation_bytes == work.gradient_bytes == work.optimizer_bytes == 0
    assert work.peak_bytes == 4 * 32 * (16 + 16)
    assert work.flops(Phase.BACKWARD) == work.flops(Phase.OPTIMIZER) == 0


def test_frozen_layers_have_no_gradient_of_their_weights():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[0].requires_grad_(False)
    work = analyze(net, (4,), loss="sum")
    assert layers(work)["0"].backward_flops == 0
    assert work.gradient_bytes == 4 * 20
    assert work.optimizer_bytes == 2 * 4 * 20


def test_nothing_to_train_is_an_error():
    from joulecast.errors import UsageError

    with pytest.raises(UsageError):
        analyze(nn.Linear(2, 2).requires_grad_(False), (2,))
