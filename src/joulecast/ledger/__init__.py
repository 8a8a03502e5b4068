"""The database of recordings. Names are loaded when first used, because numpy is large."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run_list import RunList, RunRow
    from .sink import LedgerSink
    from .store import Ledger, open_ledger

_HOMES = {
    "Ledger": ".store",
    "LedgerSink": ".sink",
    "RunList": ".run_list",
    "RunRow": ".run_list",
    "open_ledger": ".store",
}

__all__ = ["Ledger", "LedgerSink", "RunList", "RunRow", "open_ledger"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name], __name__), name)
