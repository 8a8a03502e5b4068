"""One counter of steps that is printed without an epoch: a bar, `step 100/5000`, a percentage."""

from collections.abc import Callable
from typing import Generic, TypeVar

from .sighting import Moment, Sighting, within

T = TypeVar("T")

# A loop that was last printed at this fraction may have ended: not every step is printed.
_FULL = 0.9
_MAX_KEPT = 64
# Fraction at the first print from which a run may have been resumed.
_LATE = 0.05
# Times as fast as the steps that follow: a first jump that was done before this run.
_JUMP = 4
# Bars of these are drawn before their first step.
_DRAWN_FIRST = {"tqdm", "rich", "lightning"}


class Loop(Generic[T]):
    """How often and how far a counter has run. A place is (rounds done with a fraction, stamp)."""

    def __init__(self, clock: Callable[[T], float] | None, *, headed: bool) -> None:
        self._clock = clock
        # Whether an epoch had been announced when it was first printed.
        self.headed = headed
        # Rounds that have ended.
        self.rounds = 0
        # Of the current round.
        self.fraction = 0.0
        # Of it, at most before this run, which was resumed, and how much less that may be.
        self.before = self.slack = 0.0
        # Whether results are printed with it.
        self.results = False
        # Whether it goes on when an epoch ends.
        self.crosses = False
        # Its place when the current epoch began, and the farthest since then.
        self.turned = self.reached = 0.0
        # Some of its places.
        self.trail: list[tuple[float, T]] = []
        # Whether its lines are of the previous epoch.
        self._old = False
        # The first places, until it is clear whether the run was resumed.
        self._first: list[tuple[float, T]] | None = []
        # Of them, those that were not held back.
        self._shown = 0

    def take(self, s: Sighting, stamp: T) -> list[tuple[float, T]]:
        """The places that are clear now."""
        fraction = 1.0 if s.over or s.fraction == 1 else within(s)
        self.results = self.results or bool(s.metrics)
        if self._old and fraction >= self.fraction and s.moment is not Moment.END:
            # The end of the previous epoch was drawn again, or the loop goes on in this one.
            if fraction == self.fraction or max(fraction, self.fraction) >= _FULL:
                return []
            self._old, self.crosses = False, True
        again = not self._old and fraction < 0.5 * self.fraction and self.fraction >= 0.5
        if again or self._old:
            self.rounds += again
            self._old, self.fraction, self._first = False, -1.0, None
        # An old line was drawn again.
        if fraction < self.fraction or (fraction == self.fraction and self.trail):
            return []
        self.fraction = fraction
        self.reached = max(self.reached, fraction)
        self.trail.append((self.rounds + fraction, stamp))
        # Every second one is dropped, except for the first and the last.
        if len(self.trail) > _MAX_KEPT:
            self.trail = [*self.trail[:-2:2], self.trail[-1]]
        return self._cleared(s)

    def _cleared(self, s: Sighting) -> list[tuple[float, T]]:
        """The last place, and those that were held back until the run's own steps are known."""
        if self._first is None:
            return self.trail[-1:]
        first = self._first
        first.append(self.trail[-1])
        late = max(1.01 / s.steps if s.steps else 0.01, _LATE)
        before = 0.0 if s.over else self._resumed(first, late, s.tool in _DRAWN_FIRST)
        shown, self._shown = self._shown, int(first[0][0] <= late)
        if before is None:
            return first[shown : self._shown]
        self._first, self.before = None, before
        # Some of its own steps are part of the jump.
        self.slack = first[2][0] - first[1][0] if before > 0 and len(first) == 3 else 0.0
        self.trail = [place for place in self.trail if place[0] >= before]
        return [place for place in first[shown:] if place[0] >= before]

    @property
    def places(self) -> list[tuple[float, T]]:
        """All places that are clear."""
        return self.trail if self._first is None else self._first[: self._shown]

    @property
    def full(self) -> bool:
        """Whether it has run (almost) to its end since the last `turn`."""
        return self.reached >= _FULL

    def turn(self) -> None:
        """A new epoch starts: the loop counts again once it has started again."""
        self._old = self.fraction > 0 and not self.crosses
        self.turned, self.reached = self.fraction, 0.0

    def _resumed(
        self, first: list[tuple[float, T]], late: float, drawn_first: bool
    ) -> float | None:
        """The fraction that was done before this run, by the first prints; None: not clear yet."""
        start = first[0][0]
        # Nothing but its end was printed.
        if start >= _FULL:
            return 0.0
        if start > late and drawn_first:
            return start
        if len(first) == 1:
            return None
        step = first[1][0] - start
        if start > late:
            return start - step if start > _JUMP * step else 0.0
        if step <= late:
            return 0.0
        if len(first) == 2:
            return None
        return first[1][0] if self._speed(*first[:2]) > _JUMP * self._speed(*first[1:]) else 0.0

    def _speed(self, a: tuple[float, T], b: tuple[float, T]) -> float:
        took = 1.0 if self._clock is None else self._clock(b[1]) - self._clock(a[1])
        return (b[0] - a[0]) / max(took, 1e-3)
