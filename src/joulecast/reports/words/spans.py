"""Spans prepared for tables: long lists shortened, spans of one name grouped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...estimate import Estimate, add_up
from ...recording.summary import SpanEnergy, Summary

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Elided:
    """The number of items of a long list that are left out."""

    count: int


def ends(items: Sequence[T], limit: int) -> list[T | Elided]:
    """All items, or the first and last ones with an `Elided` between where there are too many."""
    if len(items) <= limit:
        return list(items)
    head = limit * 2 // 3
    tail = limit - head
    return [*items[:head], Elided(len(items) - limit), *items[len(items) - tail :]]


@dataclass(frozen=True, slots=True)
class SpanGroup:
    """All spans of one name at one place in the nesting."""

    path: tuple[str, ...]  # names from the outside in; its own is the last
    count: int
    unfinished: int  # with an unknown end
    duration_s: float
    # Energy of all spans; None where that of one is unknown.
    energy: Estimate | None

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path[-1]

    @property
    def depth(self) -> int:
        """The number of spans around it."""
        return len(self.path) - 1


def group_spans(summary: Summary) -> list[SpanGroup]:
    """The spans that are not epochs by name and nesting, each followed by those inside it."""
    members: dict[tuple[str, ...], list[SpanEnergy]] = {}
    paths: dict[int, tuple[str, ...]] = {}
    for s in sorted([*summary.epochs, *summary.spans], key=lambda s: (s.span.start_s, s.span.id)):
        outer = paths.get(s.span.parent, ()) if s.span.parent is not None else ()
        # "epoch 3" and "epoch 4" belong together.
        numbered = s.span.index is not None
        path = (*outer, s.span.kind if numbered or not s.span.name else s.span.name)
        paths[s.span.id] = path
        members.setdefault(path, [])
    for s in summary.spans:
        members[paths[s.span.id]].append(s)
    first = {path: i for i, path in enumerate(members)}

    def place(path: tuple[str, ...]) -> list[int]:
        return [first[path[: n + 1]] for n in range(len(path))]

    return [_group(path, members[path]) for path in sorted(members, key=place) if members[path]]


def _group(path: tuple[str, ...], spans: list[SpanEnergy]) -> SpanGroup:
    energies = [s.energy for s in spans if s.energy is not None]
    return SpanGroup(
        path,
        len(spans),
        sum(s.span.end_s is None for s in spans),
        math.fsum(s.duration_s for s in spans),
        add_up(energies) if len(energies) == len(spans) else None,
    )
