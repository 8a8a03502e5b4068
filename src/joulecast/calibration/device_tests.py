"""The microbenchmarks of a device.

Each is an operator with known operations and bytes, large enough that the device is full, or a step
so small that only the start of its operators counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..workload.model import Op, OperatorKind, Phase, Workload
from .microbench import COMPUTE, INPUT, LAUNCH, MEMORY, STEP, Call, Microbenchmark

if TYPE_CHECKING:
    import torch

_FP32_BYTES = 4


def device_tests(torch: Any, device: torch.device) -> list[Microbenchmark]:
    """The tests of a device, sized to it."""
    starts = [_launch(torch, device)] if device.type == "cuda" else []
    return [*starts, *step_tests(torch, device), *operator_tests(torch, device)]


def operator_tests(torch: Any, device: torch.device) -> list[Microbenchmark]:
    """Those that fill the device: products, convolutions, copies and sums."""
    gpu = device.type == "cuda"
    sizes = (2048, 4096, 8192) if gpu else (512, 1024)
    shapes = (
        ((64, 64, 112, 3), (64, 256, 28, 3), (64, 512, 14, 1))
        if gpu
        else ((8, 64, 56, 3), (8, 256, 14, 1))
    )
    # Of a CPU one size fits its caches, where small networks have their data, and one does not.
    moved = (2**28, 2**30) if gpu else (2**22, 2**26)
    free = _free_bytes(torch, device)
    tests = [_product(torch, device, n, dtype) for n in sizes for dtype in _types(torch, device)]
    tests += [_convolution(torch, device, *shape) for shape in shapes]
    for size in moved:
        if 4 * size <= free:
            tests += [_copy(torch, device, size), _sum(torch, device, size)]
    return tests


def input_tests(torch: Any) -> list[Microbenchmark]:
    """Reading made-up images, as a loader in the training's own process does."""
    return [_pipeline(torch, side) for side in (32, 224)]


def step_tests(torch: Any, device: torch.device) -> list[Microbenchmark]:
    """Training steps of next to nothing, in which only starting operators takes time.

    Of a GPU one is enough, because its launches have a test of their own. On a CPU operators take
    longer to start among others than alone, so that networks of different depths and kinds show
    what an operator and what a step takes.
    """
    nn = torch.nn

    def dense(layers: int) -> Callable[[], Any]:
        def build() -> Any:
            pairs = [each for _ in range(layers - 1) for each in (nn.Linear(8, 8), nn.ReLU())]
            return nn.Sequential(*pairs, nn.Linear(8, 8))

        return build

    def images() -> Any:
        return nn.Sequential(
            *(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 8)),
        )

    def words() -> Any:
        layer = nn.TransformerEncoderLayer(8, 2, 24, 0.0, "gelu", batch_first=True)
        return nn.Sequential(layer, nn.Flatten(), nn.Linear(32, 8))

    two = _step(torch, device, "dense, 2 layers", dense(2), (8,), "sgd")
    if device.type == "cuda":
        return [two]
    return [
        two,
        _step(torch, device, "dense, 12 layers", dense(12), (8,), "adam"),
        _step(torch, device, "convolutions", images, (3, 8, 8), "adam"),
        _step(torch, device, "attention", words, (4, 8), "sgd"),
    ]


def _operator(name: str, group: str, op: Op, make: Callable[[], Call]) -> Microbenchmark:
    """The test of one operator, as a workload that keeps nothing in memory."""
    work = Workload(
        name=str(op.kind),
        batch=1,
        input_shape=(),
        precision=op.dtype,
        training=False,
        optimizer=None,
        parameters=0,
        ops=(op,),
        layers=(),
        weight_bytes=0.0,
        gradient_bytes=0.0,
        optimizer_bytes=0.0,
        activation_bytes=0.0,
    )
    return Microbenchmark(name, group, make, work)


def _types(torch: Any, device: torch.device) -> list[str]:
    """Precisions to multiply in: those that trainings use on the device."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8:
        return ["fp32", "tf32", "bf16"]
    return ["fp32"]


def _product(torch: Any, device: torch.device, n: int, dtype: str) -> Microbenchmark:
    def make() -> Call:
        kind = torch.bfloat16 if dtype == "bf16" else torch.float32
        a, b = (torch.randn(n, n, device=device, dtype=kind) for _ in range(2))
        out = torch.empty_like(a)
        if device.type != "cuda":
            return lambda: torch.mm(a, b, out=out)

        def call() -> None:
            before = torch.backends.cuda.matmul.allow_tf32
            torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
            try:
                torch.mm(a, b, out=out)
            finally:
                torch.backends.cuda.matmul.allow_tf32 = before

        return call

    shape = (1, n, n, n)
    size = 3.0 * n * n * (2 if dtype == "bf16" else _FP32_BYTES)
    op = Op(OperatorKind.MATMUL, Phase.FORWARD, 2.0 * n**3, size, dtype, "", shape)
    return _operator(f"matrix product {n} {dtype}", COMPUTE, op, make)


def _convolution(
    torch: Any, device: torch.device, batch: int, channels: int, side: int, kernel: int
) -> Microbenchmark:
    # By default cuDNN uses tensor cores for fp32 convolutions, as in a training.
    tensor = device.type == "cuda" and len(_types(torch, device)) > 1
    dtype = "tf32" if tensor and torch.backends.cudnn.allow_tf32 else "fp32"

    def make() -> Call:
        x = torch.randn(batch, channels, side, side, device=device)
        weight = torch.randn(channels, channels, kernel, kernel, device=device)

        def call() -> None:
            with torch.no_grad():
                torch.nn.functional.conv2d(x, weight, padding=kernel // 2)

        return call

    values = batch * channels * side * side
    weights = channels * channels * kernel * kernel
    shape = (batch, channels, side, side, channels, kernel, kernel, 1, 1)
    flops = 2.0 * values * channels * kernel * kernel
    size = _FP32_BYTES * (2.0 * values + weights)
    op = Op(OperatorKind.CONV, Phase.FORWARD, flops, size, dtype, "", shape)
    title = f"convolution {kernel}x{kernel}, {channels} channels {side}x{side}"
    return _operator(title, COMPUTE, op, make)


def _copy(torch: Any, device: torch.device, size: int) -> Microbenchmark:
    def make() -> Call:
        a, out = (torch.ones(size // _FP32_BYTES, device=device) for _ in range(2))
        return lambda: out.copy_(a)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 2.0 * size, "fp32")
    return _operator(f"copy {size >> 20} MiB", MEMORY, op, make)


def _sum(torch: Any, device: torch.device, size: int) -> Microbenchmark:
    def make() -> Call:
        a, b, out = (torch.ones(size // _FP32_BYTES, device=device) for _ in range(3))
        return lambda: torch.add(a, b, out=out)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, size / _FP32_BYTES, 3.0 * size, "fp32")
    return _operator(f"sum {size >> 20} MiB", MEMORY, op, make)


def _launch(torch: Any, device: torch.device) -> Microbenchmark:
    def make() -> Call:
        a = torch.ones(16, device=device)
        return lambda: a.add_(1.0)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, 16.0, 2.0 * 16 * _FP32_BYTES, "fp32")
    return _operator("launch", LAUNCH, op, make)


def _step(
    torch: Any,
    device: torch.device,
    name: str,
    build: Callable[[], Any],
    shape: tuple[int, ...],
    optimizer: str,
) -> Microbenchmark:
    from ..workload import analyze
    from .steps import training_step

    def make() -> Call:
        x = torch.randn(8, *shape, device=device)
        return training_step(build().to(device), ((x,), {}), optimizer, "fp32")

    kind = "cpu" if device.type == "cpu" else "gpu"
    work = analyze(build(), shape, batch=8, training=True, optimizer=optimizer, device=kind)
    return Microbenchmark(f"tiny training step: {name}", STEP, make, work)


def _pipeline(torch: Any, side: int) -> Microbenchmark:
    """Decoded images, flipped, scaled to numbers and gathered into batches of 32."""
    batch = 32

    def make() -> Call:
        images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
        mean, scale = torch.full((3, 1, 1), 0.45), torch.full((3, 1, 1), 0.22)

        def sample(i: int) -> Any:
            values = images[i].permute(2, 0, 1).float().div_(255.0)
            return (values if i % 2 else values.flip(-1)).sub_(mean).div_(scale)

        return lambda: torch.stack([sample(i) for i in range(batch)])

    size = float(3 * side * side * _FP32_BYTES)
    return Microbenchmark(f"host pipeline {side}x{side}", INPUT, make, None, batch, size)


def _free_bytes(torch: Any, device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    import psutil

    return float(psutil.virtual_memory().available) / 2
