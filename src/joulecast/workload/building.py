"""Builds a model without data, and empties one that was built with it."""

from __future__ import annotations

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
    """Leaves tensors without data as they are: their first values would be computed for nothing."""

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
    """A model without data: built so, or built for real and emptied, which is noted.

    Raises `UsageError` where it does not build, or cannot be copied.
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
        # Some count with the values of tensors as they are built.
        model = _built(recipe)
        notes.append("built for real on the CPU, for it does not build without data")
    return _emptied(model)


def for_real(recipe: Recipe) -> nn.Module:
    """A model with data, on the CPU; the one that is there already is copied."""
    if recipe.existing is None:
        return _built(recipe)
    if any(tensor.is_meta for tensor in persistent_tensors(recipe.existing)):
        raise UsageError(
            f"{recipe.name} was built on meta, and its course depends on its data: "
            "give a function that builds it"
        )
    return copy.deepcopy(recipe.existing).to("cpu")


def _built(recipe: Recipe) -> nn.Module:
    try:
        return recipe.build()
    except JoulecastError:
        raise
    except Exception as error:
        raise UsageError(f"{recipe.name} does not build: {first_line(error)}") from error


def _emptied(model: nn.Module) -> nn.Module:
    """A copy of a model on meta; its weights are never copied."""
    memo: dict[int, Any] = {}
    for tensor in persistent_tensors(model):
        empty: Any
        if is_lazy(tensor):  # it takes its size from the first input, and its device from here
            empty = _unsized(tensor)
        else:
            empty = tensor.detach().to("meta")
            if isinstance(tensor, nn.Parameter):
                empty = nn.Parameter(empty, requires_grad=tensor.requires_grad)
        memo[id(tensor)] = empty
    try:
        return copy.deepcopy(model, memo)
    except Exception as error:
        raise UsageError(
            f"{type(model).__name__} cannot be copied ({first_line(error)}): "
            "give a function that builds it"
        ) from error


def _unsized(tensor: Any) -> Any:
    return type(tensor)(requires_grad=tensor.requires_grad, device="meta")
