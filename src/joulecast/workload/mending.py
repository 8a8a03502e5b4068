"""Lets torchvision be imported beside a torch it was not built for, and without its compiler."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from .compiler import without_compiler
from .recipe import package

_schemas: list[Any] = []


def mend_torchvision() -> None:
    """Defines what torchvision needs to be imported beside a CPU build of torch.

    Its compiled operators then cannot be loaded, and the import fails for want of two of their
    schemas. The schemas are all that models need; where the operators load, nothing is done.
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
    _schemas.append(library)  # they live as long as it does


def import_torchvision(feature: str) -> ModuleType:
    """torchvision, usable with this torch; raises `MissingExtraError` for `feature` without it."""
    mend_torchvision()
    with without_compiler():
        return package("torchvision", feature, "vision")
