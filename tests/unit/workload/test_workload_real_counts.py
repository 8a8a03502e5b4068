"""The counts without data against torch's own counter on real runs on the CPU."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from joulecast.workload import Phase, analyze
from joulecast.workload.model import MULTIPLYING


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 3, 3, padding=1)
        self.two = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(inplace=True))

    def forward(self, x):
        return x + self.two(self.one(x)) * self.one(x)


class ByHand(nn.Module):
    """Attention as people write it."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        weights = torch.softmax(torch.einsum("bqd,bkd->bqk", q, k), -1)
        return weights @ v


NETS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 4)), (6,)),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
        (3, 15, 15),
    ),
    "deconv": (lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.ConvTranspose1d(4, 2, 3)), (2, 9)),
    "residual": (Residual, (3, 6, 6)),
    "by hand": (ByHand, (5, 8)),
    "bilinear": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.LayerNorm(4)), (2, 4)),
}


def multiplied(work, phase):
    return sum(work.flops(phase, kind) for kind in MULTIPLYING)


def really(model, x):
    """FLOPs of a real forward, and of forward and backward."""
    with FlopCounterMode(display=False) as forward:
        out = model(x)
    with FlopCounterMode(display=False) as backward:
        (out if isinstance(out, torch.Tensor) else out[0]).sum().backward()
    return forward.get_total_flops(), backward.get_total_flops()


@pytest.mark.parametrize("name", NETS)
def test_forward_and_backward_as_in_a_real_run(name):
    make, shape = NETS[name]
    model = make()
    forward, backward = really(model, torch.randn(4, *shape))
    work = analyze(model, shape, batch=4, loss="sum")
    assert multiplied(work, Phase.FORWARD) == forward
    assert multiplied(work, Phase.BACKWARD) == backward


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers_as_in_a_real_run(kind, both):
    model = kind(5, 7, num_layers=2, bidirectional=both, batch_first=True)
    with torch.backends.mkldnn.flags(enabled=False):
        forward, backward = really(model, torch.randn(3, 6, 5))
    work = analyze(model, (6, 5), batch=3, loss=lambda output: output[0].sum())
    # Beside the products, the cells' own arithmetic is of the class.
    products = {
        phase: sum(op.flops * op.count for op in work.ops if op.phase is phase and op.shape)
        for phase in (Phase.FORWARD, Phase.BACKWARD)
    }
    assert products[Phase.FORWARD] == forward
    # A real run need not take the gradient of the first state, which is no parameter.
    first_state = 2 * 3 * 7 * 7 * {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    cells = 4 if both else 2
    assert products[Phase.BACKWARD] - backward in (0, cells * first_state)


@pytest.mark.parametrize("device", ["gpu", "cpu"])
def test_multiply_adds_of_an_lstm_are_those_of_its_products(device):
    model = nn.LSTM(8, 16, 2, batch_first=True)
    work = analyze(model, (10, 8), batch=4, device=device, loss=lambda output: output[0].sum())
    assert work.macs == 4 * 10 * (4 * 16 * (8 + 16) + 4 * 16 * (16 + 16))
    assert 2 * work.macs < work.flops(Phase.FORWARD)  # which has the gates, too


@pytest.mark.parametrize("device", ["gpu", "cpu"])
@pytest.mark.parametrize("lengths", [[10, 8, 6, 4], torch.tensor([4, 10, 6, 8])])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_packed_sequences_are_counted_without_their_padding(kind, lengths, device):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kind(32, 64, batch_first=True)

        def forward(self, x):
            sizes = torch.tensor(lengths) if isinstance(lengths, list) else lengths
            packed = nn.utils.rnn.pack_padded_sequence(
                x, sizes, batch_first=True, enforce_sorted=False
            )
            return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    work = analyze(Net, (10, 32), batch=4, device=device)
    if kind is nn.LSTM or device == "gpu":
        assert work.macs == 28 * gates * 64 * (32 + 64)
    # The data need no gradient.
    assert work.flops(Phase.BACKWARD) > 1.6 * 2 * work.macs
    assert [note for note in work.notes if "CPU" in note]
    assert not [note for note in work.notes if "pack" in note]


def test_bilinear_layers_multiply():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.both = nn.Linear(8, 8), nn.Bilinear(5, 6, 7)

        def forward(self, x):
            x = self.first(x)
            return self.both(x[..., :5], x[..., :6])

    work = analyze(Net(), (8,), batch=4, loss="sum")
    assert not work.notes
    forward, backward = (
        [op for op in work.ops if op.layer == "both" and op.phase is phase and op.shape]
        for phase in (Phase.FORWARD, Phase.BACKWARD)
    )
    # As torch runs it: each of 7 outputs by itself, x1 W and then the sums of its product with x2.
    assert [(op.shape, op.count) for op in forward] == [((1, 4, 6, 5), 7), ((4, 1, 1, 6), 7)]
    assert work.macs == 4 * 8 * 8 + 4 * 7 * (5 * 6 + 6)
    # The gradients of x1, of the weight and of x2 each have one product of that size.
    assert sum(op.flops * op.count for op in backward) == 3 * 2 * 4 * 7 * 5 * 6


def test_attention_forward_is_what_its_plain_form_multiplies():
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(3, 5, 8)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(x, x, x, need_weights=False)

    class Self(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, y):
            return self.inner(y, y, y, need_weights=False)[0]

    work = analyze(Self(), (5, 8), batch=3)
    assert multiplied(work, Phase.FORWARD) == counter.get_total_flops()


@pytest.mark.parametrize("training", [True, False])
def test_encoder_layers_count_alike_with_and_without_their_fast_path(training):
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    work = analyze(model, (5, 8), batch=3, training=training)
    rows, width = 15, 8
    linear = 2 * rows * (3 * width * width + width * width + 2 * width * 16)
    attention = 2 * 2 * 3 * 5 * 5 * width
    assert multiplied(work, Phase.FORWARD) == linear + attention
