"""A scatter plot in text: one letter for each point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LETTERS = "abcdefghijklmnopqrstuvwxyz"

# Highest / lowest cost from which on the axis is logarithmic.
_LOGARITHMIC = 3.0


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration; `strong` marks a member of the front."""

    x: float
    y: float
    letter: str
    strong: bool


def scatter(points: Sequence[Point], width: int, height: int) -> tuple[list[list[str]], bool]:
    """A grid of letters, rows from the top, and whether x is on a logarithmic axis.

    A cell is a space, a letter, or `+` where several points fall together. `x` is positive.
    """
    xs, ys = [p.x for p in points], [p.y for p in points]
    logarithmic = max(xs) >= _LOGARITHMIC * min(xs)
    scaled = [math.log(x) for x in xs] if logarithmic else xs
    grid = [[" "] * width for _ in range(height)]
    for p, x in zip(points, scaled, strict=True):
        column = _place(x, min(scaled), max(scaled), width)
        row = height - 1 - _place(p.y, min(ys), max(ys), height)
        grid[row][column] = p.letter if grid[row][column] == " " else "+"
    return grid, logarithmic


def _place(value: float, low: float, high: float, cells: int) -> int:
    return round((value - low) / (high - low) * (cells - 1)) if high > low else (cells - 1) // 2
