"""The tensors with which a model is traced, from the shapes of one sample or from examples."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .recipe import Recipe, Shape

_TOKENS = ("ids", "tokens", "positions")


class Inputs(NamedTuple):
    """Shapes of one sample, example tensors of a batch (or None), and the size of the batch."""

    shapes: tuple[Shape, ...]
    examples: Any
    batch: int


def read(value: Any, batch: int, recipe: Recipe, model: nn.Module) -> tuple[Inputs, str | None]:
    """The user's input, and a note where there was none and the usual one is assumed.

    Args:
        value: the shape of one sample, several shapes, a number of tokens, example tensors (whose
            first dimension is the batch), or None for the usual input of the model.
        batch: samples per step, for shapes.
        recipe: of the model.
        model: the model.

    Raises:
        UsageError: it is something else, or a batch or dimension is empty.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise UsageError(f"the batch is {batch}: it must be a whole number, at least 1")
    if value is None:
        shapes = recipe.inputs(model)
        if shapes is None:
            raise UsageError(
                f"{recipe.name}: its input is unknown: pass the shape of one sample, such as "
                "3x224x224, or the tokens of one sequence"
            )
        return Inputs(shapes, None, batch), f"no input was given: {shapes_text(shapes)} is assumed"
    tensors = _tensors(value)
    if tensors:
        size = tensors[0].shape[0] if tensors[0].dim() else 0
        if not size:
            raise UsageError("the example input is empty: its first dimension is the batch")
        return Inputs(tuple(tuple(t.shape[1:]) for t in tensors), value, size), None
    return Inputs(_shapes(value), None, batch), None


def unpadded(inputs: Inputs, mean_length: int) -> Inputs:
    """The inputs with `mean_length` tokens a sequence. Raises `UsageError`."""
    if inputs.examples is not None or any(len(shape) != 1 for shape in inputs.shapes):
        raise UsageError(
            f"--mean-length {mean_length}: the input is {shapes_text(inputs.shapes)}, and not the "
            "tokens of a sequence"
        )
    if not 1 <= mean_length <= min(inputs.shapes)[0]:
        raise UsageError(
            f"--mean-length {mean_length}: sequences have {min(inputs.shapes)[0]} tokens (--input)"
        )
    return inputs._replace(shapes=tuple((mean_length,) for _ in inputs.shapes))


def check_context(tokens: int, name: str, model: nn.Module, option: str = "--input") -> None:
    """Raise `UsageError` where a sequence of tokens is longer than the model's context."""
    config: Any = getattr(model, "config", None)
    longest = getattr(config, "max_position_embeddings", None)
    reads_tokens = getattr(model, "main_input_name", "input_ids") == "input_ids"
    if not isinstance(longest, int) or not reads_tokens or tokens <= longest:
        return
    # Rotary positions have no end: a default that nobody chose is no limit.
    if _learns_positions(model, longest) or longest != type(config)().max_position_embeddings:
        raise UsageError(
            f"{option} {tokens}: the context of {name} is {longest} tokens: use at most those"
        )


def _learns_positions(model: nn.Module, longest: int) -> bool:
    return any(
        isinstance(module, nn.Embedding) and longest <= module.num_embeddings <= longest + 2
        for module in model.modules()
    )


def shapes_text(shapes: tuple[Shape, ...]) -> str:
    """Shapes for people: `3x224x224, 512`."""
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Mapping):
        value = list(value.values())
    parts = value if isinstance(value, (list, tuple)) else [value]
    return [part for part in parts if isinstance(part, Tensor)]


def _shapes(value: Any) -> tuple[Shape, ...]:
    parts = value if isinstance(value, (list, tuple)) else (value,)
    if not any(isinstance(part, (list, tuple)) for part in parts):
        parts = [parts]
    return tuple(_shape(part) for part in parts)


def _shape(part: Any) -> Shape:
    shape = tuple(part) if isinstance(part, (list, tuple)) else (part,)
    for size in shape:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise UsageError(
                f"{size!r} is no size of an input shape: write the shape of one sample as 3x224x224"
            )
    return shape


def make(
    inputs: Inputs, model: nn.Module, device: str, dtype: torch.dtype, training: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments and keyword arguments of the model's forward pass, on a device.

    Tensors have type `dtype`; whole numbers where the model embeds tokens first, or where the
    parameter is named like tokens.
    """
    if inputs.examples is not None:
        return _examples(inputs.examples, device, dtype)
    names = list(inspect.signature(model.forward).parameters)
    # Models of transformers have one.
    main = getattr(model, "main_input_name", None)
    filled = [main] if main is not None and len(inputs.shapes) == 1 else names
    tensors = []
    for position, shape in enumerate(inputs.shapes):
        name = filled[position] if position < len(filled) else ""
        first = position == 0 and main is None and len(shape) == 1
        tokens = name.split("_")[-1] in _TOKENS or (first and _embeds_first(model))
        tensors.append(_tensor((inputs.batch, *shape), tokens, device, dtype))
    if main is None:
        return tuple(tensors), {}
    arguments = dict(zip(filled, tensors, strict=False))
    if len(tensors) == 1:
        arguments |= _further_arguments(inputs, model, names, device, training)
    return (), arguments


def _further_arguments(
    inputs: Inputs, model: nn.Module, names: list[str], device: str, training: bool
) -> dict[str, Any]:
    """What a model of transformers needs next to its main input."""
    config: Any = getattr(model, "config", None)
    arguments: dict[str, Any] = {}
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in names:
        reads_tokens = model.main_input_name == "input_ids"
        length = inputs.shapes[0][-1] if reads_tokens else config.max_target_positions
        shape = (inputs.batch, length)
        arguments["decoder_input_ids"] = _tensor(shape, True, device, torch.float32)
    if training and "use_cache" in names:
        arguments["use_cache"] = False
    return arguments


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


def _embeds_first(model: nn.Module) -> bool:
    """Whether the first module with parameters of its own is an embedding."""
    for module in model.modules():
        if next(module.parameters(recurse=False), None) is not None:
            return isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    return False
