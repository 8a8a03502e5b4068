"""Whole training steps of small networks, for a CPU: operators run otherwise among others.

One after another of the same kind, an operator finds its code in the caches and its threads awake.
How much less of that a step has is told by steps themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .microbench import Call, Piece

AMONG = "among"


@dataclass(frozen=True, slots=True)
class Step:
    """A training step of a small network, whole: operators run otherwise among others."""

    name: str
    network: Callable[[], Any]
    shape: tuple[int, ...]  # of one sample
    batch: int
    optimizer: str


def whole_steps(torch: Any) -> list[Piece]:
    """A piece of each of `steps`."""
    return [_piece(torch, step) for step in steps(torch)]


def steps(torch: Any) -> list[Step]:
    """Of next to nothing, for what operators take to start, and of as much as small networks do."""
    nn = torch.nn

    def dense(wide: int, deep: int) -> Callable[[], Any]:
        def build() -> Any:
            layers = (each for _ in range(deep) for each in (nn.Linear(wide, wide), nn.Tanh()))
            return nn.Sequential(*layers)

        return build

    def images(channels: int, deep: int, groups: int = 1) -> Callable[[], Any]:
        def stage() -> Any:
            layer = nn.Conv2d(channels, channels, 3, padding=1, groups=groups)
            return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.ReLU())

        def build() -> Any:
            stages = [stage() for _ in range(deep)]
            end = [nn.MaxPool2d(2), nn.Flatten(1, 2), nn.Flatten()]
            return nn.Sequential(nn.Conv2d(3, channels, 1), *stages, *end, nn.LazyLinear(7))

        return build

    def words(wide: int, heads: int) -> Callable[[], Any]:
        def build() -> Any:
            layer = nn.TransformerEncoderLayer(wide, heads, 3 * wide, 0.0, "gelu", batch_first=True)
            return nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(7))

        return build

    return [
        Step("dense", dense(8, 6), (8,), 4, "momentum"),
        Step("dense", dense(8, 6), (8,), 4, "adam"),
        Step("images", images(4, 3), (3, 8, 8), 4, "adam"),
        Step("words", words(8, 2), (4, 8), 4, "sgd"),
        Step("dense", dense(384, 3), (384,), 96, "adam"),
        Step("images", images(24, 2), (3, 16, 16), 24, "adam"),
        Step("depthwise", images(48, 3, 48), (3, 12, 12), 32, "momentum"),
        Step("words", words(96, 6), (20, 96), 24, "adam"),
    ]


def _piece(torch: Any, step: Step) -> Piece:
    from ..workload import analyze
    from .steps import training_step

    def network() -> Any:
        module = step.network()
        with torch.no_grad():
            module(torch.zeros(2, *step.shape))  # sizes of layers that wait for their input
        return module

    work = analyze(network(), step.shape, batch=step.batch, optimizer=step.optimizer, device="cpu")

    def make() -> Call:
        given = (torch.randn(step.batch, *step.shape),)
        return training_step(network(), (given, {}), step.optimizer, "fp32")

    size = "x".join(map(str, (step.batch, *step.shape)))
    title = f"step, {step.name} on {size}, {step.optimizer}"
    return Piece(title, AMONG, make, work, working_set=work.memory_bytes)
