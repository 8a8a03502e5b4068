"""One loop whose steps are printed without an epoch: a bar, `step 100/5000`, a percentage."""

from typing import Generic, TypeVar

from .sighting import Sighting, within

T = TypeVar("T")

# A loop that was last printed at this fraction may have ended: not every step is printed.
_FULL = 0.9
_MAX_KEPT = 64


class Loop(Generic[T]):
    """How often and how far a loop has run, and some of its positions."""

    def __init__(self) -> None:
        # That have ended.
        self.rounds = 0
        # Of the current one.
        self.fraction = 0.0
        # Whether results are printed with it.
        self.results = False
        # Maximum fraction since the last `turn`.
        self.reached = 0.0
        # Whether its lines are of the previous epoch.
        self.over = False
        self.trail: list[tuple[float, T]] = []  # rounds done, with a fraction

    def take(self, sighting: Sighting, stamp: T) -> bool:
        """Update the position. Returns whether the loop started again."""
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
        # An old line was drawn again.
        if fraction < self.fraction:
            return False
        self.fraction = fraction
        self.reached = max(self.reached, fraction)
        self.trail.append((self.rounds + fraction, stamp))
        # Every second one is dropped, except for the first and the last.
        if len(self.trail) > _MAX_KEPT:
            self.trail = [*self.trail[:-2:2], self.trail[-1]]
        return again

    @property
    def full(self) -> bool:
        """Whether it has run (almost) to its end since the last `turn`."""
        return self.reached >= _FULL

    def turn(self) -> None:
        """A new epoch starts: the loop counts again once it has started again."""
        self.over, self.reached = self.fraction > 0, 0.0
