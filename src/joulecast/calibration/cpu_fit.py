"""What a CPU takes for each class of operators, from the times of its pieces of work.

Times are sums over operators of terms that are linear in what is sought (`forecast.cpu_roofline`),
and nothing takes less than no time: a class is fitted by least squares of relative errors, with
none of its constants below zero, after the classes that its pieces contain besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..forecasting.physical.cpu_roofline import (
    BATCH_NORM,
    CpuCosts,
    OperatorCost,
    class_of,
    cpu_step,
)
from ..forecasting.physical.roofline import Array
from ..workload.model import MULTIPLYING, Op, OperatorKind, Phase
from .cpu_pieces import DRAW, LEVEL, OPERATOR, TOUCH, UPDATE, VIEW
from .cpu_steps import AMONG
from .microbench import STEP, Result

# Those that others contain come first.
ORDER: tuple[str, ...] = (
    *(
        OperatorKind.ELEMENTWISE,
        OperatorKind.MOVE,
        OperatorKind.MATMUL,
        OperatorKind.CONV,
        OperatorKind.DEPTHWISE,
        OperatorKind.NORM,
        BATCH_NORM,
    ),
    *(
        OperatorKind.POOL,
        OperatorKind.SOFTMAX,
        OperatorKind.EMBEDDING,
        OperatorKind.ATTENTION,
        OperatorKind.RECURRENT,
    ),
)
_ROUNDS = 10  # of reweighting
_LEAST_ERROR = 0.02  # relative: no row is far off that is nearer


def fit_costs(results: Sequence[Result], work_w: float | None = None) -> CpuCosts | None:
    """The costs of a CPU's operators; None where too few of the pieces ran to tell them.

    `work_w` is the power that was metered while whole steps ran.
    """
    done = [r for r in results if r.skipped is None and r.seconds > 0 and r.test.work is not None]
    levels = tuple((r.test.working_set, r.test.working_set / r.seconds) for r in _of(done, LEVEL))
    if not levels:
        return None
    view_s = _view_s(_of(done, VIEW))
    costs: dict[tuple[Phase, str], OperatorCost] = {}
    for kind in ORDER:
        rows = [r for r in _of(done, OPERATOR) if _main(_ops(r)) == kind]
        costs |= _class(kind, rows, CpuCosts(costs, levels, view_s=view_s))
    if any(
        (phase, OperatorKind.ELEMENTWISE) not in costs for phase in (Phase.FORWARD, Phase.BACKWARD)
    ):
        return None
    update, update_s = _update(_of(done, UPDATE), CpuCosts(costs, levels))
    costs[Phase.OPTIMIZER, OperatorKind.OPTIMIZER] = update
    found = CpuCosts(costs, levels, view_s=view_s, update_s=update_s)
    draw_s, touch_s = _draw_s(_of(done, DRAW), found), _touch_s(_of(done, TOUCH))
    among, work = _among([*_of(done, AMONG), *_of(done, STEP)], found)
    return replace(found, draw_s=draw_s, touch_s=touch_s, work_w=work_w, among=among, work=work)


def nonnegative(rows: Array, target: Array) -> Array:
    """Least squares with no coefficient below zero, exact: the best of all sets of columns.

    For a handful of columns (there are 2^n sets); columns of zeros get zero.
    """
    width = rows.shape[1]
    best, least = np.zeros(width), float(target @ target)
    used = [i for i in range(width) if np.any(rows[:, i])]
    for size in range(1, len(used) + 1):
        for chosen in combinations(used, size):
            part = rows[:, chosen]
            values, *_ = np.linalg.lstsq(part, target, rcond=None)
            if np.any(values < 0):
                continue
            error = float(((part @ values - target) ** 2).sum())
            if error < least * (1 - 1e-9):
                best, least = np.zeros(width), error
                best[list(chosen)] = values
    return best


def robust(rows: Array, target: Array) -> Array:
    """`nonnegative`, in which rows far off the others count by their size alone (Huber).

    What is far is told by the median error (1.4826 x is a standard deviation, 1.345 of which keep
    95 % of the efficiency; P. Huber, "Robust Statistics", 1981).
    """
    weight = np.ones(len(target))
    values = nonnegative(rows, target)
    for _ in range(_ROUNDS):
        off = np.abs(rows @ values - target)
        far = max(1.345 * 1.4826 * float(np.median(off)), _LEAST_ERROR)
        weight = np.sqrt(np.minimum(1.0, far / np.maximum(off, 1e-12)))
        values = nonnegative(rows * weight[:, None], target * weight)
    return values


def _class(
    kind: str, results: Sequence[Result], known: CpuCosts
) -> Mapping[tuple[Phase, str], OperatorCost]:
    """A class in all phases of its pieces at once, what they contain besides taken off."""
    phases = list(
        dict.fromkeys(op.phase for r in results for op in _ops(r) if class_of(op) == kind)
    )
    if not phases:
        return {}
    rows, target = [], []
    for result in results:
        assert result.test.work is not None
        row, other = np.zeros((len(phases), 3)), result.test.work.views * known.view_s
        for op in _ops(result):
            moving = op.bytes / known.bandwidth(result.test.working_set)
            if class_of(op) == kind:
                # Without multiplication, operations go with bytes: one of both tells the time.
                flops = op.flops if kind in MULTIPLYING else 0.0
                row[phases.index(op.phase)] += op.count * np.array([1.0, flops, moving])
            elif (op.phase, class_of(op)) in known.costs:
                other += sum(known.seconds(op, result.test.working_set))
        rows.append(row.ravel() / result.seconds)
        target.append(max(0.0, 1 - other / result.seconds))
    scale = np.maximum(np.abs(rows).max(0), 1e-300)  # FLOPs and seconds are far apart
    values = robust(np.array(rows) / scale, np.array(target)) / scale
    return {
        (phase, kind): OperatorCost(*(float(v) for v in values[3 * i : 3 * i + 3]))
        for i, phase in enumerate(phases)
    }


def _update(results: Sequence[Result], known: CpuCosts) -> tuple[OperatorCost, float]:
    """An operation on one parameter, and the seconds of an optimizer's step besides them.

    Where no optimizer ran, its operations are taken for elementwise ones.
    """
    rows = []
    for result in results:
        count = float(sum(op.count for op in _ops(result)))
        size = sum(op.bytes * op.count for op in _ops(result))
        moving = size / known.bandwidth(result.test.working_set)
        rows.append(np.array([1.0, count, moving]) / result.seconds)
    if len(rows) < 3:
        return known.cost(Phase.FORWARD, OperatorKind.ELEMENTWISE), 0.0
    scale = np.maximum(np.abs(rows).max(0), 1e-300)
    own_s, start_s, moved = robust(np.array(rows) / scale, np.ones(len(rows))) / scale
    return OperatorCost(float(start_s), 0.0, float(moved)), float(own_s)


def _view_s(results: Sequence[Result]) -> float:
    """Of one view: the median of the pieces."""
    found = [r.seconds / r.test.work.views for r in results if r.test.work and r.test.work.views]
    return float(np.median(found)) if found else 0.0


def _draw_s(results: Sequence[Result], found: CpuCosts) -> float:
    """Of one random number, at its largest test, where the start does not count."""
    for result in sorted(results, key=lambda r: r.seconds, reverse=True):
        (op,) = _ops(result)
        rest = sum(found.seconds(op, result.test.working_set))
        return max(0.0, result.seconds - rest) / op.draws
    return 0.0


def _touch_s(results: Sequence[Result]) -> float:
    """Of a byte: by how much longer writing takes where the memory is new."""
    if len(results) < 2:
        return 0.0
    times = [result.seconds for result in results]
    return (max(times) - min(times)) / results[0].test.working_set


def _among(results: Sequence[Result], found: CpuCosts) -> tuple[float, float]:
    """By how much longer operators take to start, and to work, in whole steps than by themselves.

    Beside them a step may have a time of its own, which `step_s` tells.
    """
    rows = []
    for result in results:
        if result.test.work is not None:
            step = cpu_step(result.test.work, found)
            rows.append([1.0, step.starts_s, step.compute_s + step.memory_s])
            rows[-1] = [part / result.seconds for part in rows[-1]]
    if len(rows) < 5:
        return 1.0, 1.0
    scale = np.maximum(np.abs(rows).max(0), 1e-300)
    _, among, work = robust(np.array(rows) / scale, np.ones(len(rows))) / scale
    # No quicker than alone: where it seems so, the tests are too few to tell.
    return max(1.0, float(among)), max(1.0, float(work))


def _main(ops: Sequence[Op]) -> str:
    """The class that a piece is of: of those that it contains, the last of `ORDER`."""
    return max((class_of(op) for op in ops), key=ORDER.index)


def _ops(result: Result) -> tuple[Op, ...]:
    return () if result.test.work is None else result.test.work.ops


def _of(results: Sequence[Result], group: str) -> list[Result]:
    return [r for r in results if r.test.group == group]
