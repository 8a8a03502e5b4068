"""What a kernel costs, from the sizes of its tensors: FLOPs, bytes, class.

A multiply-add is two FLOPs. Bytes are a minimum: each distinct element of the inputs is read once,
and the output is written once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from .model import OperatorKind

_DTYPES = {
    torch.float32: "fp32",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.float64: "fp64",
    torch.int8: "int8",
    torch.uint8: "int8",
}


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel, launched `count` times: a `model.Op` without phase and layer."""

    kind: OperatorKind
    flops: float
    bytes: float
    dtype: str
    shape: tuple[int, ...] = ()
    count: int = 1
    draws: float = 0.0
    other_flops: float = 0.0


def size_of(value: Any) -> float:
    """Bytes of the distinct elements of a tensor, or of all tensors in nested sequences.

    An expanded dimension (stride 0) is read once.
    """
    if isinstance(value, Tensor):
        if value.layout is not torch.strided:
            return float(value.numel() * value.element_size())
        sizes = zip(value.shape, value.stride(), strict=True)
        return prod(n for n, step in sizes if step or n == 0) * float(value.element_size())
    if isinstance(value, (list, tuple)):
        return sum(size_of(item) for item in value)
    return 0.0


def dtype_of(*tensors: Any) -> str:
    """Name of the first floating-point type among tensors ("bf16"); "fp32" where there is none."""
    for tensor in tensors:
        if isinstance(tensor, (list, tuple)):
            dtype = dtype_of(*tensor)
            if dtype != "fp32":
                return dtype
        elif isinstance(tensor, Tensor) and tensor.dtype.is_floating_point:
            # There are several 8-bit types, of the same cost.
            return _DTYPES.get(tensor.dtype, "fp8" if tensor.element_size() == 1 else "fp32")
    return "fp32"


def matmul(b: int, m: int, n: int, k: int, moved: float, dtype: str) -> Kernel:
    """b products of (m, k) by (k, n): 2 b m n k FLOPs."""
    return Kernel(OperatorKind.MATMUL, 2.0 * b * m * n * k, moved, dtype, (b, m, n, k))


def convolution(
    x: Tensor, w: Tensor, out: Tensor, stride: Sequence[int], transposed: bool, groups: int
) -> tuple[OperatorKind, float, tuple[int, ...]]:
    """Class, FLOPs and sizes of a convolution of any dimension.

    It takes 2 x batch x positions x kernel x channels in x channels out / groups FLOPs, where
    positions are those of the output; of the input if it is transposed. In the sizes, a missing
    height is 1, and the depth of a 3d convolution is multiplied into the height.
    """
    c_in, c_out = x.shape[1], out.shape[1]
    area = prod(w.shape[2:])
    positions = prod((x if transposed else out).shape[2:])
    flops = 2.0 * x.shape[0] * positions * area * c_in * c_out / groups
    kind = OperatorKind.DEPTHWISE if groups > 1 and groups == c_in else OperatorKind.CONV
    h, width = _plane(x.shape[2:])
    k_h, k_w = _plane(w.shape[2:])
    step = stride[-1] if stride else 1
    return kind, flops, (x.shape[0], c_in, h, width, c_out, k_h, k_w, step, groups)


def _plane(sizes: Sequence[int]) -> tuple[int, int]:
    return prod(sizes[:-1]), sizes[-1] if sizes else 1


def attended(queries: int, keys: int, causal: bool) -> float:
    """Number of pairs of query and key for which attention is computed.

    A causal kernel skips later keys; its mask begins at the top left, as in
    `scaled_dot_product_attention`.
    """
    if not causal:
        return float(queries * keys)
    full = max(0, queries - keys)
    within = queries - full
    return within * (within + 1) / 2 + float(full * keys)


def attention(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, moved: float, products: int = 2
) -> Kernel:
    """A fused attention kernel: `products` of the size of query x key.

    There are two forward (scores, weighted sum), and five backward, because the scores are computed
    again (Dao, arXiv 2307.08691).
    """
    *lead, queries, width = query.shape
    keys, out_width = value.shape[-2:]
    pairs = attended(queries, keys, causal) * prod(lead)
    # Of the five, three have the width of queries and keys, two that of values.
    wide = width + out_width if products == 2 else 3 * width + 2 * out_width
    shape = (prod(lead), queries, keys, width, out_width, int(causal))
    return Kernel(OperatorKind.ATTENTION, 2.0 * pairs * wide, moved, dtype_of(query), shape)
