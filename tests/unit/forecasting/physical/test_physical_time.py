from dataclasses import replace

import numpy as np
import pytest

from fakes.workloads import GPU, conv, elementwise, matmul, workload
from joulecast.forecasting.physical.constants import Constants, shipped
from joulecast.forecasting.physical.device import Device
from joulecast.forecasting.physical.roofline import Busy, busy, demand, depth, tiles, types_on
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.workload.model import OperatorKind, Phase

FOUND = Constants.of(shipped()["constants"]).efficiency


def seconds(work, device=GPU):
    at_work = busy(demand(work, device), FOUND)
    return float(at_work.step(FOUND.corner))


def test_a_large_product_runs_at_the_attained_share_of_the_peak():
    big = workload(matmul(16384, 16384, 16384))
    need = demand(big, GPU)
    assert need.compute.sum() == pytest.approx(2 * 16384**3 / 10e12)
    assert need.hidden_memory.sum() > 0
    assert need.memory.sum() == 0
    assert seconds(big) == pytest.approx(2 * 16384**3 / (10e12 * FOUND.compute[0, 0]), rel=0.05)


def test_a_copy_runs_at_the_attained_share_of_the_bandwidth():
    work = workload(elementwise(1e9))
    attained = FOUND.memory[list(OperatorKind).index(OperatorKind.ELEMENTWISE)]
    assert seconds(work) == pytest.approx(8e9 / (500e9 * attained), rel=0.05)


def test_many_small_kernels_wait_for_the_host():
    few, many = (workload(*[elementwise(100)] * n) for n in (1000, 2000))
    assert seconds(many) - seconds(few) == pytest.approx(1000 * FOUND.launch_s[0], rel=0.05)


def test_the_backward_pass_launches_faster_than_python():
    forward = workload(*[elementwise(100)] * 1000)
    backward = workload(*[replace(elementwise(100), phase=Phase.BACKWARD)] * 1000)
    assert seconds(backward) < seconds(forward)


@pytest.mark.parametrize(
    ("op", "tensor", "name"),
    [
        (matmul(8192, 8192, 8192, dtype="fp16"), {"fp16": 80.0}, "backward_tensor"),
        (conv(64, 512, 56, 512, 3, dtype="fp16"), {"fp16": 80.0}, "backward_conv"),
        (elementwise(1e9), {}, "backward_memory"),
        (replace(elementwise(1e9), kind=OperatorKind.NORM), {}, "backward_norm"),
    ],
)
def test_kernels_of_the_backward_pass_attain_less(op, tensor, name):
    device = replace(GPU, tensor=tensor)
    forward, backward = (
        seconds(workload(*[replace(op, phase=phase)] * 20), device)
        for phase in (Phase.FORWARD, Phase.BACKWARD)
    )
    assert backward / forward == pytest.approx(1 / shipped()["constants"][name], rel=0.1)
    # Only kernels of GPUs were fitted.
    cpu = replace(device, kind="cpu")
    own = workload(*[replace(op, phase=Phase.BACKWARD)] * 20)
    assert seconds(own, cpu) == pytest.approx(forward, rel=0.01)


def test_few_tiles_leave_processors_idle():
    narrow, wide = workload(matmul(128, 128, 16384)), workload(matmul(2048, 2048, 64))
    assert narrow.flops() == wide.flops()
    assert demand(narrow, GPU).narrow.sum() > demand(wide, GPU).narrow.sum()


def test_tiles_and_depth():
    assert tiles(matmul(128, 65, 7)) == 4
    assert depth(matmul(128, 65, 7)) == 7
    assert tiles(conv(2, 64, 32, 128, 3)) == 32 * 2
    assert depth(conv(2, 64, 32, 128, 3)) == 64 * 9
    assert np.isinf(tiles(elementwise(10)))
    assert np.isinf(depth(elementwise(10)))


def test_tensor_cores_serve_the_precisions_they_know():
    half = workload(matmul(8192, 8192, 8192, dtype="fp16"))
    single = workload(matmul(8192, 8192, 8192))
    tensor = replace(GPU, tensor={"fp16": 80.0})
    assert demand(half, tensor).compute[1].sum() == pytest.approx(2 * 8192**3 / 80e12)
    assert demand(single, tensor).compute[1].sum() == 0
    # Without them half precision is computed as single, whatever the ordinary cores could do.
    plain = replace(GPU, vector={"fp32": 10.0, "fp16": 20.0})
    assert demand(half, plain).compute[0].sum() == pytest.approx(2 * 8192**3 / 10e12)


def test_a_type_that_a_device_lacks_runs_in_the_next_wider_one():
    def runs(name, *precisions):
        device = Device.of_gpu(find_gpu(name))
        return [device.runs_in(precision) for precision in precisions]

    every = "default", "tf32", "bf16", "fp8"
    assert runs("H100 SXM5 80GB", *every) == ["tf32", "tf32", "bf16", "fp8"]
    assert runs("A100 SXM4 80GB", *every) == ["tf32", "tf32", "bf16", "bf16"]
    assert runs("Tesla V100 PCIe 32GB", *every) == ["fp32", "fp32", "fp32", "fp16"]
    assert Device.of_gpu(find_gpu("A100 SXM4 80GB")).peak_tflops("default") == 156


def test_only_nvidias_library_rounds_where_nobody_asked_for_it():
    a100, mi300 = (
        Device.of_gpu(find_gpu(name)) for name in ("A100 SXM4 80GB", "AMD Instinct MI300X")
    )
    plain, asked = (
        workload(conv(8, 64, 56, 64, 3, dtype="tf32"), precision=p) for p in ("default", "tf32")
    )
    assert types_on(a100, plain) == types_on(a100, asked) == {"tf32": "tf32"}
    assert (types_on(mi300, plain), types_on(mi300, asked)) == ({"tf32": "fp32"}, {"tf32": "tf32"})
    assert demand(plain, a100).compute.sum() == demand(asked, a100).compute.sum()
    assert demand(plain, mi300).compute.sum() > 2 * demand(asked, mi300).compute.sum()


def test_the_slowest_of_device_host_and_input_sets_the_rate():
    base = {"tensor": 0.0, "memory": 0.0, "latency": 0.0}
    parts = {k: np.array(v) for k, v in base.items()}

    def step(compute, host, fed):
        own = {"compute": np.array(compute), "host": np.array(host), "input": np.array(fed)}
        return float(Busy(**parts, **own).step(corner=4.0))

    assert step(1.0, 0.01, 0.0) == pytest.approx(1.0, rel=1e-3)
    assert step(0.01, 1.0, 0.0) == pytest.approx(1.0, rel=1e-3)
    assert step(0.01, 0.01, 1.0) == pytest.approx(1.0, rel=1e-3)
    assert 1.0 < step(1.0, 1.0, 0.0) < 1.25


def test_a_gpu_of_two_devices_is_taken_as_the_driver_lists_it():
    board = find_gpu("NVIDIA Tesla K80")
    device = Device.of_gpu(board)
    assert device.memory_bandwidth_gb_s == board.memory_bandwidth_gb_s / 2
    assert device.tdp_w == board.tdp_w / 2
