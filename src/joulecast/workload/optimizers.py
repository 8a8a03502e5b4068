"""What the step of an optimizer costs, by formula; it is not run.

On a GPU, PyTorch runs optimizers over lists of parameters (`foreach`): each arithmetic step is one
operation over all parameters, in launches of limited size. On a CPU each parameter has its own
operations.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from ..errors import UsageError
from .model import Op, OperatorKind, Phase


class _Pass(NamedTuple):
    """One arithmetic step: tensors read and written, FLOPs per element."""

    tensors: int
    flops: int


class _Method(NamedTuple):
    """Tensors per parameter in an optimizer's state and during a step, and its passes."""

    state: int
    scratch: int
    passes: tuple[_Pass, ...]


# As in torch.optim's _multi_tensor_sgd, _multi_tensor_adam and _multi_tensor_adamw with their
# defaults (torch 2.13); a pass reads its operands and writes its result. Those of Adam are
# m = lerp(m, g), v *= beta2, v += (1 - beta2) g g, sqrt(v), / bias correction, + eps, and
# p -= step m / denominator; AdamW begins with p *= 1 - rate x decay.
_ADAM = (
    *(_Pass(3, 3), _Pass(2, 1), _Pass(3, 3)),
    *(_Pass(2, 1), _Pass(2, 1), _Pass(2, 1)),
    _Pass(4, 3),
)
_METHODS = {
    "sgd": _Method(0, 0, (_Pass(3, 2),)),
    "momentum": _Method(1, 0, (_Pass(2, 1), _Pass(3, 1), _Pass(3, 2))),
    "adam": _Method(2, 1, _ADAM),
    "adamw": _Method(2, 1, (_Pass(2, 1), *_ADAM)),
}
NAMES = (*_METHODS, "none")

# aten/src/ATen/native/cuda/MultiTensorApply.cuh: a launch takes at most 320 chunks of 65,536
# elements, and fewer tensors the more operands there are.
_CHUNK, _CHUNKS = 65_536, 320
_TENSORS = {1: 110, 2: 64, 3: 48, 4: 36, 5: 30}

# The gradient scaler of fp16 reads every gradient, writes it unscaled, and checks for infinities.
_UNSCALE = _Pass(2, 2)


@dataclass(frozen=True, slots=True)
class OptimizerStep:
    """Step of an optimizer: its kernels, and the memory of its state and during the step, bytes."""

    ops: tuple[Op, ...]
    state_bytes: float
    scratch_bytes: float


def optimizer_named(name: str | None) -> str | None:
    """The optimizer's name, None for none. Raises `UsageError` for an unknown one."""
    if name is None or name.lower() == "none":
        return None
    if name.lower() not in _METHODS:
        raise UsageError(f"unknown optimizer {name!r}: choose one of {', '.join(NAMES)}")
    return name.lower()


def step(
    name: str | None,
    sizes: Sequence[int],
    element: int,
    unscale: bool = False,
    one_by_one: bool = False,
) -> OptimizerStep:
    """The step of an optimizer over parameters of `sizes` elements of `element` bytes each.

    `unscale` adds the gradient scaler of fp16 mixed precision; `one_by_one` is for a CPU. A fused
    optimizer (`fused=True`) would need only one pass.
    """
    total = float(sum(sizes))
    if not total or name is None:
        return OptimizerStep((), 0.0, 0.0)
    method = _METHODS[name]
    passes = (_UNSCALE, *method.passes) if unscale else method.passes
    dtype = {8: "fp64", 2: "bf16"}.get(element, "fp32")
    kind, phase = OperatorKind.OPTIMIZER, Phase.OPTIMIZER
    ops = []
    for tensors, flops in passes:
        launches: dict[float, int] = Counter(map(float, sizes))
        if not one_by_one:
            count = _launches(sizes, tensors)
            launches = {total / count: count}
        for size, count in launches.items():
            moved = tensors * size * element
            ops.append(Op(kind, phase, flops * size, moved, dtype, count=count))
    parameter_bytes = total * element
    return OptimizerStep(
        tuple(ops), method.state * parameter_bytes, method.scratch * parameter_bytes
    )


def _launches(sizes: Sequence[int], tensors: int) -> int:
    # An approximation: a result in place needs no slot of its own.
    by_tensors = ceil(len(sizes) / _TENSORS[max(1, tensors - 1)])
    by_chunks = ceil(sum(ceil(size / _CHUNK) for size in sizes) / _CHUNKS)
    return max(1, by_tensors, by_chunks)
