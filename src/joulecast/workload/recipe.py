"""How a model is made, and what its makers need."""

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
    """How a model is made: `build` makes a new one, on the device torch would choose.

    `inputs` gives the shapes of one sample that suit a model made so, `None` where nothing says.
    `existing` is the model where it was there already.
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
    """What an error says, in one line of bounded length."""
    text = str(error).strip().splitlines()
    kind = type(error).__name__
    return shorten(f"{kind}: {text[0]}", 200, placeholder=" ..") if text else kind
