"""Dataclasses to JSON and back, in one place: a dataclass's fields are the keys of its document.

`msgspec` does the work and is imported when first used, so that importing joulecast stays cheap.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from .errors import BadInputError

# What Python makes of bytes that are not UTF-8 (PEP 383), and halves of pairs.
_SURROGATES = re.compile("[\ud800-\udfff]")
T = TypeVar("T")
Problem = tuple[str, str]
"""The path inside a document, such as `.spans[3].name`, and what is wrong there."""

# Levels; deeper documents are an attack on whatever walks them.
DEEPEST = 60


def to_builtins(value: Any) -> Any:
    """A dataclass (or any nesting of them) as plain JSON types.

    Enumerations become texts, tuples and arrays become lists, and what is not a finite number
    becomes None, because JSON has no other word for it.

    Examples:
        >>> to_builtins({"energy_j": (1.0, float("nan"))})
        {'energy_j': [1.0, None]}
    """
    return json.loads(_encode(value))


def document(schema: str, value: Any) -> dict[str, Any]:
    """`value` as a JSON document whose first key names its schema: `joulecast/NAME/1`."""
    return {"schema": schema, **to_builtins(value)}


def dumps(value: Any, *, indent: int = 0) -> str:
    """`value` as JSON text, on one line or indented."""
    import msgspec

    text = _encode(value).decode()
    if "\\ud" in text:
        # In JSON a backslash is written as two.
        text = encodable(json.dumps(json.loads(text), ensure_ascii=False), "\\\\")
    return msgspec.json.format(text, indent=indent) if indent else text


def encodable(text: str, backslash: str = "\\") -> str:
    """A text as UTF-8 can encode it: bytes of a command line that were none become `\\xe9`."""
    return _SURROGATES.sub(lambda found: f"{backslash}x{ord(found[0]) & 0xFF:02x}", text)


def read(data: Any, kind: type[T], place: str = "document") -> T:
    """Plain JSON types as a `kind`, every value checked. For untrusted input.

    Args:
        data: what a JSON or TOML parser returned.
        kind: a dataclass, or any type that `msgspec.convert` knows.
        place: what the data is, for the error: a file's name.

    Raises:
        BadInputError: a key is missing, a value has the wrong type, a number is not finite or does
            not fit 64 bits, or the data is nested deeper than `DEEPEST`; the text names the path.
    """
    import msgspec

    problem = _first_problem(data, 1)
    if problem is not None:
        raise BadInputError(f"{place}{problem[0]}: {problem[1]}")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        at = f"{place}{path.removeprefix('$').removesuffix('`')}"
        raise BadInputError(f"{at}: {text[:1].lower()}{text[1:]}") from None
    except UnicodeEncodeError:
        raise BadInputError(f"{place}: a key or a text is not valid Unicode") from None


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


def _encode(value: Any) -> bytes:
    import msgspec

    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except (UnicodeEncodeError, OverflowError):
        # A command line may hold bytes that are not UTF-8, and a user's factor more than 64 bits.
        # The standard library writes both, so that they are read back as they were.
        return json.dumps(_finite(msgspec.to_builtins(value, enc_hook=_plain))).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _first_problem(value: Any, depth: int) -> Problem | None:
    """What no document of ours holds, whatever its type; None where there is nothing."""
    if isinstance(value, float):
        return None if math.isfinite(value) else ("", "a finite number is expected")
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else ("", "the number does not fit 64 bits")
    if not isinstance(value, dict | list):
        return None
    if depth > DEEPEST:
        return "", f"the values are nested deeper than {DEEPEST} levels"
    # Most of a recording are long columns of numbers, which are checked at once.
    is_column = isinstance(value, list) and set(map(type, value)) <= {float}
    if is_column and all(map(math.isfinite, value)):
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        problem = _first_problem(item, depth + 1)
        if problem is not None:
            step = f".{key}" if isinstance(value, dict) else f"[{key}]"
            return step + problem[0], problem[1]
    return None
