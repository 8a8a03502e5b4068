"""Workloads made by hand, and a plain GPU to run them on."""

from joulecast.forecasting.physical.device import Device
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

GPU = Device(
    name="plain",
    kind="gpu",
    vector={"fp32": 10.0},
    tensor={},
    memory_bandwidth_gb_s=500.0,
    memory_gb=16.0,
    tdp_w=250.0,
    processors=60,
    vendor="NVIDIA",
    architecture="Ampere",
)


def matmul(m, n, k, b=1, dtype="fp32", count=1):
    size = 4 if dtype in ("fp32", "tf32") else 2
    moved = float(size * b * (m * k + k * n + m * n))
    flops = 2.0 * b * m * n * k
    return Op(OperatorKind.MATMUL, Phase.FORWARD, flops, moved, dtype, "", (b, m, n, k), count)


def conv(n, c_in, size, c_out, kernel, dtype="fp32"):
    flops = 2.0 * n * size * size * c_out * c_in * kernel * kernel
    moved = 4.0 * (n * size * size * (c_in + c_out) + c_in * c_out * kernel * kernel)
    shape = (n, c_in, size, size, c_out, kernel, kernel, 1, 1)
    return Op(OperatorKind.CONV, Phase.FORWARD, flops, moved, dtype, "", shape)


def elementwise(elements, dtype="fp32"):
    return Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, float(elements), 8.0 * elements, dtype)


def workload(*ops, batch=32, **kwargs):
    fields = {
        "name": "made by hand",
        "batch": batch,
        "input_shape": (3, 32, 32),
        "precision": "fp32",
        "training": True,
        "optimizer": None,
        "parameters": 1000,
        "ops": tuple(ops),
        "layers": (),
        "weight_bytes": 4e9,
        "gradient_bytes": 4e9,
        "optimizer_bytes": 8e9,
        "activation_bytes": 2e9,
    }
    return Workload(**(fields | kwargs))
