"""Builds a model without data, or copies one without its data."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ..errors import JoulecastError, UsageError
from .operator_recorder import persistent_tensors
from .recipe import Recipe, first_line

_FILLERS = frozenset(
    ["normal_", "uniform_", "erfinv_", "clamp_", "mul_", "add_", "sub_", "div_", "fill_", "zero_"]
)


class _Unfilled(TorchFunctionMode):
    """Skips the initialization of tensors without data."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func.__name__ in _FILLERS:
            target = args[0] if args else kwargs.get("tensor")
            if isinstance(target, Tensor) and target.is_meta:
                return target
        return func(*args, **kwargs)


def on_meta(recipe: Recipe, notes: list[str]) -> nn.Module:
    """A model without data, built on meta; with a note where it can only be built on the CPU.

    Raises `UsageError` where it cannot be built or copied.
    """
    if recipe.existing is not None:
        return _emptied(recipe.existing)
    try:
        with torch.device("meta"), _Unfilled():
            model = recipe.build()
        if all(tensor.is_meta for tensor in persistent_tensors(model)):
            return model
    except JoulecastError:
        raise
    except Exception:
        # Some models use values of tensors while they are built.
        model = _built(recipe)
        notes.append("built on the CPU, because it cannot be built without data")
    return _emptied(model)


def for_real(recipe: Recipe) -> nn.Module:
    """A model with data, on the CPU; a copy of an existing one."""
    if recipe.existing is None:
        return _built(recipe)
    if any(tensor.is_meta for tensor in persistent_tensors(recipe.existing)):
        raise UsageError(
            f"{recipe.name} was built on meta, and its control flow depends on its data: "
            "pass a function that builds it"
        )
    return copy.deepcopy(recipe.existing).to("cpu")


def _built(recipe: Recipe) -> nn.Module:
    try:
        return recipe.build()
    except JoulecastError:
        raise
    except Exception as error:
        raise UsageError(f"{recipe.name} cannot be built: {first_line(error)}") from error


def _emptied(model: nn.Module) -> nn.Module:
    """A copy of a model on meta; its weights are never copied."""
    memo: dict[int, Any] = {id(tensor): _empty(tensor) for tensor in persistent_tensors(model)}
    try:
        return copy.deepcopy(model, memo)
    except Exception as error:
        raise UsageError(
            f"{type(model).__name__} cannot be copied ({first_line(error)}): "
            "pass a function that builds it"
        ) from error


def _empty(tensor: Any) -> Any:
    if is_lazy(tensor):
        # It takes its size from the first input.
        unsized: Any = type(tensor)
        return unsized(requires_grad=tensor.requires_grad, device="meta")
    empty = tensor.detach().to("meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty
