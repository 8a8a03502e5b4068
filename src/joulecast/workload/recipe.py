"""How a model is built."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import shorten
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is built.

    Attributes:
        name: for people.
        build: makes a new model, on torch's default device.
        inputs: the usual shapes of one sample for such a model; None if unknown.
        existing: the model, where the user passed one.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[nn.Module], tuple[Shape, ...] | None] = field(default=lambda model: None)
    existing: nn.Module | None = None


def package(name: str, feature: str, extra: str) -> ModuleType:
    """An imported package; raises `MissingExtraError` for `feature` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == name:
            raise MissingExtraError(feature, extra) from None
        raise


def first_line(error: BaseException) -> str:
    """Type and first line of an error and of its root cause, in one line of bounded length."""
    text = str(error).strip().splitlines()
    kind = type(error).__name__
    line = shorten(f"{kind}: {text[0]}", 200, placeholder=" ..") if text else kind
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return line if root is error else f"{line} (because of {first_line(root)})"
