"""Results of operators on meta tensors, from torch's own answer to the first call of each kind.

On meta tensors many operators are decompositions in Python, which would take most of the time of a
trace; a model makes the same calls layer after layer.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

_empty = torch.ops.aten.empty_strided.default

Args = tuple[Any, ...]


class _NoSignatureError(Exception):
    """The result depends on more than shapes: a tensor has data, or is not strided."""


class MetaResults:
    """Calls operators, each once for the same shapes, types and constants."""

    def __init__(self) -> None:
        self._layouts: dict[Any, Any] = {}

    def call(self, operator: Any, args: Args, kwargs: Mapping[str, Any]) -> Any:
        """What the operator returns: made from its first result where it has been called alike."""
        if operator.is_view:
            return operator(*args, **kwargs)
        try:
            key = (operator, _signature(args), _signature(kwargs))
        except _NoSignatureError:
            return operator(*args, **kwargs)
        if key in self._layouts:
            return _made(self._layouts[key], args)
        result = operator(*args, **kwargs)
        # Some operators in place change the shape of their argument.
        if _signature(args) == key[1]:
            with suppress(_NoSignatureError):
                self._layouts[key] = _layout(result, args)
        return result


def _signature(value: Any) -> Any:
    """Everything that the result of an operator on meta tensors depends on, hashable."""
    if isinstance(value, Tensor):
        if not value.is_meta or value.layout is not torch.strided:
            raise _NoSignatureError
        return value.shape, value.stride(), value.dtype
    if isinstance(value, (list, tuple)):
        return tuple(map(_signature, value))
    if isinstance(value, Mapping):
        return tuple((name, _signature(item)) for name, item in value.items())
    # True, 1 and 1.0 are equal, but do not give the same type of result.
    return type(value), value


def _layout(result: Any, args: Args) -> Any:
    """A result without its tensors: the position of an argument, or shape, strides and type."""
    if isinstance(result, (list, tuple)):
        return [_layout(item, args) for item in result]
    if result is None:
        return None
    for position, argument in enumerate(args):
        if result is argument:
            return position
    if not isinstance(result, Tensor) or _share_memory(result, args):
        raise _NoSignatureError
    return _signature(result)


def _share_memory(result: Tensor, args: Any) -> bool:
    """Whether a result is another view of an argument, which some schemas do not declare."""
    if isinstance(args, Tensor):
        return bool(args.untyped_storage()._cdata == result.untyped_storage()._cdata)
    return isinstance(args, (list, tuple)) and any(_share_memory(result, arg) for arg in args)


def _made(layout: Any, args: Args) -> Any:
    """A result of that layout."""
    if isinstance(layout, list):
        return [_made(item, args) for item in layout]
    if layout is None or isinstance(layout, int):
        return None if layout is None else args[layout]
    shape, strides, dtype = layout
    return _empty(shape, strides, dtype=dtype, device="meta")
