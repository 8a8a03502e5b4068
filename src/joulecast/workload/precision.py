"""The numeric types of a model's weights and computations."""

from ..errors import UsageError

NAMES = ("fp32", "tf32", "bf16", "fp16")


def precision_named(name: str) -> str:
    """The precision in lower case; raises `UsageError` for an unknown one."""
    name = name.lower()
    if name not in NAMES:
        raise UsageError(f"unknown precision {name!r}: choose one of {', '.join(NAMES)}")
    return name
