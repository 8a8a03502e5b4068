"""Finds what builds a model, from its name, function or module. Nothing is downloaded."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, MissingExtraError, UsageError
from .mending import mend_torchvision
from .recipe import Recipe, first_line, package

if TYPE_CHECKING:
    from torch import nn

HOW = (
    "name a model as torchvision:resnet50, timm:vit_base_patch16_224, "
    "transformers:bert-base-uncased or FILE.py:function"
)


def resolve(model: Any) -> Recipe:
    """The recipe of a model: a name, `FILE.py:function`, an `nn.Module`, or a function.

    Raises:
        UsageError: there is no such model; the text lists the nearest names.
        MissingExtraError: the library that it comes from is not installed.
        BadInputError: the file or function cannot be used.
    """
    package("torch", "counting the operations of a model", "forecast")
    from torch import nn

    if isinstance(model, nn.Module):
        model = _unwrapped(model)
        return Recipe(type(model).__name__, lambda: model, existing=model)
    if isinstance(model, Path):
        model = str(model)
    if isinstance(model, str):
        return _named(model.strip())
    if callable(model):
        name = getattr(model, "__qualname__", type(model).__name__)
        return Recipe(name, _checked(model, name))
    raise UsageError(f"not a model: {type(model).__name__}; {HOW}, or pass an nn.Module")


def _named(name: str) -> Recipe:
    source, colon, rest = name.partition(":")
    if colon and source in ("torchvision", "timm", "transformers"):
        if not rest:
            raise UsageError(f"{name!r}: the name of the model is missing: {HOW}")
        from . import libraries

        find: Callable[[str], Recipe] = getattr(libraries, source)
        return find(rest)
    path, colon, function = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), function)
    if name.endswith(".py"):
        raise UsageError(f"{name}: append the function that builds the model: {name}:build")
    if colon and path:
        return _from_module(path, function)
    return _bare(name)


def _bare(name: str) -> Recipe:
    """A name without its library: the first library that has it."""
    from . import libraries

    missing: list[MissingExtraError] = []
    for find in (libraries.torchvision, libraries.transformers, libraries.timm):
        try:
            return find(name)
        except UsageError:
            continue
        except MissingExtraError as error:
            missing.append(error)
    near = [
        f"{source}:{model}"
        for source, models in libraries.names().items()
        for model in get_close_matches(name, models, n=2, cutoff=0.6)
    ]
    if near:
        raise UsageError(f"unknown model {name!r}: did you mean {' or '.join(near[:4])}?")
    hints = [*map(str, missing[:1]), HOW]
    raise UsageError(f"unknown model {name!r}: {', or '.join(hints)}")


def _from_file(path: Path, function: str) -> Recipe:
    # Path.is_file raises for a name of 300 characters.
    if not os.path.isfile(path):  # noqa: PTH113
        raise BadInputError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    # The file may import its neighbors, and its classes may refer to their module by name.
    sys.path.insert(0, folder)
    replaced = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    mend_torchvision()
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[path.stem]
        if replaced is not None:
            sys.modules[path.stem] = replaced
        why = "it exits" if isinstance(error, SystemExit) else first_line(error)
        raise BadInputError(f"{path} fails when loaded: {why}") from error
    finally:
        sys.path.remove(folder)
    return _attribute(module, function, str(path))


def _from_module(path: str, function: str) -> Recipe:
    mend_torchvision()
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise UsageError(f"unknown model {path}:{function}: {error}; {HOW}") from None
    except Exception as error:
        raise BadInputError(f"{path} fails when imported: {first_line(error)}") from error
    return _attribute(module, function, path)


def _attribute(module: ModuleType, function: str, where: str) -> Recipe:
    from torch import nn

    if not hasattr(module, function):
        names = [
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        near = get_close_matches(function, names, n=3, cutoff=0.4) or names[:5]
        hint = f"; it has {', '.join(near)}" if near else ""
        raise UsageError(f"{where} has no {function!r}{hint}")
    value = getattr(module, function)
    label = f"{where}:{function}"
    if isinstance(value, nn.Module):
        value = _unwrapped(value)
        return Recipe(label, lambda: value, existing=value)
    if not callable(value):
        raise BadInputError(f"{label} is a {type(value).__name__}, not a function or a model")
    return Recipe(label, _checked(value, label))


def _checked(make: Callable[[], Any], label: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from torch import nn

        model = make()
        if not isinstance(model, nn.Module):
            raise BadInputError(f"{label} returned a {type(model).__name__}, not an nn.Module")
        return _unwrapped(model)

    return build


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model inside torch.compile or data-parallel wrappers, which cost nothing themselves."""
    from torch import nn

    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    inner: Any = model.module if isinstance(model, parallel) else getattr(model, "_orig_mod", None)
    if isinstance(inner, nn.Module):
        return _unwrapped(inner)
    if any(
        cls.__module__.startswith("torchvision.models.detection") for cls in type(model).__mro__
    ):
        from .detection import Detector

        return Detector(model)
    return model
