import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from joulecast import serialize
from joulecast.errors import BadInputError
from joulecast.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Part:
    """A dataclass within another."""

    name: str
    power_w: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A dataclass with something of each kind."""

    parts: list[Part]
    count: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


def test_plain_types() -> None:
    value = {"a": Part("x", math.inf), "b": np.float64(2), "c": np.arange(2), "d": Path("/x")}
    plain = {"a": {"name": "x", "power_w": None}, "b": 2.0, "c": [0, 1], "d": "/x"}
    assert serialize.to_builtins(value) == plain
    assert json.loads(serialize.dumps(value, indent=2)) == plain


@pytest.mark.parametrize("odd", ["caf\udce9", 2**70])
def test_types_unknown_to_msgspec_are_written(odd: Any) -> None:
    value = {"odd": odd, "loss": math.nan}
    assert serialize.to_builtins(value) == {"odd": odd, "loss": None}
    # Documents for people and other programs are UTF-8.
    shown = odd if isinstance(odd, int) else "caf\\xe9"
    assert json.loads(serialize.dumps(value)) == {"odd": shown, "loss": None}


def test_reading_is_the_inverse_and_ignores_unknown_keys() -> None:
    whole = Whole([Part("x", 1.5)], 3, {"deep": [1, None]})
    document = serialize.to_builtins(whole)
    assert serialize.read(document | {"more": 1}, Whole) == whole


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"parts": [{"name": 3}]}, ".parts[0].name"),
        ({"parts": [{}]}, ".parts[0]"),
        ({"count": True}, ".count"),
        ({"count": 1.5}, ".count"),
        ({"count": 2**63}, ".count"),
        ({"parts": [{"name": "x", "power_w": 10**400}]}, ".parts[0].power_w"),
        ({"parts": [{"name": "x", "power_w": "1"}]}, ".parts[0].power_w"),
        ({"extra": {"list": [1.0, math.nan]}}, ".extra.list[1]"),
        ({"extra": {"list": [1.0, 2**63]}}, ".extra.list[1]"),
        ({"extra": {"list": [1.0, [-math.inf]]}}, ".extra.list[1][0]"),
        ({"extra": deep(serialize.DEEPEST)}, ".extra" + ".a" * (serialize.DEEPEST - 1)),
        ({"caf\udce9": 1}, ""),
    ],
)
def test_an_invalid_value_is_named_by_its_path(change: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInputError) as caught:
        serialize.read({"parts": []} | change, Whole, "plan.json")
    assert str(caught.value).startswith(f"plan.json{place}: ")


def test_the_deepest_that_is_read() -> None:
    whole = serialize.read({"parts": [], "extra": deep(serialize.DEEPEST - 2)}, Whole)
    assert whole.extra


def test_an_estimate_outside_its_bounds_is_refused() -> None:
    document = serialize.to_builtins(Estimate(2, 1, 3))
    assert serialize.read(document, Estimate) == Estimate(2, 1, 3)
    with pytest.raises(BadInputError):
        serialize.read(document | {"low": 2.5}, Estimate)
