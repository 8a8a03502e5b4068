"""From what a user calls a model to something that builds it. Nothing is downloaded."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, JoulecastError, MissingExtraError, UsageError
from .recipe import Recipe, first_line, package

if TYPE_CHECKING:
    from torch import nn

HOW = (
    "name a model as torchvision:resnet50, timm:vit_base_patch16_224, "
    "transformers:bert-base-uncased or FILE.py:function"
)


def resolve(model: Any) -> Recipe:
    """The recipe of a model given as name, `FILE.py:function`, module, or function returning one.

    Raises:
        UsageError: no such model; the text gives the nearest names.
        MissingExtraError: the library it comes from is not installed.
        BadInputError: the file or function cannot be used.
    """
    import_torch()
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
    raise UsageError(f"not a model: {type(model).__name__}; {HOW}, or give an nn.Module")


def import_torch() -> ModuleType:
    """The torch package; raises `MissingExtraError` where it is not installed."""
    return package("torch", "counting what a model costs", "torch")


def _named(name: str) -> Recipe:
    source, colon, rest = name.partition(":")
    if colon and source in ("torchvision", "timm", "transformers"):
        if not rest:
            raise UsageError(f"{name!r} names no model: {HOW}")
        from . import libraries

        find: Callable[[str], Recipe] = getattr(libraries, source)
        return find(rest)
    path, colon, function = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), function)
    if name.endswith(".py"):
        raise UsageError(f"{name}: say which function of it builds the model, as {name}:build")
    if colon and path:
        return _from_module(path, function)
    return _bare(name)


def _bare(name: str) -> Recipe:
    """A name without its library: the first that knows it."""
    from . import libraries

    errors: list[JoulecastError] = []
    for find in (libraries.torchvision, libraries.transformers, libraries.timm):
        try:
            return find(name)
        except (UsageError, MissingExtraError) as error:
            errors.append(error)
    near = [
        f"{source}:{known}"
        for source, names in libraries.names().items()
        for known in get_close_matches(name, names, n=2, cutoff=0.6)
    ]
    if near:
        raise UsageError(f"unknown model {name!r}: did you mean {' or '.join(near[:4])}?")
    missing = [error for error in errors if isinstance(error, MissingExtraError)]
    if missing:
        raise UsageError(f"unknown model {name!r}: {missing[0]}, or {HOW}")
    raise UsageError(f"unknown model {name!r}: {HOW}")


def _from_file(path: Path, function: str) -> Recipe:
    if not path.is_file():
        raise BadInputError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    # What it imports may lie beside it, and what it defines may ask for its module.
    sys.path.insert(0, folder)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if before is None:
            del sys.modules[path.stem]
        else:
            sys.modules[path.stem] = before
        raise BadInputError(f"{path} fails when loaded: {first_line(error)}") from error
    finally:
        sys.path.remove(folder)
    return _attribute(module, function, str(path))


def _from_module(path: str, function: str) -> Recipe:
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
        known = f"; it has {', '.join(near)}" if near else ""
        raise UsageError(f"{where} has no {function!r}{known}")
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
    """The model within torch.compile or data-parallel wrappers, which cost nothing themselves."""
    from torch import nn

    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, (nn.DataParallel, nn.parallel.DistributedDataParallel)
        ):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner
