"""The time of a step on a calibrated CPU, where the operators of a step run one after another.

A CPU runs eagerly: dispatch, autograd and kernel share its cores, so that the times of operators
add up, and of a small one its start is most. An operator of class k in phase p takes

    start(k, p) + FLOPs x flop_s(k, p) + bytes x moved(k, p) / bandwidth(working set)
    + random numbers x draw_s

so that it reaches half of its rate where FLOPs x flop_s = start (Hockney's n_1/2,
doi:10.1016/0167-8191(85)90023-7). Inputs lie in the cache that holds what the step touches between
two uses of them: the working set of the step tells the bandwidth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...workload.model import Op, OperatorKind, Phase, Workload

BATCH_NORM = "batch_norm"  # goes by channels where other normalizations go by samples
CLASSES: tuple[str, ...] = (*(str(kind) for kind in OperatorKind), BATCH_NORM)

KEPT_BYTES = 2 * 32 * 2**20  # by glibc at most, whatever was handed back before

# Classes that are looked up where one was not measured, by what they are like.
LIKE: dict[str, str] = {
    OperatorKind.CONV: OperatorKind.MATMUL,
    OperatorKind.DEPTHWISE: OperatorKind.CONV,
    OperatorKind.RECURRENT: OperatorKind.MATMUL,
}
LIKE |= {
    OperatorKind.ATTENTION: OperatorKind.MATMUL,
    OperatorKind.MATMUL: OperatorKind.ELEMENTWISE,
    BATCH_NORM: OperatorKind.NORM,
}


def class_of(op: Op) -> str:
    """The class whose costs are an operator's."""
    return BATCH_NORM if op.kind is OperatorKind.NORM and op.shape else str(op.kind)


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """Of one class of operators in one phase: seconds to start one, for each of its FLOPs, and its
    bytes as a multiple of those of a copy."""

    start_s: float
    flop_s: float
    moved: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How long steps take as a virtual machine's host places its cores, over as it mostly did.

    In the mean over the time of the calibration, at least, and at most.
    """

    mean: float = 1.0
    least: float = 1.0
    most: float = 1.0


@dataclass(frozen=True, slots=True)
class CpuCosts:
    """What micro-benchmarks found of a CPU; `costs` by phase and class.

    `levels` are working sets in bytes and the bandwidth of a copy within them, B/s, the smallest
    set first. `draw_s` is for one random number, `touch_s` for a byte of memory that the operating
    system hands out anew. `work_w` are the watts while whole steps run: threads that wait for one
    another spin, so that it hardly matters for which. None where no meter told. `among` is by how
    much longer an operator takes to start among others than after its own like, whose code and
    threads are ready, and `work` by how much longer it then computes and moves. `view_s` is for a
    description of memory made anew, `update_s` for a step of an optimizer besides its operations.
    """

    costs: Mapping[tuple[Phase, str], OperatorCost] = field(hash=False)
    levels: tuple[tuple[float, float], ...]
    draw_s: float = 0.0
    touch_s: float = 0.0
    work_w: float | None = None
    among: float = 1.0
    work: float = 1.0
    view_s: float = 0.0
    update_s: float = 0.0
    pace: Pace = Pace()

    def cost(self, phase: Phase, kind: str) -> OperatorCost:
        """Of a class; where it was not measured, of one like it, and at last of elementwise ones.

        Raises `KeyError` where those were not measured either.
        """
        like: str | None = kind
        while like is not None:
            if (phase, like) in self.costs:
                return self.costs[phase, like]
            like = LIKE.get(like)
        return self.costs[phase, OperatorKind.ELEMENTWISE]

    def bandwidth(self, working_set: float) -> float:
        """Bandwidth of a copy in B/s, between the measured sets by their logarithm."""
        sizes, rates = zip(*self.levels, strict=True)
        at = math.log(max(working_set, 1.0))
        return float(np.exp(np.interp(at, np.log(sizes), np.log(rates))))

    def seconds(self, op: Op, working_set: float) -> tuple[float, float, float]:
        """All operators of an `Op`: their starts, computing (random numbers too), and moving."""
        cost = self.cost(op.phase, class_of(op))
        compute = op.flops * cost.flop_s + op.draws * self.draw_s
        moving = op.bytes * cost.moved / self.bandwidth(working_set)
        return op.count * cost.start_s, op.count * compute, op.count * moving

    def to_json(self) -> dict[str, Any]:
        """For the ledger; `from_json` reads it."""
        return {
            "costs": {
                f"{phase}/{kind}": [cost.start_s, cost.flop_s, cost.moved]
                for (phase, kind), cost in self.costs.items()
            },
            "levels": [list(level) for level in self.levels],
            "draw_s": self.draw_s,
            "touch_s": self.touch_s,
            "work_w": self.work_w,
            "among": self.among,
            "work": self.work,
            "view_s": self.view_s,
            "update_s": self.update_s,
            "pace": [self.pace.mean, self.pace.least, self.pace.most],
        }

    @classmethod
    def from_json(cls, data: Any) -> CpuCosts | None:
        """What was stored; None where it is missing or makes no sense."""
        try:
            costs = {}
            for name, (start_s, flop_s, moved) in data["costs"].items():
                phase, kind = name.split("/")
                found = OperatorCost(_known(start_s), _known(flop_s), _known(moved))
                if kind not in CLASSES:
                    raise ValueError(f"not a class of operators: {kind}")
                costs[Phase(phase), kind] = found
            levels = tuple(sorted((_known(size), _known(rate)) for size, rate in data["levels"]))
            work_w = None if data["work_w"] is None else _known(data["work_w"])
            read = cls(
                costs,
                levels,
                draw_s=_known(data["draw_s"]),
                touch_s=_known(data["touch_s"]),
                work_w=work_w,
                among=_known(data["among"]),
                work=_known(data.get("work", 1.0)),
                view_s=_known(data["view_s"]),
                update_s=_known(data["update_s"]),
                pace=_pace(data.get("pace", (1.0, 1.0, 1.0))),
            )
            for phase in Phase:
                read.cost(
                    phase,
                    OperatorKind.OPTIMIZER
                    if phase is Phase.OPTIMIZER
                    else OperatorKind.ELEMENTWISE,
                )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        return read if levels and min(min(level) for level in levels) > 0 else None


@dataclass(frozen=True, slots=True)
class CpuStep:
    """Seconds of a step by what they go to: starting operators, computing, moving."""

    starts_s: float
    compute_s: float
    memory_s: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.starts_s + self.compute_s + self.memory_s


def cpu_step(workload: Workload, costs: CpuCosts) -> CpuStep:
    """What the operators of a step take, and memory that the step is handed out anew.

    With the cores as near one another as they mostly were: `costs.pace` is not in it.
    """
    parts = [costs.seconds(op, workload.memory_bytes) for op in workload.ops]
    starts_s, compute_s, memory_s = (math.fsum(part) for part in zip(*parts, strict=True))
    starts_s = costs.among * (starts_s + costs.view_s * workload.views)
    if workload.optimizer is not None:
        starts_s += costs.update_s
    memory_s = costs.work * memory_s + costs.touch_s * fresh_bytes(workload)
    return CpuStep(starts_s, costs.work * compute_s, memory_s)


def fresh_bytes(workload: Workload) -> float:
    """Memory that a step has to be handed out anew, because the step before gave it back.

    glibc gives back what lies free at the end of its heap once that is twice the largest block it
    has handed back before, at most 64 MiB (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD). So
    what a step needs beyond that is new in each; whether less is, hangs on what the process did
    before: it is taken to happen in every other process.
    """
    peak = workload.peak_bytes
    return peak if peak > KEPT_BYTES else peak / 2


def _pace(values: Any) -> Pace:
    """Raises `ValueError` for what is none."""
    mean, least, most = map(_known, values)
    if not 0 < least <= mean <= most:
        raise ValueError(f"no pace: {values}")
    return Pace(mean, least, most)


def _known(value: Any) -> float:
    """A number that is not negative. Raises `ValueError` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"not a number: {value!r}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"out of range: {value!r}")
    return float(value)
