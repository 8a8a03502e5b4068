"""The tensors a model is traced with, from the shapes of one sample or from examples."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .recipe import Recipe, Shape

_TOKENS = ("ids", "tokens", "positions")


class Inputs(NamedTuple):
    """Shapes of one sample, or example tensors of a whole batch; and the batch."""

    shapes: tuple[Shape, ...]
    examples: Any  # None, a tensor, a sequence or a mapping of tensors
    batch: int


def read(given: Any, batch: int, recipe: Recipe, model: nn.Module) -> tuple[Inputs, str | None]:
    """What the user gave as input, and a note where it was chosen for them.

    `given` is the shape of one sample, several shapes, a number of tokens, example tensors (whose
    first dimension is the batch), or `None` for what the model's library says suits it.
    Raises `UsageError` for anything else, and for an empty batch or dimension.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise UsageError(f"a batch of {batch} is no batch: it must be a whole number, at least 1")
    if given is None:
        shapes = recipe.inputs(model)
        if shapes is None:
            raise UsageError(
                f"{recipe.name}: give the shape of one sample, such as 3x224x224, or the tokens "
                "of one sequence"
            )
        text = ", ".join("x".join(map(str, shape)) for shape in shapes)
        return Inputs(shapes, None, batch), f"no input was given: {text} is assumed"
    tensors = _tensors(given)
    if tensors:
        size = tensors[0].shape[0] if tensors[0].dim() else 0
        if not size:
            raise UsageError("the example input is empty: its first dimension is the batch")
        return Inputs(tuple(tuple(t.shape[1:]) for t in tensors), given, size), None
    return Inputs(_shapes(given), None, batch), None


def _tensors(given: Any) -> list[Tensor]:
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, Mapping):
        return [value for value in given.values() if isinstance(value, Tensor)]
    if isinstance(given, (list, tuple)):
        return [value for value in given if isinstance(value, Tensor)]
    return []


def _shapes(given: Any) -> tuple[Shape, ...]:
    if isinstance(given, int):
        given = (given,)
    if not isinstance(given, (list, tuple)):
        raise UsageError(f"not an input shape: {given!r}; write it as 3x224x224")
    parts = given if any(isinstance(part, (list, tuple)) for part in given) else [given]
    shapes = []
    for part in parts:
        shape = (part,) if isinstance(part, int) else tuple(part)
        if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape):
            raise UsageError(f"not an input shape: {part!r}; sizes are whole numbers from 1 on")
        shapes.append(shape)
    return tuple(shapes)


def make(
    inputs: Inputs, model: nn.Module, device: str, dtype: torch.dtype, training: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments and named arguments for the model's forward pass, on a device.

    Numbers are of `dtype`; whole numbers where the model embeds tokens first, or where the
    parameter is named as tokens are.
    """
    if inputs.examples is not None:
        return _examples(inputs.examples, device, dtype)
    names = _parameters(model)
    main = getattr(model, "main_input_name", None)  # transformers
    tensors = []
    for at, shape in enumerate(inputs.shapes):
        name = names[at] if at < len(names) else ""
        if main is not None and len(inputs.shapes) == 1:
            name = main
        tokens = _named_tokens(name) or (
            at == 0 and main is None and len(shape) == 1 and _embeds_first(model)
        )
        tensors.append(_tensor((inputs.batch, *shape), tokens, device, dtype))
    if main is None:
        return tuple(tensors), {}
    if len(tensors) > 1:
        return (), dict(zip(names, tensors, strict=False))
    named: dict[str, Any] = {main: tensors[0]}
    config: Any = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in names:
        length = inputs.shapes[0][-1] if main == "input_ids" else config.max_target_positions
        named["decoder_input_ids"] = _tensor((inputs.batch, length), True, device, dtype)
    if training and "use_cache" in names:
        named["use_cache"] = False
    return (), named


def _examples(
    examples: Any, device: str, dtype: torch.dtype
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def moved(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        value = value.detach().to(device)
        return value.to(dtype) if value.dtype == torch.float32 else value

    if isinstance(examples, Tensor):
        return (moved(examples),), {}
    if isinstance(examples, Mapping):
        return (), {key: moved(value) for key, value in examples.items()}
    return tuple(moved(value) for value in examples), {}


def _tensor(shape: Shape, tokens: bool, device: str, dtype: torch.dtype) -> Tensor:
    if tokens:
        return torch.zeros(shape, dtype=torch.long, device=device)
    if device == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.randn(shape, device=device).to(dtype)


def _parameters(model: nn.Module) -> list[str]:
    return list(inspect.signature(model.forward).parameters)


def _named_tokens(name: str) -> bool:
    return name.split("_")[-1] in _TOKENS


def _embeds_first(model: nn.Module) -> bool:
    """Whether the first module with parameters of its own is an embedding."""
    for module in model.modules():
        if next(module.parameters(recurse=False), None) is not None:
            return isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    return False
