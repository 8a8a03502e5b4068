"""Operators that are one kernel on a device, but several on meta tensors.

Attention and recurrent layers are replaced by an autograd function that computes nothing: it
returns tensors of the right shape, keeps for the backward pass what the real kernel keeps, and
records what the kernel costs.
"""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .kernels import Kernel, attention, dtype_of, matmul, size_of
from .model import OperatorKind
from .operator_recorder import OperatorRecorder


def _gradients(tensors: Sequence[Tensor | None], wanted: Sequence[bool]) -> list[Tensor | None]:
    return [
        torch.zeros_like(tensor) if tensor is not None and needed else None
        for tensor, needed in zip(tensors, wanted, strict=True)
    ]


class _Attention(torch.autograd.Function):
    """Scaled dot-product attention as the fused kernels compute it (arXiv 2205.14135)."""

    @staticmethod
    def forward(
        ctx: Any,
        recorder: OperatorRecorder,
        causal: bool,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        with recorder.silence():
            out = query.new_zeros((*query.shape[:-1], value.shape[-1]))
            sums = query.new_zeros(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, mask, out, sums)
        ctx.recorder, ctx.causal = recorder, causal
        moved = size_of((query, key, value, mask, out, sums))
        recorder.add(attention(query, key, value, causal, moved))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        query, key, value, mask, out, sums = ctx.saved_tensors
        with ctx.recorder.silence():
            results = _gradients((query, key, value, mask), ctx.needs_input_grad[2:])
        moved = size_of((grads, query, key, value, mask, out, sums, results))
        ctx.recorder.add(attention(query, key, value, ctx.causal, moved, products=5))
        return (None, None, *results)


def scaled_dot_product_attention(
    recorder: OperatorRecorder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Replaces `torch.nn.functional.scaled_dot_product_attention`, with the same arguments.

    Raises `RuntimeError` where the shapes do not fit, as torch does.
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"attention: query {tuple(query.shape)}, key {tuple(key.shape)} and value "
            f"{tuple(value.shape)} do not fit"
        )
    # Leading dimensions are broadcast; with grouped queries, keys have fewer heads.
    if not enable_gqa:
        shapes = (query.shape[:-2], key.shape[:-2], value.shape[:-2])
        lead = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
        query = query.expand(*lead, *query.shape[-2:])
    out: Tensor = _Attention.apply(recorder, is_causal, query, key, value, attn_mask)  # type: ignore[no-untyped-call]
    return out


class _Spec(NamedTuple):
    """One call of a recurrent layer: sizes, and the weights of its cells in order.

    Attributes:
        gates: 4 for an LSTM, 3 for a GRU, 1 for a plain cell.
        batches: how many steps have how many sequences: several sizes only where they are packed.
        weights: width of the input and of the state of each cell.
        widths: width of the output of each cell (an LSTM may project its state).
        whole: a layer is one kernel, as in oneDNN.
    """

    recorder: OperatorRecorder
    gates: int
    batches: tuple[tuple[int, int], ...]
    weights: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]
    directions: int
    whole: bool

    @property
    def rows(self) -> int:
        """Inputs of all steps and sequences."""
        return sum(sequences * steps for sequences, steps in self.batches)


# FLOPs per element of the gates without the matrix products: sums, activations, products.
_POINTWISE_FLOPS = 4


def _cells(spec: _Spec, x: Tensor, backward: bool, of_input: bool = True) -> None:
    """Record what the cells of a call cost: one product for all inputs, then the steps."""
    dtype, unit = dtype_of(x), x.element_size()
    rows, g = spec.rows, spec.gates
    kernels: list[Kernel] = []

    def product(m: int, n: int, k: int, count: int = 1) -> None:
        moved = float(unit * (m * k + k * n + m * n))
        kernels.append(
            Kernel(OperatorKind.RECURRENT, 2.0 * m * n * k, moved, dtype, (1, m, n, k), count)
        )

    for cell, ((width, state), output) in enumerate(zip(spec.weights, spec.widths, strict=True)):
        gates = g * state
        if of_input or cell >= spec.directions:
            product(rows, gates, width)
        for b, t in spec.batches:
            product(b, gates, output, count=t)
            # The projection of the state.
            if output != state:
                product(b, output, state, count=t)
            flops, moved = _POINTWISE_FLOPS * float(b * gates), unit * 3.0 * b * gates
            kernels.append(
                Kernel(OperatorKind.RECURRENT, flops, moved, dtype, (), t, other_flops=flops)
            )
        # Above, the gradients of input and state; here those of their weights.
        if backward:
            product(gates, width, rows)
            product(gates, output, rows)
            if output != state:
                product(output, state, rows)
        for kernel in [_joined(kernels)] if spec.whole else kernels:
            spec.recorder.add(kernel)
        kernels.clear()


def _joined(kernels: Sequence[Kernel]) -> Kernel:
    """One kernel with the cost of all."""
    flops = sum(kernel.flops * kernel.count for kernel in kernels)
    moved = sum(kernel.bytes * kernel.count for kernel in kernels)
    other_flops = sum(kernel.other_flops * kernel.count for kernel in kernels)
    return Kernel(OperatorKind.RECURRENT, flops, moved, kernels[0].dtype, other_flops=other_flops)


class _Recurrent(torch.autograd.Function):
    """A recurrent layer as in cuDNN (arXiv 1604.01946)."""

    @staticmethod
    def forward(
        ctx: Any, spec: _Spec, out_shape: Any, states: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        _cells(spec, x, backward=False)
        # The gates of every step are kept, and the state of an LSTM.
        kept = spec.gates + (1 if spec.gates == 4 else 0)
        reserve = x.new_empty(spec.rows * kept * sum(s for _, s in spec.weights))
        ctx.save_for_backward(x, reserve, *rest)
        ctx.spec = spec
        with spec.recorder.silence():
            return (x.new_zeros(out_shape), *(torch.zeros_like(state) for state in rest[:states]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, _, *rest = ctx.saved_tensors
        wanted = ctx.needs_input_grad[3:]
        _cells(ctx.spec, x, backward=True, of_input=wanted[0])
        with ctx.spec.recorder.silence():
            return (None, None, None, *_gradients((x, *rest), wanted))


_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def recurrent(
    recorder: OperatorRecorder, name: str, *args: Any, whole: bool = False
) -> tuple[Tensor, ...]:
    """Replaces `torch.lstm`, `torch.gru`, `torch.rnn_tanh` and `torch.rnn_relu`.

    The arguments are the same; with `whole` each layer is counted as one kernel.
    """
    packed = isinstance(args[3], (list, tuple))
    if packed:
        # The data of all steps in a row, and the number of sequences at each step.
        x, sizes, states, parameters, _, layers, _, _, both = args[:9]
        batches = tuple(Counter(sizes.tolist()).items())
        lead: tuple[int, ...] = (x.shape[0],)
    else:
        x, states, parameters, _, layers, _, _, both, batch_first = args[:9]
        batches = ((x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0]),)
        lead = tuple(x.shape[:2])
    states = list(states) if isinstance(states, (list, tuple)) else [states]
    per_cell = len(parameters) // (layers * (2 if both else 1))
    gates = _GATES[name]
    inputs = list(parameters[::per_cell])
    expected = inputs[0].shape[1]
    if x.shape[-1] != expected:
        raise RuntimeError(f"{name}: expected inputs of width {expected}, got {x.shape[-1]}")
    weights = tuple((weight.shape[1], weight.shape[0] // gates) for weight in inputs)
    output = tuple(weight.shape[1] for weight in parameters[1::per_cell])
    spec = _Spec(recorder, gates, batches, weights, output, 2 if both else 1, whole)
    out_shape = (*lead, output[-1] * (2 if both else 1))
    result: tuple[Tensor, ...] = _Recurrent.apply(  # type: ignore[no-untyped-call]
        spec, out_shape, len(states), x, *states, *parameters
    )
    return result


class _GroupedMm(torch.autograd.Function):
    """Groups of rows of a matrix, each times a matrix of its own (a mixture of experts)."""

    @staticmethod
    def forward(ctx: Any, recorder: OperatorRecorder, rows: Tensor, matrices: Tensor) -> Tensor:
        ctx.save_for_backward(rows, matrices)
        ctx.recorder = recorder
        with recorder.silence():
            out = rows.new_zeros((rows.shape[0], matrices.shape[2]))
        _grouped(recorder, rows, matrices, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        rows, matrices = ctx.saved_tensors
        for wanted in ctx.needs_input_grad[1:]:
            # Each gradient takes the same products again.
            if wanted:
                _grouped(ctx.recorder, rows, matrices, grads[0])
        with ctx.recorder.silence():
            return (None, *_gradients((rows, matrices), ctx.needs_input_grad[1:]))


def _grouped(recorder: OperatorRecorder, rows: Tensor, matrices: Tensor, out: Tensor) -> None:
    (m, k), n = rows.shape, matrices.shape[2]
    recorder.add(matmul(1, m, n, k, size_of((rows, matrices, out)), dtype_of(rows)))


def by_expert(rows: Tensor, matrices: Tensor, *_: Any, **__: Any) -> bool:
    """Whether the arguments of a grouped product are rows and one matrix for each group."""
    return rows.dim() == 2 and matrices.dim() == 3


def grouped_mm(
    recorder: OperatorRecorder, rows: Tensor, matrices: Tensor, *_: Any, **__: Any
) -> Tensor:
    """Replaces `torch.nn.functional.grouped_mm`, which accepts only bf16 on meta."""
    out: Tensor = _GroupedMm.apply(recorder, rows, matrices)  # type: ignore[no-untyped-call]
    return out


def dropout(x: Tensor, p: float, train: bool) -> Tensor:
    """Replaces `torch.dropout`: one kernel of a GPU, with a mask of one byte per element."""
    if not train or p == 0 or prod(x.shape) == 0:
        return x
    return torch.native_dropout(x, p, train)[0]
