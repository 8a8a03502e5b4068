"""Small pieces of work for a CPU: each class of operators at sizes that small networks use.

A piece is one layer on inputs of its own, forward alone or with its backward pass, run by autograd
as in a training. So that data lie where a step finds them, and not in the core's own cache, a
piece is a round of copies that together touch about as much as a small network's step: all of them
forward, then all of them backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..workload import optimizers
from ..workload.model import Op, OperatorKind, Phase
from .cpu_steps import whole_steps
from .microbench import Call, Piece, workload

OPERATOR, UPDATE, LEVEL, DRAW = "operator", "update", "level", "draw"
TOUCH, VIEW = "touch", "view"
ROUND_BYTES = 8 * 2**20  # what a round of copies touches
LEVEL_BYTES = (2**17, 2**20, 2**22, 2**24, 2**26, 2**28)  # working sets of a copy
DRAWN = (2**12, 2**15, 2**18)  # random numbers
TOUCHED = 48 * 2**20  # bytes: above what an allocator keeps for itself (32 MiB by glibc's)
TENSORS = (
    (2, 64),
    (24, 64),
    (24, 2**12),
    (4, 2**18),
)  # parameters of an optimizer: how many, how large
_MOST_COPIES = 64
_WORDS = 10_000  # of an embedding


@dataclass(frozen=True, slots=True)
class Sample:
    """One layer of a class, and the shape of what it is given; `indices` where these are words."""

    kind: OperatorKind
    name: str
    layer: Callable[[], Any]
    shape: tuple[int, ...]
    indices: bool = False


def cpu_pieces(torch: Any) -> list[Piece]:
    """All of them: copies by working set, random numbers, operators, optimizers, whole steps.

    Whole steps are there three times, first, amid and last: a machine may change its pace.
    """
    whole = whole_steps(torch)
    return [
        *whole,
        *(_level(torch, size) for size in LEVEL_BYTES),
        *(_draw(torch, count) for count in DRAWN),
        *(_touch(torch, fresh) for fresh in (False, True)),
        *(_layer(torch, views(torch), backward, VIEW) for backward in (False, True)),
        *(_layer(torch, s, False) for s in samples(torch)),
        *whole,
        *(_layer(torch, s, True) for s in samples(torch)),
        *(_update(torch, name, *sizes) for name in ("sgd", "adam") for sizes in TENSORS),
        *whole,
    ]


def samples(torch: Any) -> list[Sample]:
    """Layers by class, from sizes whose start counts to such whose work does."""
    nn = torch.nn
    found: list[Sample] = []

    def add(
        kind: OperatorKind, name: str, layer: Callable[[], Any], *shapes: tuple[int, ...]
    ) -> None:
        for shape in shapes:
            title = f"{name} on {'x'.join(map(str, shape))}"
            found.append(Sample(kind, title, layer, shape, kind is OperatorKind.EMBEDDING))

    rows = ((32, 32), (512, 128), (4096, 256))
    images = ((8, 16, 8, 8), (16, 96, 14, 14), (32, 32, 28, 28))
    add(OperatorKind.ELEMENTWISE, "relu", nn.ReLU, *rows, (2048, 2048))
    add(
        OperatorKind.ELEMENTWISE, "sum of two", lambda: _module(torch, lambda x: x + 1.5 * x), *rows
    )
    add(OperatorKind.ELEMENTWISE, "sum of rows", lambda: _module(torch, lambda x: x.sum(0)), *rows)
    add(
        OperatorKind.MOVE,
        "heads to the front",
        lambda: _module(torch, _heads),
        (4, 16, 64),
        (64, 32, 256),
    )
    add(
        OperatorKind.MOVE,
        "concatenation",
        lambda: _module(torch, lambda x: torch.cat((x, x), 1)),
        *rows,
    )
    for batch, k, n in ((16, 32, 32), (64, 256, 16), (128, 128, 128), (256, 64, 384)):
        add(OperatorKind.MATMUL, f"linear {k} to {n}", _linear(nn, k, n), (batch, k))
    add(OperatorKind.MATMUL, "linear 512 to 512", _linear(nn, 512, 512), (512, 512))
    for batch, c_in, c_out, side, size in (
        (8, 8, 8, 8, 3),
        (32, 3, 16, 32, 3),
        (32, 16, 32, 16, 3),
        (16, 64, 64, 14, 3),
        (16, 128, 32, 14, 1),
        (32, 24, 96, 14, 1),
    ):
        name = f"convolution {size}x{size} to {c_out}"
        add(OperatorKind.CONV, name, _conv(nn, c_in, c_out, size, 1), (batch, c_in, side, side))
    for shape in images:
        channels = shape[1]
        add(
            OperatorKind.DEPTHWISE,
            "depthwise 3x3",
            _conv(nn, channels, channels, 3, channels),
            shape,
        )
        add(OperatorKind.NORM, "batch norm", _batch_norm(nn, channels), shape)
    for count, width in rows:
        add(OperatorKind.NORM, "layer norm", _layer_norm(nn, width), (count, width))
    add(OperatorKind.POOL, "max pool", lambda: nn.MaxPool2d(2), *images)
    add(OperatorKind.SOFTMAX, "softmax", lambda: nn.Softmax(-1), *rows)
    add(OperatorKind.EMBEDDING, "embedding", lambda: nn.Embedding(_WORDS, 64), (256,), (4096,))
    attend = torch.nn.functional.scaled_dot_product_attention
    heads = ((8, 4, 32, 16), (4, 4, 128, 32), (2, 8, 256, 64))
    add(
        OperatorKind.ATTENTION,
        "attention",
        lambda: _module(torch, lambda x: attend(x, x, x)),
        *heads,
    )
    for batch, time, width, state in (
        (32, 4, 32, 96),
        (16, 16, 16, 32),
        (8, 40, 24, 48),
        (64, 32, 64, 64),
        (32, 12, 128, 256),
    ):
        name = f"lstm of {state}"
        add(OperatorKind.RECURRENT, name, _lstm(nn, width, state), (batch, time, width))
    return found


def views(torch: Any) -> Sample:
    """Descriptions of memory made anew, as between the layers of a network."""

    def seen(x: Any) -> Any:
        for _ in range(4):
            x = x.view(4, -1, 8).transpose(0, 1).transpose(0, 1).view(-1, 8)
        return x

    return Sample(OperatorKind.MOVE, "views of 64x8", lambda: _module(torch, seen), (64, 8))


def _heads(x: Any) -> Any:
    """A change of order as attention does it, of 4 heads."""
    return x.view(*x.shape[:2], 4, -1).transpose(1, 2).contiguous()


def _linear(nn: Any, k: int, n: int) -> Callable[[], Any]:
    return lambda: nn.Linear(k, n, bias=False)


def _conv(nn: Any, c_in: int, c_out: int, size: int, groups: int) -> Callable[[], Any]:
    return lambda: nn.Conv2d(c_in, c_out, size, padding=size // 2, groups=groups, bias=False)


def _batch_norm(nn: Any, channels: int) -> Callable[[], Any]:
    return lambda: nn.BatchNorm2d(channels)


def _layer_norm(nn: Any, width: int) -> Callable[[], Any]:
    return lambda: nn.LayerNorm(width)


def _lstm(nn: Any, width: int, state: int) -> Callable[[], Any]:
    return lambda: nn.LSTM(width, state, batch_first=True)


def _module(torch: Any, act: Callable[[Any], Any]) -> Any:
    """A module without weights."""

    class Do(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return act(x)

    return Do()


def _fed(torch: Any, sample: Sample) -> Any:
    """The layer with inputs of its own, which want a gradient as those inside a network do."""

    class Fed(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = sample.layer()
            if sample.indices:
                self.register_buffer("x", torch.randint(0, _WORDS, sample.shape))
            else:
                self.x = torch.nn.Parameter(torch.randn(sample.shape))

        def forward(self, _: Any) -> Any:
            given = self.layer(self.x)
            return given[0] if isinstance(given, tuple) else given

    return Fed()


# --- one by one ----------------------------------------------------------------------------------


def _layer(torch: Any, sample: Sample, backward: bool, group: str = OPERATOR) -> Piece:
    ops, viewed = layer_ops(torch, sample, backward)
    touched = sum(op.bytes * op.count for op in ops)
    copies = max(1, min(_MOST_COPIES, round(ROUND_BYTES / max(touched, 1.0))))

    def make() -> Call:
        modules = [_fed(torch, sample) for _ in range(copies)]
        parameters = [p for module in modules for p in module.parameters()]
        gradients = [torch.randn_like(modules[0](None))] * copies

        def forward() -> None:
            [module(None) for module in modules]  # all are kept until the last

        def both() -> None:
            outputs = [module(None) for module in modules]
            torch.autograd.backward(outputs, gradients)  # its engine starts once, as in a step
            for parameter in parameters:
                parameter.grad = None

        return both if backward else forward

    title = f"{copies} x {sample.name}{', and backward' if backward else ''}"
    all_ops = [replace(op, count=op.count * copies) for op in ops]
    work = replace(workload(*all_ops), views=viewed * copies)
    return Piece(title, group, make, work, working_set=copies * touched)


def layer_ops(torch: Any, sample: Sample, backward: bool) -> tuple[tuple[Op, ...], int]:
    """What a piece launches and how many views it takes, counted as forecasts count them."""
    from ..workload import analyze
    from ..workload.layers import LOSS

    work = analyze(
        _fed(torch, sample),
        (1,),
        training=backward,
        optimizer="none",
        # Its gradient is a tensor of its own, and no expanded number.
        loss=lambda output: output.square().mean(),
        device="cpu",
    )
    return tuple(op for op in work.ops if op.layer != LOSS), work.views


def _update(torch: Any, name: str, count: int, size: int) -> Piece:
    """An optimizer's step over `count` parameters of `size` numbers."""
    ops = optimizers.step(name, [size] * count, 4, one_by_one=True).ops

    def make() -> Call:
        parameters = [torch.nn.Parameter(torch.randn(size)) for _ in range(count)]
        for parameter in parameters:
            parameter.grad = torch.randn(size)
        kind = torch.optim.SGD if name == "sgd" else torch.optim.Adam
        return kind(parameters, lr=1e-6).step  # type: ignore[no-any-return]

    touched = (2 if name == "sgd" else 5) * 4.0 * size * count
    title = f"{name}, {count} tensors of {size}"
    return Piece(title, UPDATE, make, workload(*ops), working_set=touched)


def _level(torch: Any, size: int) -> Piece:
    def make() -> Call:
        a = torch.ones(size // 8)
        b = torch.empty_like(a)
        return lambda: b.copy_(a)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, float(size), "fp32")
    title = f"copy within {size / 2**20:g} MiB"
    return Piece(title, LEVEL, make, workload(op), working_set=float(size))


def _touch(torch: Any, fresh: bool) -> Piece:
    """Memory written: where it lay before, or handed out anew by the operating system."""

    def make() -> Call:
        a = torch.empty(TOUCHED // 4)
        return (lambda: torch.empty(TOUCHED // 4).fill_(1.0)) if fresh else lambda: a.fill_(1.0)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, float(TOUCHED), "fp32")
    title = f"{'new' if fresh else 'known'} memory written"
    return Piece(title, TOUCH, make, workload(op), working_set=float(TOUCHED))


def settle(torch: Any) -> None:
    """Has the allocator keep what is freed, so that pieces do not wait for the operating system.

    glibc raises its thresholds to the largest mapping freed so far (mallopt(3), M_MMAP_THRESHOLD),
    up to 32 MiB; elsewhere this does nothing. What new memory takes is a constant of its own.
    """
    torch.empty(31 * 2**18).fill_(0.0)


def _draw(torch: Any, count: int) -> Piece:
    def make() -> Call:
        a = torch.empty(count)
        return lambda: a.bernoulli_(0.9)

    op = Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 4.0 * count, "fp32", draws=float(count))
    return Piece(f"{count} random numbers", DRAW, make, workload(op), working_set=4.0 * count)
