"""Intercepts calls of torch's functions while a step is traced.

Attention, recurrent layers and dropout become their fused forms (see `fused`). Arguments are cast
as in mixed precision, because `torch.autocast` does nothing on meta tensors; the lists follow
https://docs.pytorch.org/docs/stable/amp.html#cuda-op-specific-behavior
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from . import fused
from .model import Phase
from .operator_names import operators
from .operator_recorder import OperatorRecorder

_LOWER = operators("cast_down")
_WIDEN = operators("cast_to_fp32")
_WIDEST = operators("cast_to_widest")
_SIXTEEN = (torch.float16, torch.bfloat16)


class Calls(TorchFunctionMode):
    """Intercepts the calls of a step.

    Args:
        recorder: records fused kernels.
        autocast: the type of mixed precision; None for none.
        plain_data: the truth value of a tensor on meta is False, and True of a test over all
            elements. Models of transformers test so whether sequences are padded or packed, and
            whether a layer is dropped at random. `assumed` is set where one did.
        on_cpu: calls without a fused form on a CPU are not changed: dropout, attention with
            dropout, and recurrent layers except LSTMs, each layer of which is one kernel.
    """

    def __init__(
        self,
        recorder: OperatorRecorder,
        autocast: torch.dtype | None = None,
        plain_data: bool = False,
        on_cpu: bool = False,
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._plain_data = plain_data
        self._on_cpu = on_cpu
        self.assumed = False
        self._autocast = autocast
        self._weights: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._recorder.phase is not Phase.BACKWARD:
            return self._call(func, args, kwargs)
        # Of the backward pass only what is computed again (checkpoints) has gradients enabled; it
        # runs as in the forward pass, autocast included.
        if not torch.is_grad_enabled():
            return func(*args, **kwargs)
        with self._recorder.again():
            return self._call(func, args, kwargs)

    def _call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = getattr(func, "__name__", "")
        if isinstance(func, FunctionType) and _guarded(func):
            if self._autocast is not None and name in _WIDEN:
                args, kwargs = self._cast(args, torch.float32), self._cast(kwargs, torch.float32)
            # A function in Python, whose own calls must be intercepted too.
            with self:
                return _unguarded(func)(*args, **kwargs)
        if self._autocast is not None:
            args, kwargs = self._cast_for(name, args, kwargs)
        if self._plain_data and name in ("all", "__bool__"):
            return self._truth(func, name, args, kwargs)
        if self._on_cpu and _several_on_cpu(name, args, kwargs):
            return func(*args, **kwargs)
        match name:
            case "scaled_dot_product_attention":
                return fused.scaled_dot_product_attention(self._recorder, *args, **kwargs)
            case "lstm" | "gru" | "rnn_tanh" | "rnn_relu":
                return fused.recurrent(self._recorder, name, *args, whole=self._on_cpu)
            case "grouped_mm" | "_grouped_mm" if fused.by_expert(*args, **kwargs):
                return fused.grouped_mm(self._recorder, *args, **kwargs)
            case "dropout":
                return fused.dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _truth(self, func: Any, name: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        """The result of `all`, which is remembered, or the truth value of a tensor."""
        if name == "all":
            answer = func(*args, **kwargs)
            answer._of_all = True
            return answer
        if not args[0].is_meta:
            return func(*args, **kwargs)
        self.assumed = True
        return hasattr(args[0], "_of_all")

    def _cast_for(self, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        to: torch.dtype | None = None
        if name in _LOWER:
            to = self._autocast
        elif name in _WIDEN or (name in _WIDEST and _has_float32(args)):
            to = torch.float32
        return (args, kwargs) if to is None else (self._cast(args, to), self._cast(kwargs, to))

    def _cast(self, value: Any, to: torch.dtype) -> Any:
        if isinstance(value, Tensor):
            return self._cast_tensor(value, to)
        if type(value) in (list, tuple):
            return type(value)(self._cast(item, to) for item in value)
        if isinstance(value, dict):
            return {key: self._cast(item, to) for key, item in value.items()}
        return value

    def _cast_tensor(self, tensor: Tensor, to: torch.dtype) -> Tensor:
        if tensor.dtype == to or tensor.dtype not in (torch.float32, *_SIXTEEN):
            return tensor
        # Without gradients (a checkpoint's first pass) the cast weight would have none later.
        if not (tensor.is_leaf and tensor.requires_grad and torch.is_grad_enabled()):
            return tensor.to(to)
        # A weight is cast once per step.
        if id(tensor) not in self._weights:
            self._weights[id(tensor)] = tensor.to(to)
        return self._weights[id(tensor)]


def _several_on_cpu(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a call is several kernels on a CPU, but one on a GPU."""
    if name == "scaled_dot_product_attention":
        return bool(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    return name in ("dropout", "gru", "rnn_tanh", "rnn_relu")


def _has_float32(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_float32, value))
    return isinstance(value, Tensor) and value.dtype == torch.float32


_GUARDS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
_copies: dict[FunctionType, Callable[..., Any]] = {}


def _guarded(func: FunctionType) -> bool:
    return func.__module__ == "torch.nn.functional" and any(
        name in _GUARDS for name in func.__code__.co_names
    )


def _unguarded(func: FunctionType) -> Callable[..., Any]:
    """A function of `torch.nn.functional` that does not check again whether it is overridden."""
    if func not in _copies:
        names = {**func.__globals__, **dict.fromkeys(_GUARDS, _never)}
        copy = FunctionType(
            func.__code__, names, func.__name__, func.__defaults__, func.__closure__
        )
        copy.__kwdefaults__ = func.__kwdefaults__
        _copies[func] = copy
    return _copies[func]


def _never(*_: Any) -> bool:
    return False
