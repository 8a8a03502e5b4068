"""The loss that a traced training step ends in, chosen by the shape of what a model returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UsageError

NAMES = ("auto", "cross-entropy", "mse", "sum")
Loss = Callable[[Any], Tensor]


def loss_of(loss: str | Loss | None, output: Any) -> Tensor:
    """One number to go backward from.

    "auto": cross-entropy over classes where the output looks like scores, (batch, classes),
    (batch, tokens, vocabulary) or (batch, classes, height, width), otherwise the mean square; the
    sum over all outputs where there are several (auxiliary classifiers). A callable is given what
    the model returned. Raises `UsageError` where there is nothing to go backward from.
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
            "the model returns nothing that depends on a trainable parameter: "
            "count it for inference, or unfreeze its parameters"
        )
    if name == "auto" and isinstance(output, Mapping) and _is_loss(output.get("loss")):
        own: Tensor = output["loss"]
        return own
    total = _one(name, outputs[0])
    for tensor in outputs[1:]:
        total = total + _one(name, tensor)
    return total


def _is_loss(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() == 0 and value.requires_grad


def _scores(output: Any) -> list[Tensor]:
    """The outputs a loss is made of: a language model's scores, or all there are."""
    if isinstance(output, Tensor):
        return [output] if output.dtype.is_floating_point else []
    if isinstance(output, Mapping):
        for key in ("logits", "last_hidden_state"):
            if isinstance(output.get(key), Tensor):
                return [output[key]]
        return [tensor for value in output.values() for tensor in _scores(value)]
    if isinstance(output, (list, tuple)):
        return [tensor for value in output for tensor in _scores(value)]
    return []


def _one(name: str, scores: Tensor) -> Tensor:
    if name == "sum":
        return scores.sum()
    if (
        name == "mse"
        or scores.dim() not in (2, 3, 4)
        or scores.shape[-1 if _flat(scores) else 1] < 2
    ):
        return functional.mse_loss(scores, torch.zeros_like(scores))
    if _flat(scores):
        scores = scores.reshape(-1, scores.shape[-1])
        target = torch.zeros(scores.shape[0], dtype=torch.long, device=scores.device)
    else:
        shape = (scores.shape[0], *scores.shape[2:])
        target = torch.zeros(shape, dtype=torch.long, device=scores.device)
    return functional.cross_entropy(scores, target)


def _flat(scores: Tensor) -> bool:
    return scores.dim() < 4
