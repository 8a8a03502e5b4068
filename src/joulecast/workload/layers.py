"""The module that an operator belongs to, in the forward pass and in the backward pass.

In the forward pass it is the innermost module that runs. In the backward pass no module runs:
autograd numbers its nodes in the order of the forward pass, so the number of the current node shows
which module was running when the node was created.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from .blocks import blocks_of
from .kernels import size_of

LOSS = "loss"

Running = tuple[str, nn.Module | None, tuple[Any, ...]]


class LayerTracker:
    """Tracks the running module of a model, as a context manager.

    After an error, `failed` lists the modules in which it happened, outermost first, each with its
    arguments.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules: dict[str, nn.Module] = dict(model.named_modules())
        self._names: dict[int, str] = {}
        for name, module in self.modules.items():
            self._names.setdefault(id(module), name)
        self._owners: dict[int, str] = {
            id(parameter): name
            for name, module in reversed(self.modules.items())
            for parameter in module.parameters(recurse=False)
        }
        self.blocks = blocks_of(model)
        self.block_output_bytes = 0.0
        self._block_ids = set(map(id, self.blocks))
        self.running: list[Running] = []
        self.failed: list[Running] = []
        # An error that is being handled already at the start.
        self._error = sys.exc_info()[1]
        # The name for operators of no module.
        self._rest = ""
        self._starts: list[int] = [-1]
        self._layers = [""]

    def __enter__(self) -> LayerTracker:
        self._hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def begin_loss(self) -> None:
        """Operators of the forward pass belong to the loss from now on."""
        self.running = [(LOSS, None, ())]
        self._note()

    def begin_backward(self) -> None:
        """The forward pass is over."""
        self.running = []
        self._rest = LOSS
        self._note()

    def current(self) -> str:
        """Name of the current module."""
        if self.running:
            name, _, _ = self.running[-1]
            return name
        node = torch._C._current_autograd_node()
        if node is None:
            return self._rest
        variable: Any = getattr(node, "variable", None)
        if variable is not None:
            return self._owners.get(id(variable), self._rest)
        number: int = node._sequence_nr()
        layer: str = self._layers[bisect_right(self._starts, number) - 1]
        return layer

    def _enter_module(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        name = self._names.get(id(module))
        # A module that is created in the forward pass belongs to the one that runs it.
        if name is None:
            name = self.running[-1][0] if self.running else ""
        self.running.append((name, module, args))
        self._note()

    def _leave_module(self, module: nn.Module, args: Any, output: Any) -> None:
        error = sys.exc_info()[1]
        if id(module) in self._block_ids:
            self.block_output_bytes = max(self.block_output_bytes, size_of(_first_of(output)))
        # The innermost module is left first.
        if error is not None and error is not self._error:
            self._error, self.failed = error, list(self.running)
        if self.running:
            self.running.pop()
        self._note()

    def _note(self) -> None:
        self._starts.append(torch._C._autograd._get_sequence_nr())
        self._layers.append(self.running[-1][0] if self.running else "")


def _first_of(output: Any) -> Tensor | None:
    """What a block passes on: the first of its outputs."""
    while isinstance(output, (list, tuple)) and output:
        output = output[0]
    return output if isinstance(output, Tensor) else None
