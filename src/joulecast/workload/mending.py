"""Imports torchvision next to a torch that it was not built for, and without its compiler."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .recipe import package

_COMPILER = "torch._dynamo"
_schemas: list[Any] = []


def mend_torchvision() -> None:
    """Define the operators that torchvision registers when imported next to a CPU build of torch.

    Its compiled operators cannot be loaded there, and the import fails because two of their schemas
    are missing. The schemas are enough for models. Does nothing where the operators load.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    if _schemas or spec is None or spec.submodule_search_locations is None:
        return
    for folder in spec.submodule_search_locations:
        for file in sorted(Path(folder).glob("_C*.*")):
            try:
                torch.ops.load_library(str(file))  # type: ignore[no-untyped-call]
            except (OSError, RuntimeError):
                continue
            return
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
    # The schemas exist as long as the library object.
    _schemas.append(library)


def import_torchvision(feature: str) -> ModuleType:
    """torchvision, usable with this torch; raises `MissingExtraError` for `feature` without it.

    torchvision takes one function of torch's compiler when imported, which takes three times as
    long to import as torchvision itself. It gets one that imports the compiler when called.
    """
    mend_torchvision()
    if "torchvision" in sys.modules or _COMPILER in sys.modules:
        return package("torchvision", feature, "forecast")
    names = (_COMPILER, f"{_COMPILER}.utils")
    stand_ins = {name: _StandIn(name) for name in names}
    sys.modules.update(stand_ins)
    try:
        return package("torchvision", feature, "forecast")
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


class _StandIn(ModuleType):
    """A module whose functions are those of the real one, imported when one is first called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            for module in [key for key, value in sys.modules.items() if type(value) is _StandIn]:
                del sys.modules[module]
            return getattr(importlib.import_module(self.__name__), name)(*args, **kwargs)

        return call
