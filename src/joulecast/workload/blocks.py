"""The repeated parts of a model, one after the other: layers of a transformer, residual blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from typing import Any

_LISTS = (nn.ModuleList, nn.Sequential)


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The blocks of a model: what holds parameters in its outermost lists, lists in them opened.

    A pipeline cuts a model between its blocks, sharded weights are gathered block by block, and
    gradient checkpointing keeps only what goes from one to the next.
    """
    children = [child for child in model.children() if next(child.parameters(), None) is not None]
    if isinstance(model, _LISTS) and len(children) > 1:
        return [block for child in children for block in _opened(child)]
    return [block for child in children for block in blocks_of(child)]


def _opened(child: nn.Module) -> list[nn.Module]:
    return (blocks_of(child) if isinstance(child, _LISTS) else []) or [child]


def checkpointed(model: nn.Module) -> None:
    """Let the model compute each of its blocks again in the backward pass (arXiv 1604.06174)."""
    for block in blocks_of(model):
        forward = block.forward

        def again(*args: Any, _forward: Any = forward, **kwargs: Any) -> Any:
            return checkpoint(_forward, *args, use_reentrant=False, **kwargs)

        block.forward = again
