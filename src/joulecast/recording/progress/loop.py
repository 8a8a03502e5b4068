"""One counter of steps that is printed without an epoch: a bar, `step 100/5000`, a percentage."""

from collections.abc import Callable
from typing import Generic, TypeVar

from . import words
from .first_places import FULL, FirstPlaces, Place
from .sighting import Moment, Sighting, within

T = TypeVar("T")

_MAX_KEPT = 64


class Loop(Generic[T]):
    """How often and how far a counter of so many steps has run."""

    def __init__(
        self, steps: float | None, clock: Callable[[T], float] | None, *, headed: bool
    ) -> None:
        self.steps = steps
        # Whether an epoch had been announced when it was first printed.
        self.headed = headed
        # Rounds that have ended.
        self.rounds = 0
        # Of the current round.
        self.fraction = 0.0
        # Whether results are printed with it.
        self.results = False
        # Whether it goes on when an epoch ends.
        self.crosses = False
        # Its farthest place since the current epoch began.
        self._reached = 0.0
        # Some of its places.
        self.trail: list[Place[T]] = []
        # Whether its lines are of the previous epoch.
        self._old = False
        self.first = FirstPlaces(clock)
        # Whether it is clear where this run started.
        self._clear = False

    def take(self, s: Sighting, stamp: T) -> list[Place[T]]:
        """The places that are clear now."""
        fraction = 1.0 if s.over or s.fraction == 1 else within(s)
        self.results = self.results or bool(s.metrics)
        if self._old and fraction >= self.fraction and s.moment is not Moment.END:
            # The end of the previous epoch was drawn again, or the loop goes on in this one.
            if fraction == self.fraction or max(fraction, self.fraction) >= FULL:
                return []
            self._old, self.crosses = False, True
        again = not self._old and fraction < 0.5 * self.fraction and self.fraction >= 0.5
        if again or self._old:
            self.rounds += again
            self._old, self.fraction, self._clear = False, -1.0, True
        # An old line was drawn again.
        if fraction < self.fraction or (fraction == self.fraction and self.trail):
            return []
        self.fraction = fraction
        self._reached = max(self._reached, fraction)
        self.trail.append((self.rounds + fraction, stamp))
        # Every second one is dropped, except for the first and the last.
        if len(self.trail) > _MAX_KEPT:
            self.trail = [*self.trail[:-2:2], self.trail[-1]]
        return self._cleared(s)

    def _cleared(self, s: Sighting) -> list[Place[T]]:
        """The last place, and those that were held back until the run's own steps are known."""
        if self._clear:
            return self.trail[-1:]
        self._clear, places = self.first.add(self.trail[-1], s)
        if self._clear:
            self.trail = [place for place in self.trail if place[0] >= self.first.before]
        return places

    @property
    def places(self) -> list[Place[T]]:
        """All places that are clear."""
        return self.trail if self._clear else self.first.shown

    @property
    def full(self) -> bool:
        """Whether it has run (almost) to its end since the last `turn`."""
        return self._reached >= FULL

    def turn(self) -> None:
        """A new epoch starts: the loop counts again once it has started again."""
        self._old = self.fraction > 0 and not self.crosses
        self._reached = 0.0

    def runs_across(self, s: Sighting, epochs: float | None, *, ended: bool) -> bool | None:
        """Whether it counts the steps of all epochs; None where it may.

        It goes on when an epoch ends. Before the first has `ended`, it may where it is not drawn
        anew for the first epoch, has a name such as "steps", and a number of steps that divides.
        """
        if self.rounds or self.crosses or ended or s.tool == "keras":
            return self.crosses and not self.rounds
        divides = self.divides(epochs)
        if not self.headed:
            return True if divides else None
        # Lines are printed after the first steps, whichever they count.
        if s.tool == "step line" and divides:
            return None
        return divides and words.OVERALL.search(s.shape) is not None

    def may_be_whole(self, s: Sighting, planned: float | None, *, agrees: bool | None) -> bool:
        """Whether it may be the whole run rather than an epoch, before it starts again.

        With n planned epochs, the steps of the whole run are a multiple of n, and a bar over the
        whole run (the Trainer's) has neither a label nor results. Otherwise its second round
        decides. A percentage alone may be that of anything. `agrees`: with other printed epochs.
        """
        if s.tool == "percent" and len(self.trail) < 2:
            return False
        if planned is None or planned == 1:
            return True
        if agrees is not None:
            return agrees
        if s.tool == "keras":
            return False
        overall = words.OVERALL.search(s.shape) is not None
        if overall and s.tool != "step line":
            return True
        if not self.divides(planned) or not s.step:
            return False
        bare = not s.shape and not self.results
        return self.first.before > 0 or planned >= (3 if overall or bare else 10)

    def divides(self, epochs: float | None) -> bool:
        """Whether its steps may be those of several epochs."""
        return bool(epochs and epochs > 1 and self.steps and self.steps % epochs == 0)
