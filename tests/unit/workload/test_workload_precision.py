"""Types: mixed precision in training, types of their own in inference."""

import pytest
import torch
from torch import nn

from joulecast.errors import UsageError
from joulecast.workload import OperatorKind, Phase, analyze


def net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10)
    )


def types(work, *kinds):
    return {op.dtype for op in work.ops if op.kind in kinds}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_multiplies_in_half_and_keeps_weights_whole(precision):
    full = analyze(net(), (3, 6, 6), batch=64)
    work = analyze(net(), (3, 6, 6), batch=64, precision=precision)
    assert types(work, OperatorKind.CONV, OperatorKind.MATMUL) == {precision}
    assert types(work, OperatorKind.SOFTMAX) == {"fp32"}  # of the loss
    assert work.weight_bytes == full.weight_bytes
    assert work.optimizer_bytes == full.optimizer_bytes
    assert work.activation_bytes < full.activation_bytes
    for phase in (Phase.FORWARD, Phase.BACKWARD):
        assert work.flops(phase, OperatorKind.CONV) == full.flops(phase, OperatorKind.CONV)
    # Weights are cast once, and their gradients back.
    casts = [op for op in work.ops if op.layer == "0" and op.kind is OperatorKind.MOVE]
    weights, forward = 8 * 27 + 8, [op for op in casts if op.phase is Phase.FORWARD]
    assert sum(op.bytes * op.count for op in forward) == 6 * (weights + 64 * 3 * 36)
    assert any(op.phase is Phase.BACKWARD for op in casts)


def test_a_weight_used_twice_is_cast_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(64, 64, bias=False)

        def forward(self, x):
            return self.one(self.one(x))

    work = analyze(Twice(), (64,), precision="bf16")
    cast = [
        op
        for op in work.ops
        if op.kind is OperatorKind.MOVE and op.phase is Phase.FORWARD and op.bytes == 6 * 64 * 64
    ]
    assert sum(op.count for op in cast) == 1


def test_inference_in_half_holds_half_the_weights():
    full = analyze(net(), (3, 6, 6), training=False)
    work = analyze(net(), (3, 6, 6), training=False, precision="fp16")
    assert types(work, *OperatorKind) == {"fp16"}
    # The count of batches that a normalization keeps is a whole number of eight bytes.
    assert work.weight_bytes - 8 == (full.weight_bytes - 8) / 2
    assert work.bytes(kind=OperatorKind.CONV) == full.bytes(kind=OperatorKind.CONV) / 2


def test_tf32_is_of_products_alone():
    full, work = (analyze(net(), (3, 6, 6), precision=p) for p in ("fp32", "tf32"))
    assert types(work, OperatorKind.CONV, OperatorKind.MATMUL) == {"tf32"}
    assert types(work, OperatorKind.NORM, OperatorKind.ELEMENTWISE, OperatorKind.OPTIMIZER) == {
        "fp32"
    }
    assert (work.bytes(), work.flops()) == (full.bytes(), full.flops())


def test_by_default_convolutions_and_recurrent_layers_are_rounded_and_products_are_not():
    work = analyze(net(), (3, 6, 6))
    assert types(work, OperatorKind.CONV) == {"tf32"}
    assert types(work, *set(OperatorKind) - {OperatorKind.CONV}) == {"fp32"}
    assert work.precision == "default"
    strict = analyze(net(), (3, 6, 6), precision="fp32")
    assert types(strict, *OperatorKind) == {"fp32"}
    assert (work.bytes(), work.flops()) == (strict.bytes(), strict.flops())
    recurrent = analyze(nn.LSTM(8, 8), (4, 8), loss="sum", training=False)
    assert types(recurrent, OperatorKind.RECURRENT) == {"tf32"}


@pytest.mark.parametrize("precision", ["default", "tf32"])
def test_a_cpu_rounds_nothing(precision):
    work = analyze(net(), (3, 6, 6), precision=precision, device="cpu")
    assert types(work, *OperatorKind) == {"fp32"}


class Attending(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.conv, self.fit, self.odd = nn.Conv1d(32, 32, 1), nn.Linear(32, 64), nn.Linear(64, out)

    def forward(self, x):
        hidden = self.fit(self.conv(x).transpose(1, 2))
        mixed = torch.softmax(hidden @ hidden.transpose(1, 2), -1) @ hidden
        return self.odd(mixed)


@pytest.mark.parametrize("training", [True, False])
def test_fp8_is_of_linear_layers_whose_sizes_fit_and_the_rest_is_bf16(training):
    work, half = (
        analyze(Attending(50), (32, 16), batch=2, loss="sum", training=training, precision=p)
        for p in ("fp8", "bf16")
    )
    products = {op.layer: set() for op in work.ops if op.kind is OperatorKind.MATMUL}
    for op in work.ops:
        if op.kind is OperatorKind.MATMUL:
            products[op.layer].add(op.dtype)
    # The stacks of products of activations belong to the model itself.
    assert products == {"fit": {"fp8"}, "odd": {"bf16"}, "": {"bf16"}}
    assert types(work, OperatorKind.CONV) == {"bf16"}
    assert (work.bytes(), work.flops()) == (half.bytes(), half.flops())
    saved = 0 if training else 32 * 64
    assert half.weight_bytes - work.weight_bytes == saved


def test_the_number_of_tokens_limits_fp8_in_training_alone():
    def dtypes(training):
        model = nn.Linear(32, 64, bias=False)
        work = analyze(model, (32,), batch=3, loss="sum", training=training, precision="fp8")
        return types(work, OperatorKind.MATMUL)

    assert (dtypes(True), dtypes(False)) == ({"bf16"}, {"fp8"})


def test_a_model_in_half_already_stays_so():
    work = analyze(net().bfloat16(), (3, 6, 6), loss="sum", precision="bf16")
    assert types(work, OperatorKind.CONV, OperatorKind.MATMUL) == {"bf16"}
    assert work.gradient_bytes == 2 * work.parameters


def test_an_unknown_precision_is_an_error():
    with pytest.raises(UsageError):
        analyze(net(), (3, 6, 6), precision="fp12")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_recurrent_layer_behind_one_that_was_cast_is_cast_too(precision):
    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.then = nn.Linear(8, 16), nn.LSTM(16, 32, batch_first=True)

        def forward(self, x):
            return self.then(self.first(x))[0]

    mixed = analyze(Behind(), (4, 8), batch=2, precision=precision)
    full = analyze(Behind(), (4, 8), batch=2)
    assert mixed.macs == full.macs
    assert {op.dtype for op in mixed.ops if op.kind is OperatorKind.RECURRENT} == {precision}
