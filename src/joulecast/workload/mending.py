"""Imports torchvision next to a torch that it was not built for."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from .recipe import package

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
    """torchvision, usable with this torch; raises `MissingExtraError` for `feature` without it."""
    mend_torchvision()
    return package("torchvision", feature, "forecast")
