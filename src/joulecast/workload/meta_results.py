"""Results of the most common operators on meta tensors, without calling torch.

Torch computes these by decompositions in Python, which take most of the time of a trace, and the
first of them imports torch's compiler (0.7 s). Any case but the common one is left to torch.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .operator_names import operators

_empty_like = torch.ops.aten.empty_like.default
_new_empty = torch.ops.aten.new_empty.default

Args = tuple[Any, ...]
Shortcut = Callable[[Args, dict[str, Any]], Any]


def shortcut_of(operator: Any) -> Shortcut | None:
    """A function from an operator's arguments to its result; None where torch is to be called.

    The function returns `NotImplemented` for arguments that it does not cover.
    """
    namespace, name = operator._schema.name.split("::")
    if namespace != "aten" or operator._overloadname not in ("default", "Tensor", "Scalar", "dim"):
        return None
    if name in _IN_PLACE:
        return _in_place
    return _alike if name in _ALIKE else _OTHERS.get(name)


# The result is like the first argument where all tensors are alike.
_ALIKE = operators("result_like_first")
_IN_PLACE = operators("result_is_first")


def _all_alike(args: Args, kwargs: dict[str, Any]) -> bool:
    first = args[0]
    if not isinstance(first, Tensor) or not first.is_meta or not first.dtype.is_floating_point:
        return False
    for other in (*args[1:], *kwargs.values()):
        if isinstance(other, Tensor):
            if (
                other.shape != first.shape
                or other.dtype != first.dtype
                or not other.is_meta
                or other.stride() != first.stride()
            ):
                return False
        elif not (other is None or isinstance(other, (bool, int, float, str))):
            return False
    return _dense(first) or _spread(first)


def _spread(tensor: Tensor) -> bool:
    """Expanded over its last dimensions, as the gradient of a mean over them is."""
    expected, spread = 1, True
    for size, step in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        if spread and step == 0:
            continue
        spread = False
        if step != expected:
            return False
        expected *= size
    return True


def _dense(tensor: Tensor) -> bool:
    return tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)


def _alike(args: Args, kwargs: dict[str, Any]) -> Any:
    if not _all_alike(args, kwargs):
        return NotImplemented
    return _empty_like(args[0]) if _dense(args[0]) else _new_empty(args[0], args[0].shape)


def _in_place(args: Args, kwargs: dict[str, Any]) -> Any:
    return args[0] if _all_alike(args, kwargs) else NotImplemented


def _batch_norm(args: Args, kwargs: dict[str, Any]) -> Any:
    x, weight = args[:2]
    if not x.is_meta or weight is None or not _dense(x):
        return NotImplemented
    return _empty_like(x), _empty_like(weight), _empty_like(weight)


def _batch_norm_backward(args: Args, kwargs: dict[str, Any]) -> Any:
    x, weight, wanted = args[1], args[2], args[9]
    if not x.is_meta or weight is None or not _dense(x):
        return NotImplemented
    return (
        _empty_like(x) if wanted[0] else None,
        _empty_like(weight) if wanted[1] else None,
        _empty_like(weight) if wanted[2] else None,
    )


def _convolution(args: Args, kwargs: dict[str, Any]) -> Any:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args[:9]
    if not (x.is_meta and weight.is_meta) or transposed or x.dim() != weight.dim():
        return NotImplemented
    kernel = weight.shape[2:]
    fits = (
        x.shape[1] == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
        and x.dtype == weight.dtype
        and (bias is None or (bias.shape == weight.shape[:1] and bias.dtype == x.dtype))
        and x.is_contiguous()
        and weight.is_contiguous()
        and len(stride) == len(padding) == len(dilation) == len(kernel)
    )
    if not fits:
        return NotImplemented  # torch says what is wrong
    out = [
        _windows(*sizes)
        for sizes in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    return _new_empty(x, [x.shape[0], weight.shape[0], *out]) if min(out) > 0 else NotImplemented


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _convolution_backward(args: Args, kwargs: dict[str, Any]) -> Any:
    grad, x, weight, bias_sizes, *_, wanted = args[:11]
    if not (x.is_contiguous() and weight.is_contiguous() and grad.is_meta and x.is_meta):
        return NotImplemented
    return (
        _empty_like(x) if wanted[0] else None,
        _empty_like(weight) if wanted[1] else None,
        _new_empty(grad, list(bias_sizes)) if wanted[2] else None,
    )


def _max_pool(args: Args, kwargs: dict[str, Any]) -> Any:
    x, kernel, stride, padding, dilation, ceil = (*args, *([0], [1], False)[len(args) - 3 :])[:6]
    plain = x.is_meta and x.dim() == 4 and x.is_contiguous() and not ceil
    if not plain or kwargs or any(len(sizes) != 2 for sizes in (kernel, stride)):
        return NotImplemented
    both = [list(sizes) * (2 // len(sizes)) for sizes in (kernel, stride, padding, dilation)]
    out = [_windows(*sizes) for sizes in zip(x.shape[2:], *both, strict=True)]
    if min(out) < 1:
        return NotImplemented
    shape = [*x.shape[:2], *out]
    return _new_empty(x, shape), _new_empty(x, shape, dtype=torch.int64)


def _max_pool_backward(args: Args, kwargs: dict[str, Any]) -> Any:
    x = args[1]
    return _empty_like(x) if x.is_meta and x.is_contiguous() else NotImplemented


def _mean(args: Args, kwargs: dict[str, Any]) -> Any:
    x, dims, keep = (*args, *(None, False)[len(args) - 1 :])[:3]
    if not x.is_meta or kwargs or not dims or not x.dtype.is_floating_point or len(args) > 3:
        return NotImplemented
    gone = {dim % x.dim() for dim in dims}
    kept = [1 if at in gone else size for at, size in enumerate(x.shape) if keep or at not in gone]
    return _new_empty(x, kept)


def _mm(args: Args, kwargs: dict[str, Any]) -> Any:
    return _product(*args) if len(args) == 2 and not kwargs else NotImplemented


def _addmm(args: Args, kwargs: dict[str, Any]) -> Any:
    if len(args) != 3 or kwargs or args[0].shape != args[2].shape[1:]:
        return NotImplemented
    return _product(*args[1:]) if args[0].dtype == args[1].dtype else NotImplemented


def _product(a: Tensor, b: Tensor) -> Any:
    """Of two matrices, or of two stacks of as many."""
    fits = a.is_meta and b.is_meta and a.dtype == b.dtype and a.dim() == b.dim()
    if not fits or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        return NotImplemented
    return _new_empty(a, [*a.shape[:-1], b.shape[-1]])


def _softmax(args: Args, kwargs: dict[str, Any]) -> Any:
    x, _, widen = args
    return _empty_like(x) if x.is_meta and _dense(x) and not widen else NotImplemented


def _softmax_backward(args: Args, kwargs: dict[str, Any]) -> Any:
    grad, out, _, dtype = args
    alike = grad.is_meta and grad.shape == out.shape and grad.dtype == out.dtype == dtype
    return _empty_like(grad) if alike and _dense(grad) else NotImplemented


def _nll(args: Args, kwargs: dict[str, Any]) -> Any:
    x, target, _, reduction = args[:4]
    if not x.is_meta or reduction == 0 or x.dim() != 2 or target.shape != x.shape[:1]:
        return NotImplemented
    return _new_empty(x, []), _new_empty(x, [])


def _nll_backward(args: Args, kwargs: dict[str, Any]) -> Any:
    x = args[1]
    return _empty_like(x) if x.is_meta and _dense(x) else NotImplemented


_OTHERS: dict[str, Shortcut] = {
    "mean": _mean,
    "nll_loss_forward": _nll,
    "nll_loss_backward": _nll_backward,
    "mm": _mm,
    "bmm": _mm,
    "addmm": _addmm,
    "_softmax": _softmax,
    "_log_softmax": _softmax,
    "_softmax_backward_data": _softmax_backward,
    "_log_softmax_backward_data": _softmax_backward,
    "native_batch_norm": _batch_norm,
    "native_batch_norm_backward": _batch_norm_backward,
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "max_pool2d_with_indices": _max_pool,
    "max_pool2d_with_indices_backward": _max_pool_backward,
}
