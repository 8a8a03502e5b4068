"""Low-rank adapters (Hu et al., arXiv 2106.09685): of a frozen model small matrices are trained."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .blocks import blocks_of


def rank_of(text: str | int | None) -> int | None:
    """The rank in `r=16` or `16`, None for none. Raises `UsageError`."""
    if text is None:
        return None
    number = re.fullmatch(r"(?:r\s*=\s*)?([1-9]\d*)", str(text).strip())
    if number is None:
        raise UsageError(f"--lora {text}: write the rank of the adapters, as in r=16")
    return int(number[1])


def adapted(model: nn.Module, rank: int, frozen_dtype: torch.dtype | None) -> None:
    """Freeze a model, and train adapters of a rank on the linear and convolutional layers.

    They are on those of the blocks, or on all where a model has no blocks. With `frozen_dtype`, the
    frozen weights of such layers have that type, as scripts that fine-tune load them.

    Raises:
        UsageError: there is no such layer, or the rank is above the width of one.
    """
    layers = {
        name: layer
        for root in blocks_of(model) or [model]
        for name, layer in _layers(model, root).items()
    }
    if not layers:
        raise UsageError(f"--lora: {type(model).__name__} has no linear or convolutional layer")
    name, narrowest = min(layers.items(), key=lambda item: min(_widths(item[1])))
    if rank > min(_widths(narrowest)):
        raise UsageError(
            f"--lora r={rank}: layer {name} is {min(_widths(narrowest))} wide: use at most "
            f"r={min(_widths(narrowest))}"
        )
    model.requires_grad_(False)
    for module in model.modules():
        if frozen_dtype is not None and isinstance(module, (*_KINDS, nn.Embedding)):
            module.to(frozen_dtype)
    for layer in layers.values():
        _adapt(layer, rank)


# Linear layers of GPT-2 in transformers are convolutions of width 1 with transposed weights.
_TRANSPOSED = "Conv1D"
_KINDS = (nn.Linear, nn.Conv2d)


def _layers(model: nn.Module, root: nn.Module) -> dict[str, nn.Module]:
    names = {id(module): name for name, module in model.named_modules()}
    return {
        names[id(module)]: module
        for module in root.modules()
        if isinstance(module, _KINDS) or type(module).__name__ == _TRANSPOSED
    }


def _widths(layer: nn.Module) -> tuple[int, int]:
    """Width of the input and of the output."""
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels // layer.groups, layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    weight: Any = layer.weight
    return weight.shape[0], weight.shape[1]


def _adapt(layer: nn.Module, rank: int) -> None:
    """Add `up(down(x))` to what a layer returns; the layer and its weights stay where they are."""
    inside, outside = _widths(layer)
    weight: Any = layer.weight
    with torch.device(weight.device):
        if isinstance(layer, nn.Conv2d):
            shape: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding}
            shape |= {"dilation": layer.dilation, "groups": 1, "bias": False}
            down: nn.Module = nn.Conv2d(layer.in_channels, rank, layer.kernel_size, **shape)  # type: ignore[arg-type]
            up: nn.Module = nn.Conv2d(rank, outside, 1, bias=False)
        else:
            down, up = nn.Linear(inside, rank, bias=False), nn.Linear(rank, outside, bias=False)
    layer.add_module("lora_down", down)
    layer.add_module("lora_up", up)
    forward = layer.forward

    def with_adapter(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result: Tensor = forward(x, *args, **kwargs) + up(down(x))
        return result

    layer.forward = with_adapter
