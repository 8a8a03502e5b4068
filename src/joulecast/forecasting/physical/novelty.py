"""How unlike a forecast is what the physical model was fitted on; its interval grows with that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .device import Device, Shares

if TYPE_CHECKING:
    from ...workload.model import Workload

RARE = 0.2  # share of a step's time from which an unmeasured class of operators matters


def novelty(
    workload: Workload, device: Device, shares: Shares, known: Mapping[str, Any]
) -> tuple[float, tuple[str, ...]]:
    """By what factor the interval is to grow (in logarithms), and why.

    `known` is the table `[known]` of the data file: architectures of GPUs with stacked memory and
    without, and kinds of operators, that measurements cover, and `widen`, how much each kind of
    strangeness adds.
    """
    widen = known["widen"]
    found: list[tuple[float, str]] = []
    if device.kind == "cpu":
        found.append((widen["cpu"], "the model was fitted on GPUs"))
    elif device.vendor != "NVIDIA":
        found.append((widen["vendor"], f"no {device.vendor} GPU was among those fitted"))
    elif device.architecture not in known["stacked" if device.stacked_memory else "unstacked"]:
        found.append((widen["architecture"], f"no {_kind(device, known)} was among those fitted"))
    total = sum(op.bytes * op.count for op in workload.ops) or 1.0
    rare = {str(op.kind): 0.0 for op in workload.ops if str(op.kind) not in known["kinds"]}
    for op in workload.ops:
        if str(op.kind) in rare:
            rare[str(op.kind)] += op.bytes * op.count / total
    strange = [kind for kind, share in rare.items() if share > RARE]
    if strange:
        found.append((widen["kind"], f"{', '.join(strange)} operators were hardly measured"))
    if shares.launch + shares.input > 0.5 and device.calibration is None:
        found.append((widen["host"], "the host sets the pace, and is not known"))
    return 1.0 + sum(f for f, _ in found), tuple(why for _, why in found)


def _kind(device: Device, known: Mapping[str, Any]) -> str:
    """What GPU it is: by the kind of its memory only where its generation has one that is known."""
    if device.architecture not in (*known["stacked"], *known["unstacked"]):
        return f"{device.architecture} GPU"
    memory = "with" if device.stacked_memory else "without"
    return f"{device.architecture} GPU {memory} stacked memory (HBM)"
