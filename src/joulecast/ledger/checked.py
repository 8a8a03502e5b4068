"""Reading a document that others wrote: every value is asked for by type, and errors name it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from ..errors import BadInputError
from ..recording.model import Array

_DEEPEST = 50


class Value:
    """A value in a JSON document, and the path to it. Every method raises `BadInputError`."""

    def __init__(self, value: Any, place: str = "document") -> None:
        self._value = value
        self.place = place

    def refuse(self, problem: str) -> NoReturn:
        """Say what is wrong with this value."""
        raise BadInputError(f"{self.place}: {problem}")

    def _expected(self, what: str) -> NoReturn:
        shown = repr(self._value)
        self.refuse(f"{what} is expected, not {shown if len(shown) < 40 else shown[:37] + '...'}")

    def __getitem__(self, key: str) -> Value:
        """The value of a key that must be there."""
        if key not in self.mapping():
            self.refuse(f"the key {key!r} is missing")
        return self._child(key)

    def get(self, key: str) -> Value | None:
        """The value of a key, or None where it is null or missing."""
        if self.mapping().get(key) is None:
            return None
        return self._child(key)

    def _child(self, key: str) -> Value:
        return Value(self._value[key], f"{self.place}.{key}")

    def mapping(self) -> dict[str, Any]:
        """The value as an object."""
        if not isinstance(self._value, dict):
            self._expected("an object")
        return self._value

    def document(self) -> dict[str, Any]:
        """The value as an object of whatever shape, if it is not nested so deep as to harm."""
        level: list[Any] = [self.mapping()]
        depth = 0
        while level:
            depth += 1
            if depth > _DEEPEST:
                self.refuse(f"it is nested deeper than {_DEEPEST} levels")
            inner = [v.values() if isinstance(v, dict) else v for v in level]
            level = [v for values in inner for v in values if isinstance(v, dict | list)]
        return self.mapping()

    def items(self) -> Iterator[tuple[str, Value]]:
        """The keys and values of an object."""
        return ((key, self._child(key)) for key in self.mapping())

    def elements(self) -> Iterator[Value]:
        """The values of a list."""
        if not isinstance(self._value, list):
            self._expected("a list")
        return (Value(value, f"{self.place}[{i}]") for i, value in enumerate(self._value))

    def text(self, pattern: str = ".*") -> str:
        """A text that fits a pattern as a whole."""
        if not isinstance(self._value, str):
            self._expected("a text")
        if not re.fullmatch(pattern, self._value, re.DOTALL):
            self._expected(f"a text of the form {pattern}")
        return self._value

    def choice(self, *allowed: str) -> str:
        """One of several texts."""
        if self._value not in allowed:
            self._expected(f"one of {', '.join(allowed)}")
        return str(self._value)

    def number(self, least: float = -math.inf) -> float:
        """A finite number."""
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._expected("a number")
        try:
            value = float(value)
        except OverflowError:
            self._expected("a number that fits 64 bits")
        if not math.isfinite(value):
            self._expected("a finite number")
        if value < least:
            self._expected(f"a number of at least {least:g}")
        return value

    def integer(self) -> int:
        """A whole number of 64 bits."""
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            self._expected("a whole number")
        return int(value)

    def texts(self) -> list[str]:
        """A list of texts."""
        return [value.text() for value in self.elements()]

    def numbers(self) -> Array:
        """A list of finite numbers, as an array of shape (n,)."""
        if not isinstance(self._value, list):
            self._expected("a list of numbers")
        if set(map(type, self._value)) <= {int, float}:
            try:
                array = np.array(self._value, dtype=np.float64)
            except OverflowError:
                array = np.array([math.nan])
            if np.isfinite(array).all():
                return array
        # Slowly, to say which one it is that does not fit.
        return np.array([value.number() for value in self.elements()], dtype=np.float64)
