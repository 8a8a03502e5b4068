"""The numeric types of a model's weights and computations."""

from dataclasses import dataclass

from ..errors import UsageError
from .model import MULTIPLYING, OperatorKind

NAMES = ("default", "fp32", "tf32", "bf16", "fp16", "fp8")
DEFAULT = "default"
# cuDNN, which runs them, rounds fp32 to TF32 where PyTorch's settings are unchanged; cuBLAS, which
# runs products, does not (https://docs.pytorch.org/docs/stable/notes/cuda.html).
_ROUNDED_BY_DEFAULT = (OperatorKind.CONV, OperatorKind.RECURRENT)
# Products in fp8 need sizes that are multiples of this (Transformer Engine, torchao).
_FP8_MULTIPLE = 16


def precision_named(name: str) -> str:
    """The precision in lower case; raises `UsageError` for an unknown one."""
    name = name.lower()
    if name not in NAMES:
        raise UsageError(f"unknown precision {name!r}: choose one of {', '.join(NAMES)}")
    return name


@dataclass(frozen=True, slots=True)
class Products:
    """The types in which products of a step in a precision are computed."""

    precision: str
    training: bool
    on_cpu: bool

    def dtype(self, kind: OperatorKind, stored: str, shape: tuple[int, ...]) -> str:
        """Of an operator on tensors of a type, with sizes as in `model.Op`."""
        if stored == "fp32" and not self.on_cpu:
            rounded = {DEFAULT: _ROUNDED_BY_DEFAULT, "tf32": MULTIPLYING}.get(self.precision, ())
            return "tf32" if kind in rounded else stored
        # Linear layers alone: products of two activations are stacks of several.
        linear = kind is OperatorKind.MATMUL and shape[:1] == (1,)
        return "fp8" if linear and self.in_fp8(shape[1:]) else stored

    def in_fp8(self, sizes: tuple[int, ...]) -> bool:
        """Whether a linear layer computes in fp8: `(tokens, n, k)` of a product, or a weight's."""
        # The gradients of weights are sums over tokens; in inference their number is free.
        kept = sizes if self.training else sizes[-2:]
        return self.precision == "fp8" and all(size % _FP8_MULTIPLE == 0 for size in kept)
