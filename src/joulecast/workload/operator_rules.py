"""What each ATen operator costs: its kernels, from its arguments.

Products of matrices and convolutions are counted as in `torch.utils.flop_counter`, whose formula is
used for operators without a rule here (fused attention). Two of its counts are corrected: the
backward pass of grouped convolutions, and attention on the CPU. Normalization, softmax and pooling
are counted as in fvcore, other elementwise operators with one FLOP per element.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from .kernels import Kernel, attention, convolution, dtype_of, matmul, size_of
from .model import OperatorKind
from .operator_names import operators

# FLOPs per element: mean, variance, subtract, scale, shift; and of their gradients.
NORM_FLOPS, NORM_BACKWARD_FLOPS = 5, 10
SOFTMAX_FLOPS, SOFTMAX_BACKWARD_FLOPS = 5, 4

Args = tuple[Any, ...]
Rule = Callable[[Args, dict[str, Any], Any], list[Kernel]]


def _moved(args: Args, out: Any) -> float:
    return size_of(args) + size_of(out)


def _product_of(first: int) -> Rule:
    """A product of two matrices, or two stacks of them: the argument at `first` and the next."""

    def rule(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
        a, b = args[first : first + 2]
        *lead, m, k = a.shape
        return [matmul(prod(lead), m, b.shape[-1], k, _moved(args, out), dtype_of(a))]

    return rule


def _mv(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    a = next(arg for arg in args if isinstance(arg, Tensor) and arg.dim() == 2)
    return [matmul(1, a.shape[0], 1, a.shape[1], _moved(args, out), dtype_of(a))]


def _dot(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    return [matmul(1, 1, 1, args[0].shape[0], _moved(args, out), dtype_of(args[0]))]


def _linear(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    x, w = args[:2]
    rows = prod(x.shape[:-1])
    return [matmul(1, rows, w.shape[0], w.shape[1], _moved(args, out), dtype_of(x))]


def _trilinear(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """The products of three tensors that bilinear layers consist of, forward and backward.

    torch takes slices of one dimension: it multiplies the first two tensors, then their product and
    the third, and sums each over the dimensions that no later tensor has.
    """
    factors, (*expanded, summed) = args[:3], args[3:7]
    sliced = args[7] if len(args) > 7 else kwargs.get("unroll_dim", 1)
    sizes = [_sizes_at(x, missing) for x, missing in zip(factors, expanded, strict=True)]
    count = max(size.pop(sliced, 1) for size in sizes)
    kernels = []
    left = sizes[0]
    for right, later in zip(sizes[1:], (sizes[2], {}), strict=True):
        gone = {at for at in summed if at in left | right and at not in later}
        kernels.append(replace(_product(left, right, gone, factors[0]), count=count))
        left = {at: size for at, size in (left | right).items() if at not in gone}
    return kernels


def _sizes_at(x: Tensor, missing: Sequence[int]) -> dict[int, int]:
    """Sizes of a tensor by dimension, where some dimensions are missing."""
    dimensions = [at for at in range(x.dim() + len(missing)) if at not in missing]
    return dict(zip(dimensions, x.shape, strict=True))


def _product(left: dict[int, int], right: dict[int, int], gone: set[int], like: Tensor) -> Kernel:
    """A product of two tensors by their sizes at each dimension, summed over those in `gone`."""
    sizes = left | right

    def elements(dimensions: set[int]) -> int:
        return prod(sizes[at] for at in dimensions)

    out = elements(sizes.keys() - gone)
    moved = float(like.element_size() * (prod(left.values()) + prod(right.values()) + out))
    if not gone:
        return Kernel(OperatorKind.ELEMENTWISE, float(out), moved, dtype_of(like))
    b = elements((left.keys() & right.keys()) - gone)
    m = elements(left.keys() - right.keys() - gone)
    n = elements(right.keys() - left.keys() - gone)
    return matmul(b, m, n, elements(gone), moved, dtype_of(like))


def _conv(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    x, w, _, stride, _, _, transposed, _, groups = args[:9]
    kind, flops, shape = convolution(x, w, out, stride, transposed, groups)
    return [Kernel(kind, flops, _moved(args, out), dtype_of(x), shape)]


def _conv_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """The gradients of a convolution; of input and weight each takes the FLOPs of the forward."""
    grad, x, w, _, stride, _, _, transposed, _, groups, wanted = args[:11]
    kind, flops, shape = convolution(x, w, grad, stride, transposed, groups)
    dtype = dtype_of(grad)
    kernels = [
        Kernel(kind, flops, size_of((grad, w, out[0])), dtype, shape),
        Kernel(kind, flops, size_of((grad, x, out[1])), dtype, shape),
        Kernel(OperatorKind.ELEMENTWISE, float(grad.numel()), size_of((grad, out[2])), dtype),
    ]
    return [kernel for kernel, needed in zip(kernels, wanted, strict=True) if needed]


def _cpu_attention(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    causal = bool(kwargs.get("is_causal", args[4] if len(args) > 4 else False))
    query, key, value = args[:3]
    return [attention(query, key, value, causal, size_of((query, key, value, out)))]


def _cpu_attention_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    grad, query, key, value, result, _, _, causal = args[:8]
    moved = size_of((grad, query, key, value, result, out))
    return [attention(query, key, value, bool(causal), moved, products=5)]


def _per_element(kind: OperatorKind, flops: float, source: int | None = None) -> Rule:
    """`flops` for each element of the output, or of the argument at `source`."""

    def rule(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
        counted = _tensors(args[source] if source is not None else out)[:1]
        elements = sum(tensor.numel() for tensor in counted)
        moved = size_of(args) + size_of(list(kwargs.values())) + size_of(out)
        return [Kernel(kind, flops * elements, moved, dtype_of(*args, out))]

    return rule


def _batch_norm(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    x, weight = args[:2]
    # The statistics that it writes are counted in the type of its weights.
    written = (out[0], weight, weight) if weight is not None else out
    moved = size_of(args) + size_of(written)
    return [_over_batch(x, NORM_FLOPS * x.numel(), moved)]


def _batch_norm_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    gradient = _tensors(out)[0]
    return [_over_batch(args[1], NORM_BACKWARD_FLOPS * gradient.numel(), _moved(args, out))]


def _over_batch(x: Tensor, flops: float, moved: float) -> Kernel:
    """Normalization over the batch: (batch, channels, positions) are its sizes."""
    shape = (x.shape[0], x.shape[1], prod(x.shape[2:]))
    return Kernel(OperatorKind.NORM, float(flops), moved, dtype_of(x), shape)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _window(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """Pooling over a window: one FLOP per element of each window."""
    result = _tensors(out)[0]
    window = args[1] if len(args) > 1 else kwargs.get("kernel_size", ())
    sizes = window if isinstance(window, (list, tuple)) else (window,)
    dims = result.dim() - 2
    area = prod(sizes) if len(sizes) > 1 else sizes[0] ** max(1, dims) if sizes else 1
    return [
        Kernel(
            OperatorKind.POOL, float(result.numel() * area), _moved(args, out), dtype_of(args[0])
        )
    ]


def _pool_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    # The input itself is not read.
    indices = [arg for arg in args if isinstance(arg, Tensor) and arg.dtype == torch.int64]
    moved = size_of((args[0], indices, out))
    return [Kernel(OperatorKind.POOL, float(args[0].numel()), moved, dtype_of(args[0]))]


def _gather(kind: OperatorKind) -> Rule:
    """It reads the elements that it writes, and the indices."""

    def rule(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
        return [Kernel(kind, 0.0, size_of(args[1:]) + 2 * size_of(out), dtype_of(args[0]))]

    return rule


def _embedding_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    grad = args[0]
    return [Kernel(OperatorKind.EMBEDDING, float(grad.numel()), _moved(args, out), dtype_of(grad))]


def _embedding_bag(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    weight, indices = args[:2]
    rows = float(indices.numel() * weight.shape[1])
    moved = rows * weight.element_size() + size_of(indices) + size_of(out[0])
    return [Kernel(OperatorKind.EMBEDDING, rows, moved, dtype_of(weight))]


def _scatter(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """In place: it reads source and indices, and reads and writes that much of the target."""
    source = max(_tensors(args[1:]), key=size_of, default=None)
    moved = size_of(args[1:]) + 2 * (size_of(source) if source is not None else size_of(out))
    return [Kernel(OperatorKind.MOVE, 0.0, moved, dtype_of(args[0]))]


def _nll(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    target = args[1]
    moved = size_of(target) + float(target.numel() * args[0].element_size()) + size_of(out)
    return [Kernel(OperatorKind.ELEMENTWISE, float(target.numel()), moved, dtype_of(args[0]))]


def _nll_backward(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    moved = size_of((args[0], args[2], out))
    return [Kernel(OperatorKind.ELEMENTWISE, float(args[2].numel()), moved, dtype_of(args[0]))]


def _move(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    return [Kernel(OperatorKind.MOVE, 0.0, _moved(args, out), dtype_of(*args, out))]


def _copy(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """In place: it does not read the target."""
    return [Kernel(OperatorKind.MOVE, 0.0, _moved(args[1:], out), dtype_of(out))]


def _fill(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    return [Kernel(OperatorKind.MOVE, 0.0, size_of(out), dtype_of(out))]


def _draw(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
    """Random numbers, one for each element."""
    drawn = float(sum(tensor.numel() for tensor in _tensors(out)))
    return [Kernel(OperatorKind.MOVE, 0.0, size_of(out), dtype_of(out), draws=drawn)]


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("mm", "bmm", "_int_mm", "_scaled_mm"), _product_of(0)),
    **dict.fromkeys(("addmm", "_addmm_activation", "baddbmm", "addbmm"), _product_of(1)),
    **dict.fromkeys(("mv", "addmv"), _mv),
    **dict.fromkeys(("dot", "vdot"), _dot),
    **dict.fromkeys(("linear", "mkldnn_linear"), _linear),
    "_trilinear": _trilinear,
    **dict.fromkeys(("convolution", "_convolution", "convolution_overrideable"), _conv),
    "convolution_backward": _conv_backward,
    "_scaled_dot_product_flash_attention_for_cpu": _cpu_attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _cpu_attention_backward,
    **dict.fromkeys(operators("softmax"), _per_element(OperatorKind.SOFTMAX, SOFTMAX_FLOPS)),
    **dict.fromkeys(
        operators("softmax_backwards"), _per_element(OperatorKind.SOFTMAX, SOFTMAX_BACKWARD_FLOPS)
    ),
    **dict.fromkeys(operators("adaptive_pools"), _per_element(OperatorKind.POOL, 1, source=0)),
    "embedding": _gather(OperatorKind.EMBEDDING),
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
    **dict.fromkeys(operators("embedding_backwards"), _embedding_backward),
    **dict.fromkeys(operators("gathers"), _gather(OperatorKind.MOVE)),
    "copy_": _copy,
    **dict.fromkeys(("nll_loss_forward", "nll_loss2d_forward"), _nll),
    **dict.fromkeys(("nll_loss_backward", "nll_loss2d_backward"), _nll_backward),
    **dict.fromkeys(operators("moves"), _move),
    **dict.fromkeys(operators("fills"), _fill),
    **dict.fromkeys(operators("scatters"), _scatter),
    **dict.fromkeys(operators("elementwise"), _per_element(OperatorKind.ELEMENTWISE, 1)),
    **dict.fromkeys(operators("reductions"), _per_element(OperatorKind.ELEMENTWISE, 1, source=0)),
    **dict.fromkeys(operators("norms"), _per_element(OperatorKind.NORM, NORM_FLOPS)),
    **dict.fromkeys(
        operators("norm_backwards"), _per_element(OperatorKind.NORM, NORM_BACKWARD_FLOPS)
    ),
    **dict.fromkeys(operators("batch_norms"), _batch_norm),
    **dict.fromkeys(operators("batch_norm_backwards"), _batch_norm_backward),
    **{
        f"{name}{d}": _window
        for name in ("max_pool", "avg_pool")
        for d in ("1d", "2d", "3d", "2d_with_indices", "3d_with_indices")
    },
    **dict.fromkeys(operators("pool_backwards"), _pool_backward),
}

_POINTWISE = _per_element(OperatorKind.ELEMENTWISE, 1)


def _registered(formula: Callable[..., Any], kind: OperatorKind) -> Rule:
    """The formula of torch's own counter."""

    def rule(args: Args, kwargs: dict[str, Any], out: Any) -> list[Kernel]:
        flops = float(formula(*args, **kwargs, out_val=out))
        return [Kernel(kind, flops, _moved(args, out), dtype_of(*args))]

    return rule


def rule_of(operator: Any) -> Rule | None:
    """How to count an operator (a `torch._ops.OpOverload`); None where that is unknown.

    The rule of an operator that launches no kernel returns an empty list.
    """
    namespace, name = operator._schema.name.split("::")
    if operator.is_view or (namespace in ("aten", "prim") and name in operators("free")):
        return lambda args, kwargs, out: []
    if namespace == "aten":
        # An operator in place costs the same.
        rule = _RULES.get(name) or _RULES.get(name.removesuffix("_"))
        if rule is not None:
            return rule
        if torch.Tag.nondeterministic_seeded in operator.tags and "attention" not in name:
            return _draw
    if operator.overloadpacket in flop_registry:
        fused = "attention" in name or "attn" in name
        kind = OperatorKind.ATTENTION if fused else OperatorKind.MATMUL
        return _registered(flop_registry[operator.overloadpacket], kind)
    return _POINTWISE if torch.Tag.pointwise in operator.tags else None


def unknown(args: Args, out: Any) -> list[Kernel]:
    """The kernel of an operator without a rule: it moves its arguments and results."""
    return _move(args, {}, out)
