"""The step of each optimizer against what torch's own really launches."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from joulecast.errors import UsageError
from joulecast.workload import Phase, analyze
from joulecast.workload.optimizers import step

REAL = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, foreach=True),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=True),
    "adam": lambda p: torch.optim.Adam(p, foreach=True),
    "adamw": lambda p: torch.optim.AdamW(p, foreach=True),
}


class Passes(TorchDispatchMode):
    """Counts the operations over lists of the parameters' size."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "_foreach_" in func._schema.name and args[0][0].numel() > 1:
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", REAL)
def test_passes_and_state_of_a_real_step(name):
    model = nn.Linear(3, 4)
    optimizer = REAL[name](model.parameters())
    for _ in range(2):  # the first makes the state
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        with Passes() as passes:
            optimizer.step()
    work = analyze(model, (3,), optimizer=name)
    assert work.flops(Phase.OPTIMIZER) > 0
    assert sum(op.count for op in work.ops if op.phase is Phase.OPTIMIZER) == passes.count
    kept = [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.numel() > 1
    ]
    assert work.optimizer_bytes == sum(value.numel() * 4 for value in kept)


def test_plain_descent_reads_two_tensors_and_writes_one():
    done = step("sgd", [1000, 500], 4)
    assert sum(op.bytes * op.count for op in done.ops) == 3 * 1500 * 4
    assert sum(op.flops * op.count for op in done.ops) == 2 * 1500


def test_many_parameters_take_many_launches():
    few, many, large = (step("sgd", sizes, 4) for sizes in ([10], [10] * 640, [10**9]))
    assert few.ops[0].count == 1
    assert many.ops[0].count == 10  # 64 tensors of two lists each
    assert large.ops[0].count == -(-(10**9) // 65_536 // 320) + 0
    assert large.ops[0].bytes * large.ops[0].count == pytest.approx(3 * 4 * 10**9)


def test_half_precision_scales_back_its_gradients():
    plain, scaled = step("sgd", [100], 4), step("sgd", [100], 4, unscale=True)
    assert len(scaled.ops) == len(plain.ops) + 1


def test_no_optimizer_and_an_unknown_one():
    for none in (None, "none"):
        work = analyze(nn.Linear(3, 4), (3,), optimizer=none)
        assert work.optimizer is None
        assert work.flops(Phase.OPTIMIZER) == work.optimizer_bytes == 0
    with pytest.raises(UsageError):
        analyze(nn.Linear(3, 4), (3,), optimizer="adamm")
