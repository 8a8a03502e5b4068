"""Small pieces of work, timed one by one: what a device does of each in a second.

Each test is one operator with known operations and bytes, large enough that the device is full, or
so small that only its start counts. A test warms up until its time has settled, then repeats for
its share of the time; the median stands, and half the interquartile range says how noisy it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingExtraError
from ..workload.model import Op, OperatorKind, Phase, Workload

if TYPE_CHECKING:
    import torch

Call = Callable[[], object]
SPREAD_OF = (25.0, 75.0)  # percentiles
_LEAST_REPEATS = 5
_STRETCH_S = 0.02  # of calls timed together: a clock's own cost and jitter are nothing to it
_STRETCHES = 10  # or as short as so many of them fit into the time
_WARM_UP = 0.3  # of a test's time
_BYTES = 4  # of a number in fp32

COMPUTE, MEMORY, LAUNCH, STEP, INPUT = "compute", "memory", "launch", "step", "input"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work. `make` gives a function that does it once; `work` is what it asks for."""

    name: str  # for people
    group: str  # the constant it is for
    make: Callable[[], Call]
    work: Workload | None = None  # of one call; None where no operator is counted
    samples: int = 0  # a call reads, of `INPUT`
    sample_bytes: float = 0.0
    working_set: float = 0.0  # bytes that its calls touch in turn


@dataclass(frozen=True, slots=True)
class Result:
    """A test's figures. `seconds` is the median of one call, `spread` relative to it."""

    test: Piece
    seconds: float
    spread: float
    repeats: int
    power_w: float | None = None  # of the device, while it ran; None: nothing was metered
    skipped: str | None = None  # why it was not run
    exchange_s: tuple[float, float] | None = None  # between cores, before and after: see `cores`

    def to_json(self) -> dict[str, Any]:
        """For the ledger and for `--json`."""
        known = self.skipped is None
        return {
            "name": self.test.name,
            "for": self.test.group,
            "seconds": self.seconds if known else None,
            "spread": self.spread if known else None,
            "repeats": self.repeats,
            "power_w": self.power_w,
            "skipped": self.skipped,
            "exchange_s": None if self.exchange_s is None else list(self.exchange_s),
        }


def framework() -> Any:
    """torch. Raises `MissingExtraError`."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("joulecast calibrate", "forecast") from None
    return torch


def waiter(torch: Any, device: torch.device) -> Callable[[], None]:
    """What waits until the device has done all that it was given."""
    if device.type != "cuda":
        return lambda: None
    return lambda: torch.cuda.synchronize(device)


def timed(
    call: Call, wait: Callable[[], None], seconds: float, clock: Callable[[], float]
) -> tuple[float, float, int]:
    """Median time of a call in seconds, its relative spread, and how many stretches were timed.

    At least five stretches are, however long that takes.
    """
    call()
    wait()
    begun = clock()
    call()
    wait()
    each = max(clock() - begun, 1e-9)
    least = min(_STRETCH_S, seconds / _STRETCHES)
    count = max(1, min(100_000, round(least / each)))

    def stretch() -> float:
        start = clock()
        for _ in range(count):
            call()
        wait()
        return (clock() - start) / count

    begun = clock()
    while clock() - begun < seconds * _WARM_UP:
        each = stretch()
    count = max(1, min(100_000, round(least / each)))
    begun = clock()
    times: list[float] = []
    while len(times) < _LEAST_REPEATS or clock() - begun < seconds * (1 - _WARM_UP):
        times.append(stretch())
    low, middle, high = np.percentile(times, [SPREAD_OF[0], 50.0, SPREAD_OF[1]])
    return float(middle), float((high - low) / 2 / middle) if middle > 0 else 0.0, len(times)


def run_pieces(
    tests: Sequence[Piece],
    wait: Callable[[], None],
    seconds: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    span: Callable[[str], AbstractContextManager[object]] = nullcontext,
    told: Callable[[str], None] = lambda name: None,
    exchange: Callable[[], float] | None = None,
) -> Iterator[Result]:
    """Run the tests in turn, `seconds` in all; each in a span of its name, between exchanges.

    One that fails (not enough memory, an operator that is not there) is skipped with the reason.
    """
    for test in tests:
        told(test.name)
        try:
            call = test.make()
            before = exchange() if exchange else 0.0
            with span(test.name):
                median, spread, repeats = timed(call, wait, seconds / len(tests), clock)
            apart = (before, exchange()) if exchange else None
            del call  # its memory is the next one's
            yield Result(test, median, spread, repeats, exchange_s=apart)
        except (RuntimeError, MemoryError, NotImplementedError) as error:
            why = (str(error) or type(error).__name__).splitlines()[0][:200]
            yield Result(test, 0.0, 0.0, 0, skipped=why)


def device_pieces(torch: Any, device: torch.device) -> list[Piece]:
    """The pieces of work for a device, sized to it."""
    return [_launch(torch, device), _step(torch, device), *operator_pieces(torch, device)]


def operator_pieces(torch: Any, device: torch.device) -> list[Piece]:
    """Those that fill the device: products, convolutions, copies."""
    gpu = device.type == "cuda"
    found = []
    types = _types(torch, device)
    for size in (2048, 4096, 8192) if gpu else (512, 1024, 2048):
        found += [_product(torch, device, size, dtype) for dtype in types]
    shapes = (
        ((64, 64, 112, 3), (64, 256, 28, 3), (64, 512, 14, 1))
        if gpu
        else ((8, 64, 56, 3), (8, 128, 28, 3), (8, 256, 14, 1))
    )
    found += [_convolution(torch, device, *shape) for shape in shapes]
    free = _free_bytes(torch, device)
    wanted = (2**28, 2**30) if gpu else (2**26, 2**28)
    for size in wanted:
        if 4 * size <= free:
            found += [_copy(torch, device, size), _sum(torch, device, size)]
    return found


def input_pieces(torch: Any) -> list[Piece]:
    """Reading made-up images, as a loader in the training's own process does."""
    return [_pipeline(torch, side) for side in (32, 224)]


# --- one by one ----------------------------------------------------------------------------------


def workload(*ops: Op) -> Workload:
    """A piece of work that launches these operators and keeps nothing."""
    return Workload(
        name=str(ops[0].kind) if ops else "views",
        batch=1,
        input_shape=(),
        precision=ops[0].dtype if ops else "fp32",
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


def _product(torch: Any, device: torch.device, n: int, dtype: str) -> Piece:
    width = 2 if dtype == "bf16" else _BYTES

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
    return Piece(f"matrix product {n} {dtype}", COMPUTE, make, workload(op))


def _convolution(
    torch: Any, device: torch.device, batch: int, channels: int, side: int, kernel: int
) -> Piece:
    # cuDNN takes tensor cores for fp32 convolutions unless told otherwise: so do trainings.
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
    size = _BYTES * (2.0 * values + weights)
    op = Op(OperatorKind.CONV, Phase.FORWARD, flops, size, dtype, "", shape)
    title = f"convolution {kernel}x{kernel}, {channels} channels {side}x{side}"
    return Piece(title, COMPUTE, make, workload(op))


def _copy(torch: Any, device: torch.device, size: int) -> Piece:
    def make() -> Call:
        a = torch.ones(size // _BYTES, device=device)
        b = torch.empty_like(a)
        return lambda: b.copy_(a)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 2.0 * size, "fp32")
    return Piece(f"copy {size >> 20} MiB", MEMORY, make, workload(op))


def _sum(torch: Any, device: torch.device, size: int) -> Piece:
    def make() -> Call:
        a, b = (torch.ones(size // _BYTES, device=device) for _ in range(2))
        out = torch.empty_like(a)
        return lambda: torch.add(a, b, out=out)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, size / _BYTES, 3.0 * size, "fp32")
    return Piece(f"sum {size >> 20} MiB", MEMORY, make, workload(op))


def _launch(torch: Any, device: torch.device) -> Piece:
    def make() -> Call:
        a = torch.ones(16, device=device)
        return lambda: a.add_(1.0)

    op = Op(OperatorKind.ELEMENTWISE, Phase.FORWARD, 16.0, 2.0 * 16 * _BYTES, "fp32")
    return Piece("launch", LAUNCH, make, workload(op))


def _step(torch: Any, device: torch.device) -> Piece:
    """A whole training step of next to nothing."""
    from ..workload import analyze
    from .steps import training_step

    def module() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8))

    def make() -> Call:
        x = torch.randn(8, 8, device=device)
        return training_step(module().to(device), ((x,), {}), "sgd", "fp32")

    kind = "cpu" if device.type == "cpu" else "gpu"
    work = analyze(module(), (8,), batch=8, training=True, optimizer="sgd", device=kind)
    return Piece("training step of next to nothing", STEP, make, work)


def _pipeline(torch: Any, side: int) -> Piece:
    """Decoded images, flipped, scaled to numbers and gathered into batches of 32."""
    batch = 32

    def make() -> Call:
        images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
        mean, scale = torch.full((3, 1, 1), 0.45), torch.full((3, 1, 1), 0.22)

        def sample(i: int) -> Any:
            values = images[i].permute(2, 0, 1).float().div_(255.0)
            return (values if i % 2 else values.flip(-1)).sub_(mean).div_(scale)

        return lambda: torch.stack([sample(i) for i in range(batch)])

    size = float(3 * side * side * _BYTES)
    return Piece(f"host pipeline {side}x{side}", INPUT, make, None, batch, size)


def _free_bytes(torch: Any, device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    import psutil

    return float(psutil.virtual_memory().available) / 2
