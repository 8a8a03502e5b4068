"""The numeric types of a model's weights and computations."""

from dataclasses import dataclass

from ..errors import UsageError

NAMES = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Precision:
    """`half` is the name of the 16-bit type in torch; None for full precision."""

    name: str
    half: str | None
    tf32: bool


def precision_named(name: str) -> Precision:
    """The precision of a name; raises `UsageError` for an unknown one."""
    name = name.lower()
    if name not in NAMES:
        raise UsageError(f"unknown precision {name!r}: choose one of {', '.join(NAMES)}")
    half = {"bf16": "bfloat16", "fp16": "float16"}.get(name)
    return Precision(name, half, name == "tf32")
