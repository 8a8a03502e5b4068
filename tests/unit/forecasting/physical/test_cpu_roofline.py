"""A step on a CPU whose operators were measured."""

import json
from dataclasses import replace

import pytest

from fakes.workloads import matmul, workload
from joulecast.forecasting.physical.cpu_roofline import (
    BATCH_NORM,
    KEPT_BYTES,
    CpuCosts,
    OperatorCost,
    Pace,
    cpu_step,
    fresh_bytes,
)
from joulecast.forecasting.physical.device import ASSUMED, Calibration, Device
from joulecast.forecasting.physical.forecaster import Physical
from joulecast.hardware.catalog.cpus import cpus
from joulecast.workload.model import Op, OperatorKind, Phase

COSTS = CpuCosts(
    costs={
        (Phase.FORWARD, OperatorKind.ELEMENTWISE): OperatorCost(5e-6, 0.0, 1.0),
        (Phase.BACKWARD, OperatorKind.ELEMENTWISE): OperatorCost(1e-5, 0.0, 1.5),
        (Phase.FORWARD, OperatorKind.MATMUL): OperatorCost(8e-6, 1e-11, 0.0),
        (Phase.FORWARD, OperatorKind.NORM): OperatorCost(2e-5, 0.0, 2.0),
        (Phase.OPTIMIZER, OperatorKind.OPTIMIZER): OperatorCost(2e-6, 0.0, 1.0),
    },
    levels=((1e6, 1e11), (1e8, 1e10)),
    draw_s=4e-9,
    touch_s=1e-10,
    work_w=30.0,
)
CPU = Device.of_cpu(cpus()[0])


def op(kind: OperatorKind, phase: Phase = Phase.FORWARD, **changes: object) -> Op:
    return replace(Op(kind, phase, 0.0, 1e5, "fp32"), **changes)


def test_an_operator_is_its_start_its_work_and_its_bytes():
    starts, compute, moving = COSTS.seconds(op(OperatorKind.MATMUL, flops=2e6, count=3), 1e6)
    assert starts == pytest.approx(3 * 8e-6)
    assert compute == pytest.approx(3 * 2e6 * 1e-11)
    assert moving == 0.0
    _, drawing, moving = COSTS.seconds(op(OperatorKind.ELEMENTWISE, draws=1000.0), 1e6)
    assert (drawing, moving) == (pytest.approx(4e-6), pytest.approx(1e5 / 1e11))


def test_the_bandwidth_is_that_of_the_cache_that_holds_the_step():
    rates = [COSTS.bandwidth(size) for size in (1.0, 1e6, 1e7, 1e8, 1e12)]
    assert rates == pytest.approx([1e11, 1e11, 10**10.5, 1e10, 1e10])


def test_a_class_that_was_not_measured_is_like_another():
    assert COSTS.cost(Phase.FORWARD, OperatorKind.DEPTHWISE) == COSTS.cost(
        Phase.FORWARD, OperatorKind.MATMUL
    )
    assert COSTS.cost(Phase.FORWARD, BATCH_NORM) == COSTS.cost(Phase.FORWARD, OperatorKind.NORM)
    assert COSTS.cost(Phase.BACKWARD, OperatorKind.MATMUL) == COSTS.cost(
        Phase.BACKWARD, OperatorKind.ELEMENTWISE
    )
    of_batches = op(OperatorKind.NORM, shape=(4, 8, 16))
    own = replace(
        COSTS, costs={**COSTS.costs, (Phase.FORWARD, BATCH_NORM): OperatorCost(1.0, 0.0, 0.0)}
    )
    assert own.seconds(of_batches, 1e6)[0] == 1.0
    assert own.seconds(op(OperatorKind.NORM), 1e6)[0] == pytest.approx(2e-5)


def test_memory_that_a_step_is_handed_anew():
    small, large = (
        replace(workload(matmul(8, 8, 8)), peak_bytes=size) for size in (1e6, KEPT_BYTES + 1.0)
    )
    assert fresh_bytes(small) == 5e5  # in every other process
    assert fresh_bytes(large) == KEPT_BYTES + 1.0
    without = cpu_step(replace(small, peak_bytes=0.0), COSTS)
    assert cpu_step(small, COSTS).memory_s - without.memory_s == pytest.approx(5e5 * 1e-10)


def test_everything_of_a_step_adds_up():
    ops = (
        op(OperatorKind.ELEMENTWISE),
        op(OperatorKind.ELEMENTWISE, Phase.BACKWARD),
        op(OperatorKind.MATMUL, flops=1e8),
    )
    work = workload(*ops)
    found = Calibration(step_s=1e-3, idle_w=10.0, operators=COSTS)
    step = Physical().step(work, CPU.calibrated(found))
    assert step is not None
    assert step.duration.value == pytest.approx(cpu_step(work, COSTS).seconds + 1e-3)
    assert step.power.value == pytest.approx(30.0)
    assert step.energy.value == pytest.approx(30.0 * step.duration.value)
    assert step.rung == "calibrated"
    assert ASSUMED in CPU.notes and ASSUMED not in step.notes
    shares = step.shares
    assert shares is not None
    assert shares.compute + shares.memory + shares.launch + shares.input == pytest.approx(1.0)
    fed = Physical().step(work, CPU.calibrated(replace(found, samples_per_s=100.0)))
    assert fed is not None  # its loader shares the cores
    assert fed.duration.value - step.duration.value == pytest.approx(work.batch / 100.0)


def test_views_and_the_step_of_an_optimizer_take_their_time():
    work = workload(op(OperatorKind.ELEMENTWISE))
    more = replace(COSTS, view_s=1e-6, update_s=3e-5)
    plain = cpu_step(work, more).starts_s
    assert cpu_step(replace(work, views=10), more).starts_s == pytest.approx(plain + 1e-5)
    updated = cpu_step(replace(work, optimizer="adam"), more)
    without = cpu_step(replace(work, optimizer=None), more)
    assert updated.starts_s - without.starts_s == pytest.approx(3e-5)


def test_among_others_an_operator_starts_later_and_works_longer():
    work = workload(op(OperatorKind.ELEMENTWISE, count=100), matmul(64, 64, 64))
    plain, slower = cpu_step(work, COSTS), cpu_step(work, replace(COSTS, among=1.5, work=1.2))
    assert slower.starts_s == pytest.approx(1.5 * plain.starts_s)
    assert slower.compute_s == pytest.approx(1.2 * plain.compute_s)
    assert slower.memory_s == pytest.approx(1.2 * plain.memory_s)


def test_cores_that_are_moved_reach_into_value_bounds_and_notes():
    work = workload(op(OperatorKind.ELEMENTWISE, count=100))
    steady = Calibration(step_s=1e-3, operators=COSTS)
    moved = replace(steady, operators=replace(COSTS, pace=Pace(1.2, 1.0, 1.8)))
    plain = Physical().step(work, CPU.calibrated(steady))
    found = Physical().step(work, CPU.calibrated(moved))
    assert plain is not None and found is not None
    for what in ("duration", "energy"):
        before, after = getattr(plain, what), getattr(found, what)
        assert after.value == pytest.approx(1.2 * before.value)
        assert after.low == pytest.approx(before.low)
        assert after.high == pytest.approx(1.8 * before.high)
    assert any("0.83 to 1.5 times" in note for note in found.notes)
    assert not any("times as long" in note for note in plain.notes)


@pytest.mark.parametrize("operators", [COSTS, None])
def test_a_disturbed_calibration_is_told_and_less_sure(operators: CpuCosts | None):
    work = workload(op(OperatorKind.ELEMENTWISE))
    quiet = Calibration(launch_s=1e-6, step_s=1e-3, operators=operators)
    plain = Physical().step(work, CPU.calibrated(quiet))
    found = Physical().step(work, CPU.calibrated(replace(quiet, disturbed=0.6)))
    assert plain is not None and found is not None
    assert found.duration.value == plain.duration.value
    assert found.energy.high > plain.energy.high and found.energy.low < plain.energy.low
    assert any("60 % of the processors' time" in note for note in found.notes)


def test_without_meters_the_power_is_that_of_the_catalog():
    found = Calibration(operators=replace(COSTS, work_w=None))
    step = Physical().step(workload(op(OperatorKind.ELEMENTWISE)), CPU.calibrated(found))
    assert step is not None
    assert step.power.value == pytest.approx(CPU.tdp_w)


def test_a_gpu_does_not_heed_what_operators_take_on_a_cpu():
    gpu = replace(CPU, kind="gpu", vendor="NVIDIA")
    work = workload(matmul(64, 64, 64))
    plain = Physical().step(work, gpu.calibrated(Calibration()))
    assert Physical().step(work, gpu.calibrated(Calibration(operators=COSTS))) == plain


def test_it_is_kept_and_read_again():
    assert CpuCosts.from_json(json.loads(json.dumps(COSTS.to_json()))) == COSTS
    moved = replace(COSTS, pace=Pace(1.1, 0.9, 1.5))
    assert CpuCosts.from_json(json.loads(json.dumps(moved.to_json()))) == moved
    before = {name: value for name, value in COSTS.to_json().items() if name != "pace"}
    assert CpuCosts.from_json(before) == COSTS  # made before cores were looked at


def _changed(**changes: object) -> dict[str, object]:
    return COSTS.to_json() | changes


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        _changed(levels=[]),
        _changed(levels=[[1e6, 0.0]]),
        _changed(costs={}),
        _changed(costs=COSTS.to_json()["costs"] | {"forward/unheard": [1, 1, 1]}),
        _changed(costs=COSTS.to_json()["costs"] | {"forward/matmul": [1, 1]}),
        _changed(costs=COSTS.to_json()["costs"] | {"forward/matmul": [-1, 1, 1]}),
        _changed(draw_s=float("nan")),
        _changed(work_w="much"),
        _changed(touch_s=True),
        _changed(among=-1),
        _changed(pace=[1.0, 1.2, 1.5]),  # its mean is below its least
        _changed(pace=[0.0, 0.0, 0.0]),
        _changed(pace=[1.0]),
    ],
)
def test_what_makes_no_sense_is_not_known(data: object):
    assert CpuCosts.from_json(data) is None
