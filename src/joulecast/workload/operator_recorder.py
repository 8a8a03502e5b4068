"""Records what each ATen operator of a step costs."""

import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .kernels import Kernel
from .layers import LayerTracker
from .meta_results import Shortcut, shortcut_of
from .model import Op, Phase
from .operator_rules import Rule, rule_of, unknown
from .precision import Products


class OperatorRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the kernels of a step, each with its layer and phase, and the allocated memory.

    `persistent` tensors (parameters, buffers, all that exists before the step) are not part of the
    activations and of the peak.
    """

    def __init__(
        self, tracker: LayerTracker, persistent: Iterable[Tensor], products: Products
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase = Phase.FORWARD
        self.uncounted: Counter[str] = Counter()
        self.activations: dict[str, float] = defaultdict(float)
        self.peak_bytes = 0.0
        self.views = 0
        self.recomputed_flops = 0.0
        self._tracker = tracker
        self._products = products
        self._kernels: Counter[tuple[str, Phase, Kernel]] = Counter()
        self._rules: dict[Any, Rule | None] = {}
        self._shortcuts: dict[Any, Shortcut | None] = {}
        self._silent = self._again = False
        self._live_bytes = 0.0
        self._living: dict[int, weakref.ref[Any]] = {}
        self._kept = {_storage(tensor) for tensor in persistent}
        self._persistent = frozenset(self._kept)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Skipping torch's compiler would import it.
        return False

    def _result(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func not in self._shortcuts:
            self._shortcuts[func] = shortcut_of(func)
        shortcut = self._shortcuts[func]
        result = NotImplemented if shortcut is None else shortcut(args, kwargs)
        return func(*args, **kwargs) if result is NotImplemented else result

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        try:
            rule = self._rules[func]
        except KeyError:
            rule = self._rules[func] = rule_of(func)
        if rule is None and func._can_decompose():
            # A composite operator: its parts are counted.
            with self:
                return func.decompose(*args, **kwargs)
        out = self._result(func, args, kwargs)
        if not self._silent:
            if rule is None:
                self.uncounted[func._schema.name.replace("::", ".")] += 1
            for kernel in rule(args, kwargs, out) if rule is not None else unknown(args, out):
                self.add(kernel)
            self.views += func.is_view
        if not func.is_view:
            self._add_memory(out)
        return out

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Within it no kernels are recorded, only memory."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    @contextmanager
    def again(self) -> Iterator[None]:
        """Within it, what is recorded repeats the forward pass."""
        before, self._again = self._again, True
        try:
            yield
        finally:
            self._again = before

    def add(self, kernel: Kernel) -> None:
        """Record a kernel of the current layer and phase."""
        self._kernels[self._tracker.current(), self.phase, kernel] += kernel.count
        if self._again:
            self.recomputed_flops += kernel.flops * kernel.count

    def ops(self) -> tuple[Op, ...]:
        """All kernels in order of appearance; equal ones of a layer are one with a count."""
        return tuple(
            Op(
                **asdict(kernel)
                | {"phase": phase, "layer": layer, "count": count}
                | {"dtype": self._products.dtype(kernel.kind, kernel.dtype, kernel.shape)}
            )
            for (layer, phase, kernel), count in self._kernels.items()
        )

    def keep(self, tensor: Tensor) -> Tensor:
        """Record a tensor that is kept for the backward pass (hook of `saved_tensors_hooks`)."""
        key = _storage(tensor)
        if key not in self._kept:
            self._kept.add(key)
            self.activations[self._tracker.current()] += tensor.untyped_storage().nbytes()
        return tensor

    def _add_memory(self, out: Any) -> None:
        for tensor in out if isinstance(out, (list, tuple)) else (out,):
            if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided:
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self._living or key in self._persistent:
                continue
            size = float(storage.nbytes())

            def gone(_: Any, key: int = key, size: float = size) -> None:
                self._living.pop(key, None)
                self._live_bytes -= size

            self._living[key] = weakref.ref(storage, gone)
            self._live_bytes += size
            self.peak_bytes = max(self.peak_bytes, self._live_bytes)


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address


def persistent_tensors(model: nn.Module) -> list[Tensor]:
    """Parameters, buffers, and other tensors that are attributes of modules."""
    others = [
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor)
    ]
    return [*model.parameters(), *model.buffers(), *others]
