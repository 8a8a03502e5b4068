from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.workloads import GPU, elementwise, matmul, workload
from joulecast.forecasting.physical.constants import Constants, shipped
from joulecast.forecasting.physical.device import Device
from joulecast.forecasting.physical.forecaster import Physical
from joulecast.forecasting.physical.power_model import (
    SLOWEST_CLOCK,
    Draw,
    awake_w,
    relative_density,
    run,
)
from joulecast.forecasting.physical.roofline import Busy
from joulecast.hardware.catalog.gpus import find_gpu

DRAW = Draw(
    awake_hbm=0.15,
    awake_gddr=0.25,
    compute_vector=0.8,
    compute_tensor=1.0,
    memory=0.4,
    latency=0.1,
    gamma=2.0,
    sustained=1.0,
)


def at_work(compute=0.0, tensor=0.0, memory=0.0, host=0.0):
    parts = {"compute": compute, "tensor": tensor, "memory": memory, "host": host}
    arrays = {name: np.array(value, float) for name, value in parts.items()}
    return Busy(**arrays, latency=np.array(0.0), input=np.array(0.0))


def test_waiting_for_the_host_draws_little_more_than_nothing_to_do():
    done = run(at_work(compute=0.001, host=1.0), DRAW, 4.0, 250.0, 250.0, 60.0)
    assert float(done.power_w) == pytest.approx(60.2, abs=0.1)
    assert float(done.clock) == 1.0


def test_computing_and_moving_add_up():
    done = run(at_work(compute=1.0, memory=1.0), DRAW, 4.0, 250.0, 1000.0, 60.0)
    assert float(done.power_w) == pytest.approx(60 + 250 * (0.8 + 0.4) / 2, rel=0.01)


def test_full_use_reaches_the_limit_of_every_usual_board():
    draw = Constants.of(shipped()["constants"]).draw
    assert draw.awake_hbm + draw.compute_tensor > 1
    assert draw.awake_gddr + draw.compute_vector > 1
    assert draw.sustained > 0.94


@pytest.mark.parametrize("name", ["Tesla T4", "NVIDIA L4", "RTX PRO 6000 Blackwell Max-Q"])
def test_boards_with_little_power_for_their_operations_lower_their_clock(name):
    board = Device.of_gpu(find_gpu(name))
    usual = shipped()["rate_per_watt"]
    assert relative_density(board, usual) > 1.5
    work = workload(*[matmul(8192, 8192, 8192, dtype="fp16")] * 5)
    step = Physical().step(work, board)
    assert step.power.value == pytest.approx(board.tdp_w * shipped()["constants"]["held"], rel=0.02)
    assert any("power limit" in note for note in step.notes)


def test_a_board_as_dense_as_its_generation_or_of_an_unknown_one_counts_as_usual():
    usual = {"stacked": {"Volta": 0.05}, "unstacked": {"Ampere": 0.04}}
    assert relative_density(GPU, usual) == pytest.approx(10 / 250 / 0.04)
    assert relative_density(replace(GPU, architecture="CDNA"), usual) == 1.0
    assert relative_density(replace(GPU, vector={}), usual) == 1.0
    assert relative_density(replace(GPU, stacked_memory=True), usual) == 1.0


def test_denser_boards_compute_at_more_power():
    draw = replace(DRAW, density=0.5)
    one, four = (
        run(at_work(compute=1.0), draw, 4.0, 250.0, 1e4, 60.0, relative_density=d) for d in (1, 4)
    )
    assert float(four.power_w) - 60 == pytest.approx(2 * (float(one.power_w) - 60))
    moving = [
        run(at_work(memory=1.0), draw, 4.0, 250.0, 1e4, 60.0, relative_density=d) for d in (1, 4)
    ]
    assert float(moving[0].power_w) == float(moving[1].power_w)


def test_a_power_limit_slows_computing_only():
    free = run(at_work(compute=1.0), DRAW, 4.0, 250.0, 1000.0, 60.0)
    limited = run(at_work(compute=1.0), DRAW, 4.0, 250.0, 150.0, 60.0)
    assert float(limited.power_w) == pytest.approx(150.0, rel=1e-3)
    # 60 + 200 f^2 = 150
    assert float(limited.clock) == pytest.approx(np.sqrt(90 / 200), rel=1e-3)
    assert float(limited.step_s) == pytest.approx(float(free.step_s) / np.sqrt(90 / 200), rel=1e-3)
    moving = run(at_work(memory=1.0), DRAW, 4.0, 250.0, 100.0, 60.0)
    assert float(moving.step_s) == pytest.approx(1.0, rel=1e-3)


@given(st.floats(70, 400), st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1))
def test_less_power_never_makes_a_step_faster(limit, compute, memory, host):
    work = at_work(compute=compute, memory=memory, host=host)
    tight, loose = (run(work, DRAW, 4.0, 250.0, w, 60.0) for w in (limit, limit + 50))
    assert float(tight.step_s) >= float(loose.step_s) * (1 - 1e-9)
    assert float(tight.power_w) <= float(loose.power_w) * (1 + 1e-4)
    assert SLOWEST_CLOCK <= float(tight.clock) <= 1


def test_stacked_memory_draws_less_awake():
    draw = Constants.of(shipped()["constants"]).draw
    assert awake_w(draw, 300.0, True) < awake_w(draw, 300.0, False) < 150


def test_tensor_cores_and_vector_units_differ_in_power():
    plain = run(at_work(compute=1.0), DRAW, 4.0, 250.0, 1000.0, 60.0)
    tensor = run(at_work(compute=1.0, tensor=1.0), DRAW, 4.0, 250.0, 1000.0, 60.0)
    assert float(tensor.power_w) - float(plain.power_w) == pytest.approx(50.0, rel=1e-3)


def test_many_at_once_are_each_as_alone():
    rng = np.random.default_rng(0)
    parts = {name: rng.random(20) for name in ("compute", "memory", "latency", "host", "input")}
    many = run(Busy(**parts, tensor=parts["compute"] / 2), DRAW, 4.0, 250.0, 200.0, 60.0)
    for i in range(20):
        own = {name: value[i] for name, value in parts.items()}
        one = run(Busy(**own, tensor=own["compute"] / 2), DRAW, 4.0, 250.0, 200.0, 60.0)
        assert float(one.power_w) == pytest.approx(many.power_w[i])
        assert float(one.step_s) == pytest.approx(many.step_s[i])


def test_a_limited_board_is_limited_in_a_forecast():
    work = workload(*[matmul(8192, 8192, 8192)] * 5, elementwise(1e8))
    free = Physical().step(work, GPU)
    limited = Physical().step(work, replace(GPU, power_limit_w=120.0))
    assert limited.duration.value > free.duration.value
    assert limited.power.value < 120.0
    assert any("power limit" in note for note in limited.notes)
