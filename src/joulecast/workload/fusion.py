"""A step as `torch.compile` runs it: chains of elementwise operators in one kernel each.

Ansel et al., "PyTorch 2", doi:10.1145/3620665.3640366: products and convolutions stay what they
are, and what is between them becomes one kernel, which reads its inputs and writes its results
once.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from .model import Op, OperatorKind, Phase, Workload

# What is fused. A normalization or softmax ends in the same kernel as what is around it.
_FUSED = (OperatorKind.ELEMENTWISE, OperatorKind.NORM, OperatorKind.SOFTMAX, OperatorKind.MOVE)
_WIDTHS = {"fp64": 8, "fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2}
# Of a tensor between two operators of a chain, neither its writing nor its reading remains; in the
# forward pass of a training half of them are written for the backward pass (assumed).
_SAVED, _SAVED_IN_TRAINING = 2.0, 1.5
# Equal operators in a chain beyond which it is cut.
_LONGEST = 16


def compiled(workload: Workload) -> Workload:
    """The same step with its chains fused: fewer kernels, fewer bytes, the same operations."""
    note = "compiled: what a compiler fuses is estimated from the order of the operators"
    ops = tuple(
        _fused(chain, workload.training) if len(chain) > 1 else chain[0]
        for chain in _chains(workload.ops)
    )
    return replace(workload, ops=ops, notes=(*workload.notes, note))


def _chains(ops: tuple[Op, ...]) -> Iterator[list[Op]]:
    """Runs of operators that are fused, and each other operator by itself."""
    chain: list[Op] = []
    for op in ops:
        alike = chain and op.phase is chain[-1].phase
        if chain and not (alike and op.kind in _FUSED and chain[-1].kind in _FUSED):
            yield chain
            chain = []
        chain.append(op)
    if chain:
        yield chain


def _fused(chain: list[Op], training: bool) -> Op:
    saved = _SAVED_IN_TRAINING if training and chain[0].phase is Phase.FORWARD else _SAVED
    # Equal operators of a layer are one with a count: the chain runs as often as the rarest does.
    runs = min(op.count for op in chain)
    each = [op for op in chain for _ in range(min(_LONGEST, round(op.count / runs)))]
    between = sum(min(_output_bytes(one), after.bytes) for one, after in pairwise(each))
    moved = sum(op.bytes for op in each)
    # The ends of the chain are read and written.
    least = max(op.bytes for op in each) / 2
    kind = next((op.kind for op in chain if op.kind is not OperatorKind.MOVE), chain[0].kind)
    return replace(
        chain[0],
        kind=kind,
        flops=sum(op.flops * op.count for op in chain) / runs,
        bytes=max(least, moved - saved * between),
        draws=sum(op.draws * op.count for op in chain) / runs,
        count=runs,
    )


def _output_bytes(op: Op) -> float:
    """What an operator writes: elementwise ones have an operation for each element."""
    if op.kind is OperatorKind.ELEMENTWISE and op.flops:
        return op.flops * _WIDTHS.get(op.dtype, 4)
    return op.bytes / 2
