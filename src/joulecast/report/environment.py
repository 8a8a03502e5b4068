"""The environment of a run as rows for people, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..units import format_quantity

Rows = list[tuple[str, str]]


def environment_rows(environment: Mapping[str, Any]) -> Rows:
    """Every known fact as (label, text), in the order given; unknown ones are left out.

    Nested facts are joined into one text a top-level key, lists of devices give a row each.
    """
    rows: Rows = []
    for key, value in environment.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            items = [text for text in (_text(item) for item in value) if text]
            plain = all(not isinstance(item, Mapping) for item in value)
            if plain and items:
                rows.append((_label(key), ", ".join(items)))
            else:
                rows += _numbered(_label(key), items)
        else:
            text = _text(value, key)
            if text:
                rows.append((_label(key), text))
    return rows


def brief(environment: Mapping[str, Any], most: int = 5) -> Rows:
    """The few rows that tell machines apart: devices first, then whatever comes."""
    first = ("gpu", "cpu", "ram", "memory", "os", "software", "frameworks", "python")
    rows = environment_rows(environment)
    rank = {id(row): _rank(row[0], first) for row in rows}
    return sorted(rows, key=lambda row: rank[id(row)])[:most]


def _rank(label: str, first: tuple[str, ...]) -> int:
    low = label.lower()
    return next((i for i, word in enumerate(first) if low.startswith(word)), len(first))


def _numbered(label: str, items: list[str]) -> Rows:
    if len(set(items)) == 1 and len(items) > 1:
        return [(label, f"{len(items)} x {items[0]}")]
    return [(f"{label} {i}" if len(items) > 1 else label, text) for i, text in enumerate(items)]


_WORDS = {"gpus": "GPU", "gpu": "GPU", "cpu": "CPU", "ram": "RAM", "os": "OS", "cuda": "CUDA"} | {
    "id": "ID",
    "mig": "MIG",
    "uuid": "UUID",
    "vm": "VM",
    "dmi": "DMI",
}
_UNITS = {"_bytes": "B", "_w": "W", "_j": "J", "_s": "s", "_hz": "Hz"}


def _label(key: str) -> str:
    words = [_WORDS.get(word, word) for word in _bare(key).split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _bare(key: str) -> str:
    """The key without its unit, which the figure shows."""
    for suffix in _UNITS:
        key = key.removesuffix(suffix)
    return key


def _text(value: Any, key: str = "") -> str:
    if value is None or value == "" or value == {} or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        for suffix, unit in _UNITS.items():
            if key.endswith(suffix):
                return format_quantity(float(value), unit)
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(filter(None, (_text(item) for item in value)))
    return str(value)


def _mapping(value: Mapping[str, Any]) -> str:
    """`name` first and bare, then `label value` pairs."""
    parts = []
    for lead in ("name", "model"):
        if value.get(lead):
            parts.append(str(value[lead]))
            break
    taken = {"name", "model"} if parts else set()
    for key, item in value.items():
        text = _text(item, str(key))
        if key in taken or not text or item is False:
            continue
        label = _bare(str(key)).replace("_", " ")
        parts.append(label if item is True else f"{label} {text}")
    return ", ".join(parts)
