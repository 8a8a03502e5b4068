"""A workload as plain data: what one step of a model does, operator by operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class OperatorKind(StrEnum):
    """Class of an operator: those of one class run alike."""

    MATMUL = "matmul"  # linear layers, and products of matrices
    CONV = "conv"
    DEPTHWISE = "depthwise"  # a convolution with as many groups as channels
    ATTENTION = "attention"  # scaled dot products
    RECURRENT = "recurrent"
    NORM = "norm"
    POOL = "pool"
    SOFTMAX = "softmax"
    ELEMENTWISE = "elementwise"  # activations, sums, dropout
    EMBEDDING = "embedding"
    MOVE = "move"  # copies, concatenations, changes of layout
    OPTIMIZER = "optimizer"


# Those made of multiply-adds, which tensor cores run.
MULTIPLYING = (
    OperatorKind.MATMUL,
    OperatorKind.CONV,
    OperatorKind.DEPTHWISE,
    OperatorKind.ATTENTION,
    OperatorKind.RECURRENT,
)


class Phase(StrEnum):
    """Part of a training step; inference has the first only."""

    FORWARD = "forward"
    BACKWARD = "backward"
    OPTIMIZER = "optimizer"


@dataclass(frozen=True, slots=True)
class Op:
    """One operator as one kernel runs it, of the whole batch.

    `flops` are floating-point operations (a multiply-add is two), `bytes` what it must read and
    write at least once, `count` how many kernels of this shape a step launches: `flops` and `bytes`
    are of one. `shape` are the sizes that matter for its class: (b, m, n, k) of a matrix product,
    (n, c_in, h, w, c_out, k_h, k_w, stride, groups) of a convolution, (n, c, positions) of a
    normalization over the batch; empty elsewhere. `draws` are
    random numbers drawn (dropout), which a GPU hides behind its memory and a CPU does not. `aside`
    are those of the FLOPs that are no multiply-adds in a class that is made of them: biases, gates
    and states of recurrent cells.
    """

    kind: OperatorKind
    phase: Phase
    flops: float
    bytes: float
    dtype: str  # "fp32", "tf32", "bf16", "fp16", "int8": in which it computes
    layer: str = ""  # name of the module it belongs to
    shape: tuple[int, ...] = ()
    count: int = 1
    draws: float = 0.0
    aside: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One module that computes: parameters of its own, forward and backward FLOPs, activations."""

    name: str
    type: str  # of the module: "Conv2d"
    parameters: int
    forward_flops: float
    backward_flops: float
    activation_bytes: float  # kept for the backward pass


@dataclass(frozen=True, slots=True)
class Workload:
    """One step of a model on one batch: training (forward, backward, optimizer) or inference.

    Memory is in bytes: `weight_bytes`, `gradient_bytes`, `optimizer_bytes` stay, `activation_bytes`
    are those kept for the backward pass at their height.
    """

    name: str
    batch: int
    input_shape: tuple[int, ...]  # of one sample
    precision: str
    training: bool
    optimizer: str | None
    parameters: int
    ops: tuple[Op, ...]
    layers: tuple[Layer, ...]
    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float
    activation_bytes: float
    peak_bytes: float = 0.0  # height of all but weights and optimizer state, at any one time
    notes: tuple[str, ...] = field(default=())  # what could not be counted, and why
    views: int = 0  # descriptions of memory made anew: no kernels, but time of a CPU

    def flops(self, phase: Phase | None = None, kind: OperatorKind | None = None) -> float:
        """FLOPs of a step, of one phase or class of operators if named."""
        return _total(((op.flops, op) for op in self.ops), phase, kind)

    def bytes(self, phase: Phase | None = None, kind: OperatorKind | None = None) -> float:
        """Bytes a step moves at least, of one phase or class of operators if named."""
        return _total(((op.bytes, op) for op in self.ops), phase, kind)

    @property
    def launches(self) -> int:
        """Kernels a step launches."""
        return sum(op.count for op in self.ops)

    @property
    def memory_bytes(self) -> float:
        """What it takes at least on the device."""
        passing = max(self.peak_bytes, self.gradient_bytes + self.activation_bytes)
        return self.weight_bytes + self.optimizer_bytes + passing

    @property
    def macs(self) -> float:
        """Multiply-adds of the forward pass: products, convolutions, attention, recurrent cells.

        This is what publications call the GMACs (often the GFLOPs) of a model, of the whole batch.
        """
        forward = [op for op in self.ops if op.phase is Phase.FORWARD and op.kind in MULTIPLYING]
        return sum((op.flops - op.aside) * op.count for op in forward) / 2


def _total(
    amounts: Iterable[tuple[float, Op]], phase: Phase | None, kind: OperatorKind | None
) -> float:
    return sum(
        amount * op.count
        for amount, op in amounts
        if phase in (None, op.phase) and kind in (None, op.kind)
    )
