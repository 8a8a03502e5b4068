"""One loop whose steps are shown without an epoch: a bar, `step 100/5000`, a percentage."""

from __future__ import annotations

from typing import Generic, TypeVar

from .sighting import Sighting, within

T = TypeVar("T")

_FULL = 0.9  # seen so far, a loop may have ended: bars are not drawn at every step
_MOST_HELD = 64


class Loop(Generic[T]):
    """How often and how far a loop ran, and what it passed through, thinned out."""

    def __init__(self) -> None:
        self.rounds = 0  # finished
        self.fraction = 0.0  # of the one under way
        self.results = False  # are shown beside it
        self.reached = 0.0  # the furthest since it was last asked
        self.over = False  # its lines are of the epoch before
        self.trail: list[tuple[float, T]] = []  # rounds done, with a fraction

    def take(self, sighting: Sighting, stamp: T) -> bool:
        """Note where the loop is. True where it began again."""
        fraction = within(sighting)
        self.results = self.results or bool(sighting.metrics)
        if self.over:
            if fraction >= self.fraction:
                return False
            self.over, self.fraction = False, 0.0
        again = fraction < 0.5 * self.fraction and self.fraction >= 0.5
        if again:
            self.rounds += 1
            self.fraction = 0.0
        if fraction < self.fraction:  # an old line, drawn again
            return False
        self.fraction = fraction
        self.reached = max(self.reached, fraction)
        self.trail.append((self.rounds + fraction, stamp))
        if len(self.trail) > _MOST_HELD:  # keep its beginning and its end
            self.trail = [*self.trail[:-2:2], self.trail[-1]]
        return again

    @property
    def full(self) -> bool:
        """It ran to its end, or nearly, since the last `turn`."""
        return self.reached >= _FULL

    def turn(self) -> None:
        """A new epoch begins: what the loop shows counts from when it is seen to begin again."""
        self.over, self.reached = self.fraction > 0, 0.0
