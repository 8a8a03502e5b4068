"""What torch runs on a CPU, and not on a GPU, against real steps on the CPU."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from joulecast.errors import UsageError
from joulecast.workload import OperatorKind, Phase, analyze


class Ran(TorchDispatchMode):
    """Counts the operators that really run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.drawn = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::").rstrip("_")
        self.names[name] += 1
        if name == "bernoulli":
            self.drawn += out.numel()
        return out


def launched(work, kind, phase=None):
    return sum(op.count for op in work.ops if op.kind is kind and phase in (None, op.phase))


def test_attention_with_dropout_is_several_kernels():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    with Ran() as ran:
        layer(torch.randn(3, 5, 16)).square().mean().backward()
    work = analyze(layer, (5, 16), batch=3, loss=lambda y: y.square().mean(), device="cpu")
    products = ran.names["mm"] + ran.names["addmm"] + ran.names["bmm"]
    assert launched(work, OperatorKind.MATMUL) == products
    assert launched(work, OperatorKind.ATTENTION) == 0
    assert sum(op.draws * op.count for op in work.ops) == ran.drawn > 0
    assert (
        launched(analyze(layer, (5, 16), batch=3), OperatorKind.ATTENTION) == 2
    )  # a GPU: one each way
    served = analyze(layer, (5, 16), batch=3, training=False, device="cpu")
    assert launched(served, OperatorKind.ATTENTION) == 1  # no dropout: fused here too


def test_a_gru_runs_its_steps_one_by_one():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 4, batch_first=True)

        def forward(self, x):
            return self.gru(x)[0]

    net = Net()
    with Ran() as ran:
        net(torch.randn(2, 6, 3))
    work = analyze(net, (6, 3), batch=2, training=False, device="cpu")
    assert launched(work, OperatorKind.RECURRENT) == 0
    # Products of the state as they ran; those of the input, which run at once, are counted by step.
    assert ran.names["mm"] + ran.names["addmm"] == 1 + 6
    assert launched(work, OperatorKind.MATMUL) == 2 * 6


@pytest.mark.parametrize("layers", [1, 2])
def test_a_layer_of_an_lstm_is_one_kernel(layers):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, layers, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0]

    cpu, gpu = (analyze(Net(), (6, 3), batch=2, device=device) for device in ("cpu", "gpu"))
    for phase in (Phase.FORWARD, Phase.BACKWARD):
        assert launched(cpu, OperatorKind.RECURRENT, phase) == layers
        for of in (cpu.flops, cpu.bytes):
            assert of(phase, OperatorKind.RECURRENT) > 0
        assert cpu.flops(phase, OperatorKind.RECURRENT) == gpu.flops(phase, OperatorKind.RECURRENT)
        assert cpu.bytes(phase, OperatorKind.RECURRENT) == gpu.bytes(phase, OperatorKind.RECURRENT)


OPTIMIZERS = {
    "sgd": (lambda p: torch.optim.SGD(p, 0.1), ("add",)),
    "momentum": (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), ("add", "mul")),
    "adam": (torch.optim.Adam, ("lerp", "mul", "addcmul", "sqrt", "div", "addcdiv")),
    "adamw": (torch.optim.AdamW, ("lerp", "mul", "addcmul", "sqrt", "div", "addcdiv")),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_from_tensor_to_tensor(name):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    make, operators = OPTIMIZERS[name]
    optimizer = make(model.parameters())
    for _ in range(2):  # the first makes the state
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        with Ran() as ran:
            optimizer.step()
    real = sum(ran.names[operator] for operator in operators)
    # Adam adds its epsilon to every denominator: `add`, which counts its steps too.
    real += 6 if name in ("adam", "adamw") else 0
    work = analyze(model, (3,), optimizer=name, device="cpu")
    gpu = analyze(model, (3,), optimizer=name)
    assert launched(work, OperatorKind.OPTIMIZER) == real
    assert work.bytes(Phase.OPTIMIZER) == pytest.approx(gpu.bytes(Phase.OPTIMIZER))
    assert work.flops(Phase.OPTIMIZER) == pytest.approx(gpu.flops(Phase.OPTIMIZER))


def test_batch_normalization_has_its_sizes():
    work = analyze(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)), (3, 6, 6), batch=4)
    norms = [op for op in work.ops if op.kind is OperatorKind.NORM]
    assert [op.shape for op in norms] == [(4, 8, 16), (4, 8, 16)]
    plain = analyze(nn.LayerNorm(8), (8,), batch=4)
    assert [op.shape for op in plain.ops if op.kind is OperatorKind.NORM] == [(), ()]


def test_an_unknown_device_is_an_error():
    with pytest.raises(UsageError, match="'cuda'"):
        analyze(nn.Linear(3, 4), (3,), device="cuda")
