"""Keeps torch's compiler from being imported where nothing is compiled.

The import takes as long as half of torch's own. torchvision asks for it when imported, and many
of torch's operators on meta tensors do when first called.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo"
_NAMES = (_COMPILER, f"{_COMPILER}.utils")


@contextmanager
def without_compiler() -> Iterator[None]:
    """Within it, importing the compiler gives a stand-in, unless it is already imported.

    The first call of one of the stand-in's functions, or the import of another of its modules,
    imports the real compiler.
    """
    if _COMPILER in sys.modules:
        yield
        return
    unmarked: list[Callable[..., Any]] = []
    finder = _RealModules()
    sys.meta_path.insert(0, finder)
    sys.modules.update({name: _StandIn(name, unmarked) for name in _NAMES})
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _remove_stand_ins()
        for function in unmarked:
            vars(function).pop("__dynamo_disable", None)


def _remove_stand_ins() -> None:
    for name in _NAMES:
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


class _StandIn(ModuleType):
    """A module of functions that import the real one when called.

    `disable` alone, with which torch marks its functions as not to be compiled, returns its
    argument. torch keeps the result in the function's attribute `__dynamo_disable`: those are
    collected in `unmarked`.
    """

    def __init__(self, name: str, unmarked: list[Callable[..., Any]]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._unmarked = unmarked

    def disable(self, function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        self._unmarked.append(function)
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            _remove_stand_ins()
            return getattr(importlib.import_module(self.__name__), name)(*args, **kwargs)

        return call


class _RealModules(MetaPathFinder, Loader):
    """Imports the compiler's other modules together with the compiler itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{_COMPILER}.") or name in _NAMES:
            return None
        if not isinstance(sys.modules.get(_COMPILER), _StandIn):
            return None
        _remove_stand_ins()
        importlib.import_module(name)
        return spec_from_loader(name, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """The module has been executed by its own loader."""
