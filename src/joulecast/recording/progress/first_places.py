"""The first places of a loop, held back until it is clear whether the run was resumed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from .sighting import Sighting

T = TypeVar("T")
Place = tuple[float, T]
"""Rounds of a loop that are done, with the fraction of the current one, and the stamp of that."""

# A loop that was last printed at this fraction may have ended: not every step is printed.
FULL = 0.9
# Fraction at the first print from which a run may have been resumed.
_LATE = 0.05
# Times as fast as the steps that follow: a first jump that was done before this run.
_JUMP = 4
# Bars of these are drawn before their first step.
_DRAWN_FIRST = {"tqdm", "rich", "lightning"}


class FirstPlaces(Generic[T]):
    """Whether a loop continues one of an earlier run, by its first places."""

    def __init__(self, clock: Callable[[T], float] | None) -> None:
        self._clock = clock
        self._all: list[Place[T]] = []
        # Of them, those that were not held back.
        self._shown = 0
        # The fraction that was done before this run, and how much less that may be.
        self.before = self.slack = 0.0

    @property
    def shown(self) -> list[Place[T]]:
        """Those that belong to this run in any case."""
        return self._all[: self._shown]

    def add(self, place: Place[T], s: Sighting) -> tuple[bool, list[Place[T]]]:
        """Whether it is clear now, and the places of this run that were not returned before."""
        places = self._all
        places.append(place)
        late = max(1.01 / s.steps if s.steps else 0.01, _LATE)
        before = 0.0 if s.over else self._done_before(late, s.tool in _DRAWN_FIRST)
        shown, self._shown = self._shown, int(places[0][0] <= late)
        if before is None:
            return False, places[shown : self._shown]
        self.before = before
        # Some of its own steps are part of the jump.
        self.slack = places[2][0] - places[1][0] if before > 0 and len(places) == 3 else 0.0
        return True, [place for place in places[shown:] if place[0] >= before]

    def _done_before(self, late: float, drawn_first: bool) -> float | None:
        """The fraction that was done before this run; None: not clear yet."""
        places, start = self._all, self._all[0][0]
        # Nothing but its end was printed.
        if start >= FULL:
            return 0.0
        if start > late and drawn_first:
            return start
        if len(places) == 1:
            return None
        step = places[1][0] - start
        if start > late:
            return start - step if start > _JUMP * step else 0.0
        if step <= late:
            return 0.0
        if len(places) == 2:
            return None
        return places[1][0] if self._speed(*places[:2]) > _JUMP * self._speed(*places[1:]) else 0.0

    def _speed(self, a: Place[T], b: Place[T]) -> float:
        took = 1.0 if self._clock is None else self._clock(b[1]) - self._clock(a[1])
        return (b[0] - a[0]) / max(took, 1e-3)
