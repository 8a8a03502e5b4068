"""What a CPU's operators take, from the times of pieces made up to take just that."""

from dataclasses import replace

import numpy as np
import pytest

from joulecast.calibration.cpu_fit import fit_costs, nonnegative, robust
from joulecast.calibration.cpu_pieces import DRAW, LEVEL, OPERATOR, TOUCH, UPDATE, VIEW
from joulecast.calibration.cpu_steps import AMONG
from joulecast.calibration.microbench import Piece, Result, workload
from joulecast.forecasting.physical.cpu_roofline import BATCH_NORM, CpuCosts, OperatorCost, cpu_step
from joulecast.workload.model import Op, OperatorKind, Phase

LEVELS = ((1e6, 2e11), (1e7, 1e11), (1e8, 2e10))
TRUE = CpuCosts(
    costs={
        (Phase.FORWARD, OperatorKind.ELEMENTWISE): OperatorCost(5e-6, 0.0, 1.2),
        (Phase.BACKWARD, OperatorKind.ELEMENTWISE): OperatorCost(9e-6, 0.0, 1.4),
        (Phase.FORWARD, OperatorKind.MATMUL): OperatorCost(8e-6, 5e-12, 3.0),
        (Phase.BACKWARD, OperatorKind.MATMUL): OperatorCost(1e-5, 6e-12, 2.0),
        (Phase.FORWARD, BATCH_NORM): OperatorCost(2e-5, 0.0, 9.0),
        (Phase.OPTIMIZER, OperatorKind.OPTIMIZER): OperatorCost(2e-6, 0.0, 1.1),
    },
    levels=LEVELS,
    draw_s=4e-9,
    touch_s=1e-10,
    work_w=35.0,
    view_s=1e-6,
    update_s=3e-5,
)


def result(
    group: str, *ops: Op, off: float = 1.0, working_set: float = 1e7, views: int = 0
) -> Result:
    seconds = sum(sum(TRUE.seconds(op, working_set)) for op in ops) + views * TRUE.view_s
    seconds = (seconds + (TRUE.update_s if group == UPDATE else 0.0)) * off
    work = replace(workload(*ops), views=views)
    piece = Piece(group, group, lambda: lambda: None, work, working_set=working_set)
    return Result(piece, seconds, 0.01, 9)


def level(size: float, rate: float) -> Result:
    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, size, "fp32")
    piece = Piece("copy", LEVEL, lambda: lambda: None, workload(op), working_set=size)
    return Result(piece, size / rate, 0.0, 9)


def elementwise(size: float, phase: Phase = Phase.FORWARD) -> Op:
    return Op(OperatorKind.ELEMENTWISE, phase, size / 8, size, "fp32")


def matmul(n: float, k: float, phase: Phase = Phase.FORWARD, count: int = 1) -> Op:
    return Op(
        OperatorKind.MATMUL,
        phase,
        2 * n * n * k,
        4 * (n * n + 2 * n * k),
        "fp32",
        "",
        (1, 1, 1, 1),
        count,
    )


def pieces() -> list[Result]:
    found = [level(*each) for each in LEVELS]
    found.append(result(VIEW, views=16))
    for size in (1e3, 1e5, 1e6, 8e6):
        forward, backward = elementwise(size), elementwise(size, Phase.BACKWARD)
        found += [result(OPERATOR, forward), result(OPERATOR, forward, backward)]
        norm = Op(OperatorKind.NORM, Phase.FORWARD, 0.0, size, "fp32", "", (2, 3, 4))
        found.append(result(OPERATOR, norm, elementwise(8.0)))  # counts its batches, too
        for count in (2, 24):
            update = Op(
                OperatorKind.OPTIMIZER, Phase.OPTIMIZER, size / 4, size, "fp32", "", (), count
            )
            found.append(result(UPDATE, update))
    for n, k in ((32, 32), (64, 512), (512, 16), (256, 256), (512, 512)):
        both = matmul(n, k), matmul(n, k, Phase.BACKWARD, 2), elementwise(4.0 * n, Phase.BACKWARD)
        found += [result(OPERATOR, matmul(n, k), views=1), result(OPERATOR, *both, views=5)]
    drawn = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 4e5, "fp32", draws=1e5)
    found.append(result(DRAW, drawn))
    touched = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 1e7, "fp32")
    found += [result(TOUCH, touched), result(TOUCH, touched)]
    slower = found[-1].seconds + 1e7 * TRUE.touch_s
    found[-1] = Result(found[-1].test, slower, 0.0, 9)
    return found


class TestFit:
    def test_it_finds_what_the_pieces_took(self) -> None:
        found = fit_costs(pieces(), 35.0)
        assert found is not None
        for key, cost in TRUE.costs.items():
            got = found.costs[key]
            assert got.start_s == pytest.approx(cost.start_s, rel=1e-3), key
            assert got.flop_s == pytest.approx(cost.flop_s, rel=1e-3, abs=1e-16), key
            assert got.moved == pytest.approx(cost.moved, rel=1e-3, abs=1e-6), key
        assert found.draw_s == pytest.approx(TRUE.draw_s, rel=1e-3)
        assert found.view_s == pytest.approx(TRUE.view_s, rel=1e-3)
        assert found.update_s == pytest.approx(TRUE.update_s, rel=1e-3)
        assert found.touch_s == pytest.approx(TRUE.touch_s, rel=1e-3)
        assert found.work_w == pytest.approx(35.0)
        np.testing.assert_allclose(found.levels, LEVELS)

    def test_operators_among_others(self) -> None:
        steps = []
        for count, n in ((10, 8), (40, 8), (90, 8), (2, 512), (8, 256)):
            ops = elementwise(1e3), matmul(n, n), elementwise(1e3, Phase.BACKWARD)
            work = workload(*(replace(op, count=count) for op in ops))
            alone = cpu_step(work, TRUE)
            seconds = 1e-4 + 1.4 * alone.starts_s + 1.2 * (alone.compute_s + alone.memory_s)
            piece = Piece("step", AMONG, lambda: lambda: None, work)
            steps.append(Result(piece, seconds, 0.0, 9))
        found = fit_costs([*pieces(), *steps])
        assert found is not None
        assert (found.among, found.work) == pytest.approx((1.4, 1.2), rel=0.01)
        untold = fit_costs(pieces())
        assert untold is not None and (untold.among, untold.work) == (1.0, 1.0)

    def test_one_piece_that_was_disturbed_changes_little(self) -> None:
        disturbed = [*pieces(), result(OPERATOR, matmul(128, 128), off=6.0)]
        found = fit_costs(disturbed)
        assert found is not None
        got, true = (c.costs[Phase.FORWARD, OperatorKind.MATMUL] for c in (found, TRUE))
        assert got.flop_s == pytest.approx(true.flop_s, rel=0.1)

    def test_what_is_missing(self) -> None:
        full = pieces()
        without_power = fit_costs(full)
        assert without_power is not None and without_power.work_w is None
        assert fit_costs([r for r in full if r.test.group != LEVEL]) is None
        assert fit_costs([r for r in full if r.test.group != OPERATOR]) is None
        skipped = [
            Result(r.test, 0.0, 0.0, 0, skipped="no memory") if r.test.group == UPDATE else r
            for r in full
        ]
        found = fit_costs(skipped)
        assert found is not None  # what an optimizer does is elementwise
        like = found.costs[Phase.FORWARD, OperatorKind.ELEMENTWISE]
        assert found.costs[Phase.OPTIMIZER, OperatorKind.OPTIMIZER] == like


class TestNonnegative:
    def test_it_is_plain_least_squares_where_that_is_positive(self) -> None:
        rows = np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 1.0]])
        assert nonnegative(rows, rows @ [2.0, 0.5]) == pytest.approx([2.0, 0.5])

    def test_no_coefficient_is_below_zero(self) -> None:
        rows = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
        got = nonnegative(rows, np.array([3.0, 2.0, 1.0]))  # falls: the slope would be -1
        assert got == pytest.approx([2.0, 0.0])
        assert nonnegative(rows, np.array([-1.0, -1.0, -1.0])) == pytest.approx([0.0, 0.0])

    def test_a_column_of_zeros_gets_zero(self) -> None:
        rows = np.array([[1.0, 0.0], [2.0, 0.0]])
        assert nonnegative(rows, np.array([1.0, 2.0])) == pytest.approx([1.0, 0.0])

    def test_robust_heeds_an_outlier_little(self) -> None:
        x = np.linspace(1, 2, 12)
        rows, target = np.column_stack([np.ones(12), x]), 1 + 2 * x
        target[3] += 20.0
        plain = np.abs(nonnegative(rows, target) - [1.0, 2.0]).max()
        assert np.abs(robust(rows, target) - [1.0, 2.0]).max() < 0.1 < plain
