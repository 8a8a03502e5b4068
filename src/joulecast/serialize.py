"""Dataclasses to JSON and back, in one place: a dataclass's fields are the keys of its document.

`msgspec` does the work and is imported when first used, so that importing joulecast stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .errors import BadInputError

T = TypeVar("T")


def to_builtins(value: Any) -> Any:
    """A dataclass (or any nesting of them) as plain JSON types.

    Enumerations become texts, tuples and arrays become lists, and what is not a finite number
    becomes None, because JSON has no other word for it.

    Example:
        >>> to_builtins({"energy_j": (1.0, float("nan"))})
        {'energy_j': [1.0, None]}
    """
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_plain))


def document(schema: str, value: Any) -> dict[str, Any]:
    """`value` as a JSON document whose first key names its schema: `joulecast/NAME/1`."""
    return {"schema": schema, **to_builtins(value)}


def dumps(value: Any, *, indent: int = 0) -> str:
    """`value` as JSON text, on one line or indented."""
    import msgspec

    data = msgspec.json.encode(value, enc_hook=_plain)
    return (msgspec.json.format(data, indent=indent) if indent else data).decode()


def read(data: Any, kind: type[T], place: str = "document") -> T:
    """Plain JSON types as a `kind`, every value checked. For untrusted input.

    Args:
        data: what a JSON or TOML parser returned.
        kind: a dataclass, or any type that `msgspec.convert` knows.
        place: what the data is, for the error: a file's name.

    Raises:
        BadInputError: a key is missing or a value has the wrong type; the text names its path.
    """
    import msgspec

    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        at = f"{place}{path.removeprefix('$').removesuffix('`')}"
        raise BadInputError(f"{at}: {problem[:1].lower()}{problem[1:]}") from None


def json_schema(kind: Any, name: str) -> dict[str, Any]:
    """The JSON Schema of documents of a `kind` under the schema name `name`."""
    import msgspec

    (body,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    top = definitions.pop(body["$ref"].rpartition("/")[2]) if "$ref" in body else body
    properties = {"schema": {"const": name}, **top.get("properties", {})}
    required = ["schema", *top.get("required", ())]
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "title": name,
        "properties": properties,
        "required": required,
    }
    return schema | ({"$defs": definitions} if definitions else {})


def _plain(value: Any) -> Any:
    """What msgspec does not know: mappings that are no dict, numpy's numbers and arrays, paths."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
