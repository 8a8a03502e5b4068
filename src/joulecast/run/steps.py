"""One step of a model on made-up data, as its training or its serving would run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    import torch


def training_step(
    module: torch.nn.Module, inputs: Sequence[torch.Tensor], optimizer: str, precision: str
) -> Callable[[], None]:
    """A step of training on made-up targets: forward, the mean of the output as loss, backward.

    The loss of a real training adds little to it. Raises `MissingExtraError` without torch.
    """
    torch = _torch()
    made = {
        "sgd": lambda p: torch.optim.SGD(p, 1e-6),
        "momentum": lambda p: torch.optim.SGD(p, 1e-6, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, 1e-6),
        "adamw": lambda p: torch.optim.AdamW(p, 1e-6),
    }
    module.train()
    update = made[optimizer](list(module.parameters())) if optimizer in made else None

    def step() -> None:
        with _autocast(torch, inputs, precision):
            loss = _first_tensor(module(*inputs)).float().mean()
        module.zero_grad(set_to_none=True)
        loss.backward()
        if update is not None:
            update.step()
        _wait(torch, inputs)

    return step


def inference_step(
    module: torch.nn.Module, inputs: Sequence[torch.Tensor], precision: str
) -> Callable[[], None]:
    """A step of inference. Raises `MissingExtraError` without torch."""
    torch = _torch()
    module.eval()

    def step() -> None:
        with torch.inference_mode(), _autocast(torch, inputs, precision):
            module(*inputs)
        _wait(torch, inputs)

    return step


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtraError("running a model", "torch") from None
    return torch


def _autocast(torch: Any, inputs: Sequence[Any], precision: str) -> Any:
    kind = inputs[0].device.type
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(kind, types.get(precision), enabled=precision in types)


def _wait(torch: Any, inputs: Sequence[Any]) -> None:
    """A GPU works on when the step returns: it is over only once that has ended."""
    if inputs[0].device.type == "cuda":
        torch.cuda.synchronize()


def _first_tensor(output: Any) -> Any:
    """The tensor to take a loss from: models give tensors, tuples, dictionaries, or objects."""
    if isinstance(output, Mapping):
        return _first_tensor(next(iter(output.values())))
    if isinstance(output, (tuple, list)):
        return _first_tensor(output[0])
    if hasattr(output, "logits"):
        return output.logits
    return output
