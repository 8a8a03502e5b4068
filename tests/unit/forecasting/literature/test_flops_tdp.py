import pytest

from joulecast.forecasting.literature.flops_tdp import FlopsTdp, rated_duration_s, training_flops
from joulecast.forecasting.physical.device import Device
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.workload.model import Op, OperatorKind, Phase, Workload


def workload(flops, precision="fp32"):
    op = Op(OperatorKind.MATMUL, Phase.FORWARD, flops, 0.0, precision)
    return Workload("w", 1, (1,), precision, False, None, 0, (op,), (), 0.0, 0.0, 0.0, 0.0)


def test_three_passes_of_training_and_one_of_validation():
    assert training_flops(2.0, samples=10) == 60e9
    assert training_flops(2.0, samples=10, validated=5) == 70e9
    assert rated_duration_s(70e9, peak_tflops=35.0) == pytest.approx(2e-3)


def test_a_step_takes_its_flops_at_peak_rate_and_draws_the_rated_power():
    gpu = find_gpu("RTX 3090")
    step = FlopsTdp().step(workload(gpu.vector["fp32"] * 1e12), Device.of_gpu(gpu))
    assert step.duration.value == pytest.approx(1.0)
    assert step.energy.value == pytest.approx(gpu.tdp_w)
    assert (step.energy.low, step.power.value) == (None, gpu.tdp_w)
    half = FlopsTdp().step(workload(1e12, "bf16"), Device.of_gpu(gpu))
    assert half.duration.value == pytest.approx(1 / gpu.tensor["bf16"])


def test_two_devices_take_half_as_long_for_the_same_energy():
    gpu = find_gpu("RTX 3090")
    one, two = (FlopsTdp().step(workload(1e12), Device.of_gpu(gpu, n)) for n in (1, 2))
    assert two.duration.value == pytest.approx(one.duration.value / 2)
    assert two.energy.value == pytest.approx(one.energy.value)


def test_nothing_is_said_where_the_rate_is_not_known():
    gpu = Device("x", "gpu", {}, {}, 100.0, None, 100.0, 1)
    assert FlopsTdp().step(workload(1e12), gpu) is None
