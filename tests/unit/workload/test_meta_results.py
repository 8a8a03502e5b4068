"""The short answers for meta tensors are those of torch, or none."""

import pytest
import torch

from joulecast.workload.meta_results import shortcut_of

aten = torch.ops.aten


def meta(*shape, dtype=torch.float32, last=False):
    tensor = torch.empty(shape, dtype=dtype, device="meta")
    return tensor.to(memory_format=torch.channels_last) if last else tensor


X = meta(2, 4, 7, 9)
LAST = meta(2, 4, 7, 9, last=True)
HALF = meta(2, 4, 7, 9, dtype=torch.bfloat16)
SPREAD = meta(2, 4, 1, 1).expand(2, 4, 7, 9)
ROW = meta(1, 4, 1, 1).expand(2, 4, 7, 9)
C, W = meta(4), meta(6, 4, 3, 3)
CONV = ([2, 2], [1, 0], [1, 2], False, [0, 0], 1)
GROUPED = ([1, 1], [1, 1], [1, 1], False, [0, 0], 2)
DECONV = ([2, 2], [0, 0], [1, 1], True, [0, 0], 1)
POOL = ([3, 2], [2, 2], [1, 1], [1, 1])

CALLS = {
    "relu": (aten.relu.default, X),
    "relu, channels last": (aten.relu.default, LAST),
    "relu, transposed": (aten.relu.default, X.transpose(1, 3)),
    "add": (aten.add.Tensor, X, meta(2, 4, 7, 9)),
    "add of two layouts": (aten.add.Tensor, X, LAST),
    "add of two types": (aten.add.Tensor, HALF, X),
    "add, broadcast": (aten.add.Tensor, X, meta(4, 1, 1)),
    "add to the smaller": (aten.add.Tensor, meta(4, 1, 1), X),
    "add of a number": (aten.add.Tensor, HALF, 2.5),
    "mul of whole numbers": (aten.mul.Tensor, meta(3, dtype=torch.long), 2.5),
    "mul in place": (aten.mul_.Tensor, X, 3),
    "div, spread": (aten.div.Scalar, SPREAD, 63),
    "div, spread over the first": (aten.div.Scalar, ROW, 63),
    "gelu": (aten.gelu.default, HALF),
    "threshold": (aten.threshold_backward.default, X, X, 0),
    "convolution": (aten.convolution.default, X, W, meta(6), *CONV),
    "grouped": (aten.convolution.default, X, meta(6, 2, 3, 3), None, *GROUPED),
    "transposed": (aten.convolution.default, X, meta(4, 6, 3, 3), None, *DECONV),
    "channels last": (aten.convolution.default, LAST, W, None, *CONV),
    "flat": (
        aten.convolution.default,
        *(meta(2, 4, 9), meta(6, 4, 3), None, [1], [0], [1], False, [0], 1),
    ),
    "convolution backward": (
        aten.convolution_backward.default,
        *(meta(2, 6, 4, 3), X, W, [6], *CONV, [True, True, True]),
    ),
    "weights alone": (
        aten.convolution_backward.default,
        *(meta(2, 6, 4, 3), X, W, [0], *CONV, [False, True, False]),
    ),
    "statistics": (aten.native_batch_norm.default, X, C, C, C, C, True, 0.1, 1e-5),
    "statistics kept": (aten.native_batch_norm.default, X, C, C, C, C, False, 0.1, 1e-5),
    "statistics of half": (aten.native_batch_norm.default, HALF, C, C, C, C, True, 0.1, 1e-5),
    "statistics backward": (
        aten.native_batch_norm_backward.default,
        *(X, X, C, C, C, C, C, True, 1e-5, [True, True, True]),
    ),
    "pool": (aten.max_pool2d_with_indices.default, X, *POOL),
    "pool by its size": (aten.max_pool2d_with_indices.default, X, [2, 2], [2, 2]),
    "pool, rounded up": (aten.max_pool2d_with_indices.default, X, *POOL, True),
    "mean": (aten.mean.dim, X, [-1, -2]),
    "mean, kept": (aten.mean.dim, X, [2, 3], True),
    "mean of all": (aten.mean.dim, X, []),
    "mean of all, unnamed": (aten.mean.default, X),
    "mm": (aten.mm.default, meta(3, 4), meta(4, 5)),
    "bmm": (aten.bmm.default, meta(2, 3, 4), meta(2, 4, 5)),
    "addmm": (aten.addmm.default, meta(5), meta(3, 4), meta(4, 5)),
    "addmm of a matrix": (aten.addmm.default, meta(3, 5), meta(3, 4), meta(4, 5)),
    "softmax": (aten._softmax.default, X, 1, False),
    "softmax to full": (aten._log_softmax.default, X, -1, False),
    "softmax backward": (aten._softmax_backward_data.default, X, X, 1, torch.float32),
    "nll": (
        aten.nll_loss_forward.default,
        *(meta(3, 4), meta(3, dtype=torch.long), None, 1, -100),
    ),
    "nll of each": (
        aten.nll_loss_forward.default,
        *(meta(3, 4), meta(3, dtype=torch.long), None, 0, -100),
    ),
}
# At least these are to be answered shortly, or there would be nothing to test.
SHORT = {
    "relu, channels last",
    "add",
    "mul in place",
    "div, spread",
    "convolution",
    "convolution backward",
    "statistics",
    "pool",
    "mean",
    "mm",
    "addmm",
    "nll",
}


def described(value):
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.stride(), value.dtype, value.device.type
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    return value


@pytest.mark.parametrize("name", CALLS)
def test_a_short_answer_is_that_of_torch(name):
    operator, *args = CALLS[name]
    short = shortcut_of(operator)
    answer = NotImplemented if short is None else short(tuple(args), {})
    if name in SHORT:
        assert answer is not NotImplemented
    if answer is not NotImplemented:
        assert described(answer) == described(operator(*args))


@pytest.mark.parametrize(
    "call",
    [
        (aten.convolution.default, X, meta(6, 3, 3, 3), None, *CONV),
        (aten.convolution.default, X, W, meta(5), *CONV),
        (aten.convolution.default, meta(2, 4, 1, 1), W, None, [1, 1], [0, 0], *CONV[2:]),
        (aten.mm.default, meta(3, 4), meta(3, 5)),
        (aten.addmm.default, meta(6), meta(3, 4), meta(4, 5)),
    ],
)
def test_what_does_not_fit_is_left_to_torch(call):
    operator, *args = call
    short = shortcut_of(operator)
    assert short is not None
    assert short(tuple(args), {}) is NotImplemented
