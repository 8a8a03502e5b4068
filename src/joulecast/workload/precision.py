"""In which type a model computes, and in which it keeps its weights."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError

NAMES = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Precision:
    """`half` is the 16-bit type of torch used, by its name there; `None` for full precision."""

    name: str
    half: str | None
    tf32: bool


def precision_named(name: str) -> Precision:
    """The precision of a name; raises `UsageError` for an unknown one."""
    wanted = name.lower()
    if wanted not in NAMES:
        raise UsageError(f"unknown precision {name!r}: choose one of {', '.join(NAMES)}")
    half = {"bf16": "bfloat16", "fp16": "float16"}.get(wanted)
    return Precision(wanted, half, wanted == "tf32")
