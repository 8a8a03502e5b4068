"""A workload as plain data: the operators of one step of a model, its layers, its memory."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ..result import Result


class OperatorKind(StrEnum):
    """Class of an operator: operators of one class reach similar speeds.

    MATMUL: linear layers and matrix products. DEPTHWISE: a convolution with as many groups as
    channels. ATTENTION: scaled dot products. ELEMENTWISE: activations, sums, dropout. MOVE: copies,
    concatenations, changes of layout.
    """

    MATMUL = "matmul"
    CONV = "conv"
    DEPTHWISE = "depthwise"
    ATTENTION = "attention"
    RECURRENT = "recurrent"
    NORM = "norm"
    POOL = "pool"
    SOFTMAX = "softmax"
    ELEMENTWISE = "elementwise"
    EMBEDDING = "embedding"
    MOVE = "move"
    OPTIMIZER = "optimizer"


# The classes made of multiply-adds, which tensor cores run.
MULTIPLYING = (
    OperatorKind.MATMUL,
    OperatorKind.CONV,
    OperatorKind.DEPTHWISE,
    OperatorKind.ATTENTION,
    OperatorKind.RECURRENT,
)


class Phase(StrEnum):
    """Part of a training step; inference has only the first."""

    FORWARD = "forward"
    BACKWARD = "backward"
    OPTIMIZER = "optimizer"


@dataclass(frozen=True, slots=True)
class Op:
    """One operator as one kernel runs it, on the whole batch.

    Attributes:
        kind: class of the operator.
        phase: part of the step.
        flops: floating-point operations of one launch; a multiply-add is two.
        bytes: minimum bytes that one launch reads and writes.
        dtype: type in which it computes: "fp32", "tf32", "bf16", "fp16", "int8", ...
        layer: name of the module that it belongs to.
        shape: the sizes that matter for its class: (b, m, n, k) of a matrix product;
            (n, c_in, h, w, c_out, k_h, k_w, stride, groups) of a convolution; (b x heads, queries,
            keys, width, width of values, causal) of attention; (n, c, positions) of a
            normalization over the batch; empty otherwise.
        count: kernels of this shape that a step launches.
        draws: random numbers drawn by one launch (dropout). A GPU draws them while it waits for
            its memory; a CPU does not.
        other_flops: the part of `flops` that is not multiply-adds, in a class made of them: biases,
            gates and states of recurrent cells.
    """

    kind: OperatorKind
    phase: Phase
    flops: float
    bytes: float
    dtype: str
    layer: str = ""
    shape: tuple[int, ...] = ()
    count: int = 1
    draws: float = 0.0
    other_flops: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One module that computes.

    Attributes:
        name: as in `nn.Module.named_modules`.
        type: class of the module: "Conv2d".
        parameters: its own, each counted in the first layer that uses it.
        forward_flops: of the forward pass, for the whole batch.
        backward_flops: of the backward pass.
        activation_bytes: what it keeps for the backward pass.
    """

    name: str
    type: str
    parameters: int
    forward_flops: float
    backward_flops: float
    activation_bytes: float


@dataclass(frozen=True, slots=True, repr=False)
class Workload(Result):
    """One step of a model on one batch: training (forward, backward, optimizer) or inference.

    Attributes:
        name: of the model.
        batch: samples per step.
        input_shape: of one sample.
        precision: "default", "fp32", "tf32", "bf16", "fp16" or "fp8", as `analyze` describes them.
        training: whether the step trains.
        optimizer: its name; None for none, and in inference.
        parameters: of the model.
        ops: every operator of the step.
        layers: every module that computes, in order of first use.
        weight_bytes: of parameters and buffers.
        gradient_bytes: of the gradients.
        optimizer_bytes: of the optimizer's state.
        activation_bytes: all that is kept for the backward pass.
        peak_bytes: maximum memory at any one time, without weights and optimizer state.
        notes: what was assumed or could not be counted, and why.
        views: tensors made that share another one's memory: they launch no kernel, but take time
            on a CPU.
        recomputed_flops: the part of the backward pass that repeats the forward pass (checkpoints).
        blocks: its repeated parts, one after the other: layers of a transformer.
        block_bytes: weights of the largest block.
        block_output_bytes: what a block passes on to the next; the largest.
    """

    SCHEMA: ClassVar[str] = "joulecast/workload/1"

    name: str
    batch: int
    input_shape: tuple[int, ...]
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
    peak_bytes: float = 0.0
    notes: tuple[str, ...] = ()
    views: int = 0
    recomputed_flops: float = 0.0
    blocks: int = 0
    block_bytes: float = 0.0
    block_output_bytes: float = 0.0

    def flops(self, phase: Phase | None = None, kind: OperatorKind | None = None) -> float:
        """FLOPs of a step; of one phase or one class of operators where given."""
        return sum(op.flops * op.count for op in self._of(phase, kind))

    def bytes(self, phase: Phase | None = None, kind: OperatorKind | None = None) -> float:
        """Minimum bytes that a step moves; of one phase or class of operators where given."""
        return sum(op.bytes * op.count for op in self._of(phase, kind))

    def launches(self, phase: Phase | None = None, kind: OperatorKind | None = None) -> int:
        """Kernels that a step launches; of one phase or class of operators where given."""
        return sum(op.count for op in self._of(phase, kind))

    @property
    def memory_bytes(self) -> float:
        """Minimum memory that a step needs on the device."""
        transient = max(self.peak_bytes, self.gradient_bytes + self.activation_bytes)
        return self.weight_bytes + self.optimizer_bytes + transient

    @property
    def macs(self) -> float:
        """Multiply-adds of the forward pass: products, convolutions, attention, recurrent cells.

        Divided by `batch`, this is what publications call the GMACs (often the GFLOPs) of a model.
        """
        forward = [op for op in self._of(Phase.FORWARD, None) if op.kind in MULTIPLYING]
        return sum((op.flops - op.other_flops) * op.count for op in forward) / 2

    def _of(self, phase: Phase | None, kind: OperatorKind | None) -> list[Op]:
        return [op for op in self.ops if phase in (None, op.phase) and kind in (None, op.kind)]
