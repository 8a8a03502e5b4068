"""JSON texts in the ledger's columns: written from dataclasses, and checked when read back."""

import json
from typing import Any, TypeVar

from .. import serialize

T = TypeVar("T")


def dumps(value: Any) -> str:
    """JSON text in ASCII: both databases accept it for any bytes of a command line."""
    return json.dumps(serialize.to_builtins(value), separators=(",", ":"))


def loads(text: str, kind: type[T]) -> T:
    """A `kind` from what `dumps` wrote.

    Version 0.1.0 wrote NaN and Infinity into descriptions of a machine: they are read as None.
    Raises `BadInputError` for a wrong type, `ValueError` for a text that is not JSON.
    """
    return serialize.read(json.loads(text, parse_constant=lambda _: None), kind, "document")


def plain_text(text: str) -> str:
    """Text that both databases accept: without NUL, and without bytes that are not UTF-8."""
    return serialize.encodable(text).replace("\0", "")
