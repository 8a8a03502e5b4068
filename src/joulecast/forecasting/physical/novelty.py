"""How much a forecast differs from the fitted data; its interval grows with that."""

from collections.abc import Mapping
from typing import Any

from ...workload.model import Workload
from .device import Device, Shares

# Share of a step's memory traffic from which a class of operators without measurements matters.
RARE = 0.2
# Share of a step that waits for launches from which the unknown host matters in full.
HOST_BOUND = 0.3


def novelty(
    workload: Workload, device: Device, shares: Shares, covered: Mapping[str, Any]
) -> tuple[float, tuple[str, ...]]:
    """The factor by which an interval grows (in logarithms), and why.

    `covered` is the table `[known]` of the data file: architectures of GPUs with stacked memory and
    without, and kinds of operators, that measurements cover, and `widen`, how much each kind of
    novelty adds.
    """
    widen = covered["widen"]
    reasons = _of_device(device, covered)
    rare = _rare_kinds(workload, covered)
    if rare:
        reasons["kind"] = f"{', '.join(rare)} operators were hardly measured"
    wider = sum(widen[name] for name in reasons)
    if device.calibration is None:
        wider += of_host(shares.launch, widen["host"])
        if shares.launch > 0.5:
            reasons["host"] = "the host limits the speed, and is not calibrated"
    return 1.0 + wider, tuple(reasons.values())


def of_host(launch: float, most: float) -> float:
    """By how much an interval grows with the share of a step that waits for an unknown host."""
    return most * min(1.0, launch / HOST_BOUND)


def _of_device(device: Device, covered: Mapping[str, Any]) -> dict[str, str]:
    if device.kind == "cpu":
        return {"cpu": "the model was fitted on GPUs"}
    if device.vendor != "NVIDIA":
        return {"vendor": f"no {device.vendor} GPU was in the fitted data"}
    if device.architecture not in covered["stacked" if device.stacked_memory else "unstacked"]:
        return {"architecture": f"no {_kind(device, covered)} was in the fitted data"}
    return {}


def _rare_kinds(workload: Workload, covered: Mapping[str, Any]) -> list[str]:
    """Kinds of operators without measurements that move much of the step's bytes."""
    total = sum(op.bytes * op.count for op in workload.ops) or 1.0
    shares: dict[str, float] = {}
    for op in workload.ops:
        if str(op.kind) not in covered["kinds"]:
            shares[str(op.kind)] = shares.get(str(op.kind), 0.0) + op.bytes * op.count / total
    return [kind for kind, share in shares.items() if share > RARE]


def _kind(device: Device, covered: Mapping[str, Any]) -> str:
    """The GPU's generation, with the kind of its memory where data of the other kind exists."""
    if device.architecture not in (*covered["stacked"], *covered["unstacked"]):
        return f"{device.architecture} GPU"
    memory = "with" if device.stacked_memory else "without"
    return f"{device.architecture} GPU {memory} stacked memory (HBM)"
