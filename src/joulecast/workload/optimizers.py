"""What the step of an optimizer costs, by formula: it is never run.

PyTorch runs optimizers over lists of parameters (`foreach`, its default on a GPU): each arithmetic
step is one operation over all parameters, in launches of bounded size. On a CPU it goes from one
parameter to the next: as many operations for each of them.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class _Rule:
    state: int  # tensors kept per parameter
    scratch: int  # tensors that live during the step
    passes: tuple[_Pass, ...]


# As torch.optim's _multi_tensor_sgd, _multi_tensor_adam and _multi_tensor_adamw do with their
# defaults (torch 2.13); a pass reads its operands and writes its result.
_ADAM = (
    _Pass(3, 3),  # first moment: lerp(m, g)
    _Pass(2, 1),  # second moment: v *= beta2
    _Pass(3, 3),  # v += (1 - beta2) g g
    _Pass(2, 1),  # sqrt(v)
    _Pass(2, 1),  # / bias correction
    _Pass(2, 1),  # + eps
    _Pass(4, 3),  # p -= step m / denominator
)
_RULES = {
    "sgd": _Rule(0, 0, (_Pass(3, 2),)),
    "momentum": _Rule(1, 0, (_Pass(2, 1), _Pass(3, 1), _Pass(3, 2))),
    "adam": _Rule(2, 1, _ADAM),
    "adamw": _Rule(2, 1, (_Pass(2, 1), *_ADAM)),  # weight decay: p *= 1 - rate x decay
}
NAMES = (*_RULES, "none")

# aten/src/ATen/native/cuda/MultiTensorApply.cuh: a launch takes at most 320 chunks of 65,536
# elements, and fewer tensors the more operands there are.
_CHUNK, _CHUNKS = 65_536, 320
_TENSORS = {1: 110, 2: 64, 3: 48, 4: 36, 5: 30}

# The gradient scaler of fp16 reads every gradient, writes it unscaled, and looks for infinities.
_UNSCALE = _Pass(2, 2)


@dataclass(frozen=True, slots=True)
class OptimizerStep:
    """Step of an optimizer: its kernels, and the memory it keeps and needs besides, in bytes."""

    ops: tuple[Op, ...]
    state_bytes: float
    scratch_bytes: float


def optimizer_named(name: str | None) -> str | None:
    """The optimizer's name as counted, `None` for none. Raises `UsageError` for an unknown one."""
    if name is None or name.lower() == "none":
        return None
    if name.lower() not in _RULES:
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

    `unscale` adds the gradient scaler of fp16 mixed precision; `one_by_one` is how it is done on a
    CPU. A fused optimizer (`fused=True`) would do with one pass.
    """
    rule = _RULES[name] if name is not None else _Rule(0, 0, ())
    total = float(sum(sizes))
    if not total:
        return OptimizerStep((), 0.0, 0.0)
    passes = (_UNSCALE, *rule.passes) if unscale and name is not None else rule.passes
    dtype = {8: "fp64", 2: "bf16"}.get(element, "fp32")
    ops = []
    for tensors, flops in passes:
        if one_by_one:
            ops += [
                _op(flops, tensors, float(size), element, dtype, count)
                for size, count in Counter(sizes).items()
            ]
            continue
        count = _launches(sizes, tensors)
        ops.append(_op(flops, tensors, total / count, element, dtype, count))
    return OptimizerStep(tuple(ops), rule.state * total * element, rule.scratch * total * element)


def _op(flops: int, tensors: int, size: float, element: int, dtype: str, count: int) -> Op:
    moved = tensors * size * element
    return Op(OperatorKind.OPTIMIZER, Phase.OPTIMIZER, flops * size, moved, dtype, "", (), count)


def _launches(sizes: Sequence[int], tensors: int) -> int:
    # Written results share the operand's slot where they are in place; near enough by operands.
    by_tensors = ceil(len(sizes) / _TENSORS[max(1, tensors - 1)])
    by_chunks = ceil(sum(ceil(size / _CHUNK) for size in sizes) / _CHUNKS)
    return max(1, by_tensors, by_chunks)
