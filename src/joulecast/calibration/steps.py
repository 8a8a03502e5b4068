"""One step of a model on made-up data, as its training or its serving would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..workload.recipe import package

if TYPE_CHECKING:
    import torch


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and named arguments of the model's forward pass."""


def steps_of(
    model: Any,
    shape: Any,
    *,
    batch: int,
    training: bool,
    optimizer: str | None,
    precision: str,
    device: str = "cpu",
) -> Callable[[], None]:
    """A step of a model given as to `workload.analyze`, with its parameters, on a device.

    Raises `UsageError` for fp8, `MissingExtraError` without torch, and what resolving the model
    raises.
    """
    if precision == "fp8":
        raise UsageError("--probe cannot run fp8, which needs your training's library: use bf16")
    torch = package("torch", "running a model", "forecast")
    from ..workload import inputs
    from ..workload.resolve import resolve

    recipe = resolve(model)
    module = recipe.build().to(device)
    read, _ = inputs.read(shape, batch, recipe, module)
    samples = inputs.make(read, module, device, torch.float32, training)
    if training:
        return training_step(module, samples, optimizer, precision)
    return inference_step(module, samples, precision)


def training_step(
    module: torch.nn.Module, given: Arguments, optimizer: str | None, precision: str
) -> Callable[[], None]:
    """A step of training on made-up data: drawing a batch, forward, loss, backward, optimizer.

    The loss is cross-entropy where the output has classes, else the output's mean. Raises
    `MissingExtraError` without torch.
    """
    torch = package("torch", "running a model", "forecast")
    optimizers = {
        "sgd": lambda p: torch.optim.SGD(p, 1e-6),
        "momentum": lambda p: torch.optim.SGD(p, 1e-6, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, 1e-6),
        "adamw": lambda p: torch.optim.AdamW(p, 1e-6),
    }
    module.train()
    update = optimizers[optimizer](list(module.parameters())) if optimizer in optimizers else None
    args, named = given
    device = _device(module)

    def step() -> None:
        drawn = [_drawn(torch, value) for value in args]
        with _rounding(torch, device, precision):
            with _autocast(torch, device, precision):
                output = _first_tensor(module(*drawn, **named)).float()
                loss = _loss(torch, output)
            (update or module).zero_grad(set_to_none=True)
            loss.backward()
            if update is not None:
                update.step()
            _wait(torch, device)

    return step


def _drawn(torch: Any, value: Any) -> Any:
    """The batch in a new order, as a loader gathers data that is in memory."""
    if not isinstance(value, torch.Tensor) or value.ndim == 0:
        return value
    return value[torch.randperm(len(value), device=value.device)]


def _loss(torch: Any, output: Any) -> Any:
    if output.ndim != 2 or output.shape[1] < 2:
        return output.mean()
    targets = torch.zeros(len(output), dtype=torch.long, device=output.device)
    return torch.nn.functional.cross_entropy(output, _drawn(torch, targets))


def inference_step(module: torch.nn.Module, given: Arguments, precision: str) -> Callable[[], None]:
    """A step of inference. Raises `MissingExtraError` without torch."""
    torch = package("torch", "running a model", "forecast")
    module.eval()
    args, named = given
    device = _device(module)

    def step() -> None:
        with torch.inference_mode(), _rounding(torch, device, precision):
            with _autocast(torch, device, precision):
                module(*args, **named)
            _wait(torch, device)

    return step


def _device(module: torch.nn.Module) -> str:
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device.type
    return "cpu"


@contextmanager
def _rounding(torch: Any, device: str, precision: str) -> Iterator[None]:
    """Within it a GPU rounds fp32 to TF32 where the precision says so, else as PyTorch is set."""
    engines = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = [engine.allow_tf32 for engine in engines] if device == "cuda" else []
    try:
        if kept and precision in ("fp32", "tf32"):
            for engine in engines:
                engine.allow_tf32 = precision == "tf32"
        yield
    finally:
        for engine, allowed in zip(engines, kept, strict=False):
            engine.allow_tf32 = allowed


def _autocast(torch: Any, device: str, precision: str) -> Any:
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device, types.get(precision), enabled=precision in types)


def _wait(torch: Any, device: str) -> None:
    """Wait for a GPU, which is still at work when the step returns."""
    if device == "cuda":
        torch.cuda.synchronize()


def _first_tensor(output: Any) -> Any:
    """The tensor that the loss uses: models return tensors, tuples, dictionaries, or objects."""
    if isinstance(output, Mapping):
        return _first_tensor(next(iter(output.values())))
    if isinstance(output, (tuple, list)):
        return _first_tensor(output[0])
    if hasattr(output, "logits"):
        return output.logits
    return output
