"""Repeated results on meta tensors are those of torch."""

import pytest
import torch

from joulecast.workload.meta_results import MetaResults

aten = torch.ops.aten


def meta(*shape, dtype=torch.float32, last=False):
    tensor = torch.empty(shape, dtype=dtype, device="meta")
    return tensor.to(memory_format=torch.channels_last) if last else tensor


X = meta(2, 4, 7, 9)
LAST = meta(2, 4, 7, 9, last=True)
HALF = meta(2, 4, 7, 9, dtype=torch.bfloat16)
SPREAD = meta(2, 4, 1, 1).expand(2, 4, 7, 9)
C, W = meta(4), meta(6, 4, 3, 3)
CONV = ([2, 2], [1, 0], [1, 2], False, [0, 0], 1)

CALLS = {
    "relu": (aten.relu.default, X),
    "relu, channels last": (aten.relu.default, LAST),
    "relu, transposed": (aten.relu.default, X.transpose(1, 3)),
    "add of two layouts": (aten.add.Tensor, X, LAST),
    "add of two types": (aten.add.Tensor, HALF, X),
    "add of a number": (aten.add.Tensor, HALF, 2.5),
    "mul of whole numbers": (aten.mul.Tensor, meta(3, dtype=torch.long), 2.5),
    "mul in place": (aten.mul_.Tensor, X, 3),
    "div, spread": (aten.div.Scalar, SPREAD, 63),
    "convolution": (aten.convolution.default, X, W, meta(6), *CONV),
    "weights alone": (
        aten.convolution_backward.default,
        *(meta(2, 6, 4, 3), X, W, [0], *CONV, [False, True, False]),
    ),
    "batch norm": (aten.native_batch_norm.default, X, C, C, C, C, True, 0.1, 1e-5),
    "split": (aten.split_with_sizes_copy.default, X, [3, 4], 2),
    "cat": (aten.cat.default, [X, HALF], 1),
}


def described(value):
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.stride(), value.dtype, value.device.type
    return [described(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("name", CALLS)
def test_the_second_result_is_like_the_first(name):
    operator, *args = CALLS[name]
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return operator(*arguments)

    counted.is_view = False
    results = MetaResults()
    first, second = (results.call(counted, tuple(args), {}) for _ in range(2))
    assert len(calls) == 1
    assert described(second) == described(first) == described(operator(*args))
    assert (second is args[0]) == (first is args[0]) == (name == "mul in place")


@pytest.mark.parametrize(
    ("one", "other"),
    [((X, 2), (X, 2.0)), ((meta(3, dtype=torch.long), True), (meta(3, dtype=torch.long), 1.0))],
)
def test_constants_of_different_types_are_different_calls(one, other):
    results = MetaResults()
    for args in (one, other):
        assert described(results.call(aten.mul.Tensor, args, {})) == described(
            aten.mul.Tensor(*args)
        )


def test_data_is_computed_each_time():
    results = MetaResults()
    for value in (1.0, 2.0):
        (out,) = (results.call(aten.add.Tensor, (torch.tensor([value]), 1), {}),)
        assert out.item() == value + 1


def test_a_result_in_the_memory_of_its_argument_stays_there():
    results = MetaResults()
    for _ in range(2):
        x = meta(2, 6)
        view = results.call(aten._unsafe_view.default, (x, [3, 4]), {})
        assert view.untyped_storage()._cdata == x.untyped_storage()._cdata


def test_a_change_of_shape_in_place_happens_each_time():
    results = MetaResults()
    for _ in range(2):
        x = meta(1, 6)
        results.call(aten.squeeze_.dim, (x, 0), {})
        assert x.shape == (6,)


def test_invalid_shapes_are_an_error_each_time():
    results = MetaResults()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            results.call(aten.mm.default, (meta(3, 4), meta(3, 5)), {})
