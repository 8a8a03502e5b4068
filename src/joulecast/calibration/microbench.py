"""Microbenchmarks: small operators and training steps, timed one by one.

Each is an operator with known operations and bytes, large enough that the device is full, or a step
so small that only the start of its operators counts. A test warms up until its time has settled,
then repeats for its share of the time; the result is the median, and half the interquartile range
shows how noisy it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingExtraError
from ..workload.model import Op, OperatorKind, Phase, Workload
from .stored_constants import MicroTiming

if TYPE_CHECKING:
    import torch

Call = Callable[[], object]
PERCENTILES = (25.0, 75.0)
_MIN_REPEATS = 5
# Calls are timed together for so long that the clock's own cost does not count, or for so short
# that this number of segments fits into the time.
_SEGMENT_S = 0.02
_SEGMENTS = 10
_WARM_UP = 0.3
_MAX_CALLS = 100_000
_FP32_BYTES = 4

COMPUTE, MEMORY, LAUNCH, STEP, INPUT = "compute", "memory", "launch", "step", "input"


@dataclass(frozen=True, slots=True)
class Microbenchmark:
    """A function to time.

    Attributes:
        name: for people.
        group: the constant it is for.
        make: returns the function; its memory is allocated only then.
        work: what one call asks of the device; None where no operator is counted.
        samples: that a call of `INPUT` reads.
        sample_bytes: size of one of them.
    """

    name: str
    group: str
    make: Callable[[], Call]
    work: Workload | None = None
    samples: int = 0
    sample_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A microbenchmark and its figures."""

    test: Microbenchmark
    timing: MicroTiming

    @property
    def seconds(self) -> float:
        """Median time of a call; 0 where it could not run."""
        return self.timing.seconds or 0.0

    def with_power(self, power_w: float | None) -> Measurement:
        """The same with the power that was metered during the test."""
        return replace(self, timing=replace(self.timing, power_w=power_w))


def framework() -> Any:
    """torch. Raises `MissingExtraError`."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("joulecast calibrate", "forecast") from None
    return torch


def waiter(torch: Any, device: torch.device) -> Callable[[], None]:
    """A function that returns when the device has finished all queued work."""
    if device.type != "cuda":
        return lambda: None
    return lambda: torch.cuda.synchronize(device)


def timed(
    call: Call, wait: Callable[[], None], seconds: float, clock: Callable[[], float]
) -> tuple[float, float, int]:
    """Median time of a call in seconds, its relative spread, and the number of timed segments.

    At least five segments are timed, however long that takes.
    """
    call()
    wait()
    begun = clock()
    call()
    wait()
    each_s = max(clock() - begun, 1e-9)
    segment_s = min(_SEGMENT_S, seconds / _SEGMENTS)
    count = max(1, min(_MAX_CALLS, round(segment_s / each_s)))

    def segment() -> float:
        start = clock()
        for _ in range(count):
            call()
        wait()
        return (clock() - start) / count

    begun = clock()
    while clock() - begun < seconds * _WARM_UP:
        each_s = segment()
    count = max(1, min(_MAX_CALLS, round(segment_s / each_s)))
    begun = clock()
    times: list[float] = []
    while len(times) < _MIN_REPEATS or clock() - begun < seconds * (1 - _WARM_UP):
        times.append(segment())
    low, middle, high = np.percentile(times, [PERCENTILES[0], 50.0, PERCENTILES[1]])
    return float(middle), float((high - low) / 2 / middle) if middle > 0 else 0.0, len(times)


def measure_all(
    tests: Sequence[Microbenchmark],
    wait: Callable[[], None],
    seconds: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    span: Callable[[str], AbstractContextManager[object]] = nullcontext,
    progress: Callable[[str], None] = lambda name: None,
) -> Iterator[Measurement]:
    """Run the tests in turn, each in a span of its name, in about `seconds` altogether.

    A test that fails (not enough memory, a missing operator) is skipped with the reason.
    """
    for test in tests:
        progress(test.name)
        try:
            call = test.make()
            with span(test.name):
                figures = timed(call, wait, seconds / len(tests), clock)
            # Frees its memory for the next test.
            del call
            timing = MicroTiming(test.name, test.group, *figures)
        except (RuntimeError, MemoryError, NotImplementedError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            timing = MicroTiming(test.name, test.group, None, None, 0, skipped=reason)
        yield Measurement(test, timing)


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


def _workload(*ops: Op) -> Workload:
    """A workload of these operators that keeps nothing."""
    return Workload(
        name=str(ops[0].kind),
        batch=1,
        input_shape=(),
        precision=ops[0].dtype,
        training=False,
        optimizer=None,
        parameters=0,
        ops=ops,
        layers=(),
        weight_bytes=0.0,
        gradient_bytes=0.0,
        optimizer_bytes=0.0,
        activation_bytes=0.0,
    )


def _types(torch: Any, device: torch.device) -> list[str]:
    """Precisions to multiply in: those that trainings use on the device."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8:
        return ["fp32", "tf32", "bf16"]
    return ["fp32"]


def _product(torch: Any, device: torch.device, n: int, dtype: str) -> Microbenchmark:
    width = 2 if dtype == "bf16" else _FP32_BYTES

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

    op = Op(
        OperatorKind.MATMUL, Phase.FORWARD, 2.0 * n**3, 3.0 * n * n * width, dtype, "", (1, n, n, n)
    )
    return Microbenchmark(f"matrix product {n} {dtype}", COMPUTE, make, _workload(op))


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
    return Microbenchmark(title, COMPUTE, make, _workload(op))


def _copy(torch: Any, device: torch.device, size: int) -> Microbenchmark:
    def make() -> Call:
        a = torch.ones(size // _FP32_BYTES, device=device)
        b = torch.empty_like(a)
        return lambda: b.copy_(a)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 2.0 * size, "fp32")
    return Microbenchmark(f"copy {size >> 20} MiB", MEMORY, make, _workload(op))


def _sum(torch: Any, device: torch.device, size: int) -> Microbenchmark:
    def make() -> Call:
        a, b = (torch.ones(size // _FP32_BYTES, device=device) for _ in range(2))
        out = torch.empty_like(a)
        return lambda: torch.add(a, b, out=out)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, size / _FP32_BYTES, 3.0 * size, "fp32")
    return Microbenchmark(f"sum {size >> 20} MiB", MEMORY, make, _workload(op))


def _launch(torch: Any, device: torch.device) -> Microbenchmark:
    def make() -> Call:
        a = torch.ones(16, device=device)
        return lambda: a.add_(1.0)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, 16.0, 2.0 * 16 * _FP32_BYTES, "fp32")
    return Microbenchmark("launch", LAUNCH, make, _workload(op))


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
