"""The loss of a traced training step, chosen by the shape of what a model returns."""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError

NAMES = ("auto", "cross-entropy", "mse", "sum")
Loss = Callable[[Any], Tensor]


def loss_of(loss: str | Loss | None, output: Any) -> Tensor:
    """One number to start the backward pass from.

    Args:
        loss: "auto" or None: cross-entropy over classes where the output has a shape of scores,
            (batch, classes), (batch, tokens, vocabulary) or (batch, classes, height, width),
            otherwise the mean square; the sum over several outputs (auxiliary classifiers). A
            function is called with what the model returned.
        output: what the model returned.

    Raises:
        UsageError: the loss is unknown, or nothing in the output depends on a trainable parameter.
    """
    if callable(loss):
        value = loss(output)
        if not isinstance(value, Tensor):
            raise UsageError(f"the loss must return a tensor, not {type(value).__name__}")
        return value if value.dim() == 0 else value.sum()
    name = loss or "auto"
    if name not in NAMES:
        raise UsageError(f"unknown loss {name!r}: choose one of {', '.join(NAMES)}, or a function")
    outputs = [tensor for tensor in _scores(output) if tensor.requires_grad]
    if not outputs:
        raise UsageError(
            "no output of the model depends on a trainable parameter: "
            "count it for inference, or unfreeze its parameters"
        )
    own = _own_loss(output) if name == "auto" else None
    return own if own is not None else reduce(add, (_loss(name, tensor) for tensor in outputs))


def _own_loss(output: Any) -> Tensor | None:
    """The loss that a model returns itself."""
    loss = output.get("loss") if isinstance(output, Mapping) else None
    usable = isinstance(loss, Tensor) and loss.dim() == 0 and loss.requires_grad
    return loss if usable else None


def _scores(output: Any) -> list[Tensor]:
    """The tensors from which a loss is computed: a language model's scores, or all outputs."""
    if isinstance(output, Tensor):
        return [output] if output.dtype.is_floating_point else []
    if isinstance(output, Mapping):
        for key in ("logits", "last_hidden_state"):
            if isinstance(output.get(key), Tensor):
                return [output[key]]
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [tensor for value in output for tensor in _scores(value)]
    return []


def _loss(name: str, scores: Tensor) -> Tensor:
    if name == "sum":
        return scores.sum()
    # Classes are the last dimension; the second one of images.
    image = scores.dim() == 4
    if name == "mse" or scores.dim() not in (2, 3, 4) or scores.shape[1 if image else -1] < 2:
        return functional.mse_loss(scores, torch.zeros_like(scores))
    if not image:
        scores = scores.reshape(-1, scores.shape[-1])
    shape = (scores.shape[0], *scores.shape[2:])
    target = torch.zeros(shape, dtype=torch.long, device=scores.device)
    return functional.cross_entropy(scores, target)
