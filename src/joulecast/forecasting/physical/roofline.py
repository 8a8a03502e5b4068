"""The time of a step: the work of its operators, and how long a device takes for it.

On the device, an operator takes the start of its kernel and the larger of two times: its operations
at an attained share of the peak rate, and its bytes at an attained share of the peak bandwidth. A
part of the smaller time is added, because the two do not overlap completely. A product or
convolution is less efficient if its output has too few tiles to fill all multiprocessors, and if
the sums of its elements are short, because starting and ending a tile then takes much of the time.
A step takes as long as the slowest of device, host (which launches the kernels one by one) and
input pipeline, with a soft corner, because they do not overlap completely either.

S. Williams et al., "Roofline", doi:10.1145/1498765.1498785; tiles and waves as in NVIDIA's "Matrix
Multiplication Background User's Guide" and NeuSight (doi:10.1145/3669940.3707265).

All functions take arrays of any leading shape, so that a fit evaluates thousands of rows at once.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...workload.model import Op, OperatorKind, Phase, Workload
from .device import Device

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

# Classes of operators that run alike: the kinds, and 3x3 convolutions that the Winograd algorithm
# (arXiv 1509.09308) may compute with fewer multiplications than their operations count.
WINOGRAD = "winograd"
FORWARD: tuple[str, ...] = (*(str(kind) for kind in OperatorKind), WINOGRAD)
# The kernels of the backward pass attain less: a gradient of a weight sums over the whole batch, a
# gradient of an input is scattered, a normalization reads its tensors twice.
CLASSES: tuple[str, ...] = (*FORWARD, *(f"{name} backward" for name in FORWARD))
COLUMN = {name: i for i, name in enumerate(CLASSES)}
# Rows and columns of an output that one multiprocessor works on at a time.
TILE = 64
ENGINES = ("vector", "tensor")
# Recurrent layers run in the library's own loop: the host launches a layer, not its every step.
ON_HOST = tuple(kind for kind in OperatorKind if kind is not OperatorKind.RECURRENT)
PHASES = tuple(Phase)
# Attained shares of the peaks by which it is decided whether an operator computes or moves.
USUAL_COMPUTE, USUAL_MEMORY = 0.6, 0.7


@dataclass(frozen=True, slots=True)
class ResourceDemand:
    """The work of a step on a device, by class of operator (last axis, `CLASSES`).

    `compute` are seconds at the peak rate, of the vector and the tensor units (axis -2); `narrow`
    the same times multiprocessors per tile of output, `shallow` the same over the length of the
    sums that make an element of output, in tiles; `memory` seconds at the peak bandwidth.
    Of each operator the larger is there and the smaller under `hidden_`. `launches` are those by
    the host, by phase of the step (last axis, `PHASES`).
    """

    compute: Array
    narrow: Array
    shallow: Array
    memory: Array
    hidden_compute: Array
    hidden_memory: Array
    kernels: Array
    launches: Array


def tiles(op: Op) -> float:
    """Tiles of output of a product or convolution; infinite where it does not matter."""
    if op.kind is OperatorKind.MATMUL and len(op.shape) == 4:
        b, m, n, _ = op.shape
        return max(1.0, b * math.ceil(m / TILE) * math.ceil(n / TILE))
    if op.kind in (OperatorKind.CONV, OperatorKind.DEPTHWISE) and len(op.shape) == 9:
        n, _, h, w, c_out, _, _, stride, groups = op.shape
        pixels = n * math.ceil(h / stride) * math.ceil(w / stride)
        return max(1.0, groups * math.ceil(pixels / TILE) * math.ceil(c_out / groups / TILE))
    return math.inf


def depth(op: Op) -> float:
    """Length of the sums of a product or convolution; infinite where it does not matter."""
    if op.kind is OperatorKind.MATMUL and len(op.shape) == 4:
        return max(1, op.shape[3])
    if op.kind is OperatorKind.CONV and len(op.shape) == 9:
        _, c_in, _, _, _, k_h, k_w, _, groups = op.shape
        return max(1.0, c_in * k_h * k_w / groups)
    return math.inf


def types_on(device: Device, workload: Workload) -> dict[str, str]:
    """The type in which the device computes, for each type of the workload's operators."""
    types = {op.dtype: device.runs_in(op.dtype) for op in workload.ops}
    # cuDNN alone rounds to TF32 where nobody asked for it.
    if "tf32" in types and workload.precision == "default" and device.vendor != "NVIDIA":
        types["tf32"] = "fp32"
    return types


def demand(workload: Workload, device: Device) -> ResourceDemand:
    """The work of one step of the workload on one device."""
    shape = len(ENGINES), len(CLASSES)
    compute, narrow, shallow, hidden_compute = (np.zeros(shape) for _ in range(4))
    memory, hidden_memory, kernels = (np.zeros(len(CLASSES)) for _ in range(3))
    launches = np.zeros(len(PHASES))
    bandwidth = device.memory_bandwidth_gb_s * 1e9
    rates = {dtype: _rate(device, own) for dtype, own in types_on(device, workload).items()}
    ordinary = _rate(device, "fp32")[1]
    for op in workload.ops:
        engine, peak = rates[op.dtype] if op.kind in _ON_TENSOR else (0, ordinary)
        column = COLUMN[WINOGRAD if engine == 0 and _winograd(op) else op.kind]
        if op.phase is Phase.BACKWARD and device.kind == "gpu":
            column += len(FORWARD)
        seconds = op.flops * op.count / peak
        moving = op.bytes * op.count / bandwidth
        if seconds / USUAL_COMPUTE >= moving / USUAL_MEMORY:
            compute[engine, column] += seconds
            narrow[engine, column] += seconds * device.processors / tiles(op)
            shallow[engine, column] += seconds * TILE / depth(op)
            hidden_memory[column] += moving
        else:
            hidden_compute[engine, column] += seconds
            memory[column] += moving
        kernels[column] += op.count
        if op.kind in ON_HOST:
            launches[PHASES.index(op.phase)] += op.count
    return ResourceDemand(
        compute, narrow, shallow, memory, hidden_compute, hidden_memory, kernels, launches
    )


_ON_TENSOR = (
    OperatorKind.MATMUL,
    OperatorKind.CONV,
    OperatorKind.ATTENTION,
    OperatorKind.RECURRENT,
)


def _winograd(op: Op) -> bool:
    """Whether it is a convolution of 3 x 3, stride 1, one group."""
    return op.kind is OperatorKind.CONV and len(op.shape) == 9 and op.shape[5:] == (3, 3, 1, 1)


def _rate(device: Device, dtype: str) -> tuple[int, float]:
    """The engine that computes in a precision, and its peak in FLOP/s.

    Without tensor cores for it, half precision is computed as single: frameworks accumulate so.
    """
    ordinary = device.peak_tflops("fp32", tensor_cores=False) or 1.0
    if dtype == "fp32" or not device.tensor:
        return 0, ordinary * 1e12
    best = device.peak_tflops(dtype) or ordinary
    on_tensor = dtype in device.tensor or best > ordinary
    return (1, best * 1e12) if on_tensor else (0, ordinary * 1e12)


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Attained shares of the peaks; arrays over `ENGINES` and `CLASSES` as in `ResourceDemand`.

    Attributes:
        compute: share of the peak rate, (engines, classes).
        memory: share of the peak bandwidth, (classes,).
        narrow: cost of few tiles.
        shallow: cost of short sums.
        latency_s: of a kernel on the device, (classes,).
        exposed: part of the smaller of compute and memory that is not hidden.
        launch_s: of a kernel on the host, (phases,).
        step_s: fixed time of a step on the host.
        corner: exponent of the soft maximum.
    """

    compute: Array
    memory: Array
    narrow: float
    shallow: float
    latency_s: Array
    exposed: float
    launch_s: Array
    step_s: float
    corner: float


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds of one step, by use; `tensor` is the part of `compute` on tensor units.

    `compute`, `memory` and `latency` are the device's and add up.
    """

    compute: Array
    tensor: Array
    memory: Array
    latency: Array
    host: Array
    input: Array

    def step(self, corner: float, clock: Array | float = 1.0) -> Array:
        """The time of the step, the compute clock at a share of its full rate."""
        device = self.compute / clock + self.memory + self.latency
        parts = np.stack(np.broadcast_arrays(device, self.host, self.input))
        top = parts.max(0)
        return np.asarray(top * ((parts / top) ** corner).sum(0) ** (1 / corner))


def busy(need: ResourceDemand, attained: Efficiency, input_s: Array | float = 0.0) -> Busy:
    """How long device, host and input pipeline are at work for one step."""
    seconds = need.compute + attained.narrow * need.narrow + attained.shallow * need.shallow
    seconds = (seconds + attained.exposed * need.hidden_compute) / attained.compute
    memory = (need.memory + attained.exposed * need.hidden_memory) / attained.memory
    compute = seconds.sum((-1, -2))
    return Busy(
        compute=compute,
        tensor=seconds[..., 1, :].sum(-1),
        memory=memory.sum(-1),
        latency=(need.kernels * attained.latency_s).sum(-1),
        host=(need.launches * attained.launch_s).sum(-1) + attained.step_s,
        input=np.broadcast_to(np.asarray(input_s, float), compute.shape),
    )
