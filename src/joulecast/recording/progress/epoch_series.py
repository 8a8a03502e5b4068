"""One series of lines with epoch numbers: from the numbers as printed to epochs finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .sighting import Moment, Sighting, within

T = TypeVar("T")

_PRINT_THE_LAST = {"lightning", "rich"}  # "Epoch 0/29" of 30, where others print "0/30"
_MOST_HELD = 64
_REPEATED = 0.2  # of an epoch: lines further apart belong to its course, not to its end
_EARLY = 0.3  # of an epoch: a first line sooner after the start than this heads an epoch


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A sighting and what the caller stamped it with."""

    sighting: Sighting
    stamp: T


class EpochSeries(Generic[T]):
    """Numbers of one form of line. Believed once it is clear where they start.

    The first number tells: 0 and 1 are a first epoch; from any other the next one shows whether
    every k-th epoch is printed (10, 20) or the run was resumed (13, 14).
    """

    def __init__(self, clock: Callable[[T], float] | None) -> None:
        self._clock = clock
        self.count = 0  # of different numbers seen
        self.restarted = False  # the numbers began again with the last sighting
        self._began: Seen[T] | None = None  # a beginning that may be one, not confirmed
        self._reset()

    def _reset(self) -> None:
        self._tool = ""
        self.offset = 0.0  # epochs done before this run, which it resumed
        self.known = False  # where the numbers start
        self.printed: int | None = None  # the total on the line
        self._zero_based = False
        self._base = 1.0
        self._first = self._last = -1.0
        self._heads = False  # lines that look like results come before or amid the work
        self._first_of: Seen[T] | None = None  # the first line with the last number
        self._shapes: dict[str, Seen[T]] = {}  # of the last number: shape -> its latest line
        self._held: list[Seen[T]] = []

    @property
    def total(self) -> int | None:
        """Epochs in all, as the lines say, of which `offset` were done before.

        From 0 both "0/29" and "0/30" may be 30: the rounder number is taken until the last shows.
        """
        if self.printed is None or not self._zero_based:
            return self.printed
        if self._last >= self.printed or self._tool in _PRINT_THE_LAST:
            return self.printed + 1
        return self.printed + int(_roundness(self.printed + 1) > _roundness(self.printed))

    def take(self, seen: Seen[T], trusted: bool) -> list[tuple[float, T]]:
        """What is now known to be finished, oldest first: epochs of this run, and the stamp.

        Of a form that is not `trusted`, one line is not enough; the second brings both.
        """
        number = seen.sighting.epoch
        assert number is not None
        self.restarted = False
        if self._last >= 0 and number <= self._first and number <= self._last - 1:
            further = self._began and _further(self._began.sighting, seen.sighting)
            if not further:
                self._began = seen if self._began is None or further is False else self._began
                return []
        if self._began is not None:
            began, self._began = self._began, None
            if number <= self._last and _further(began.sighting, seen.sighting):
                self._reset()
                taken = self._take(began, trusted) + self._take(seen, trusted)
                self.restarted = True
                return taken
        return self._take(seen, trusted)

    def _take(self, seen: Seen[T], trusted: bool) -> list[tuple[float, T]]:
        s = seen.sighting
        number, self._tool = s.epoch, s.tool
        assert number is not None
        if number < self._last:  # done again, after a crash
            self._shapes.clear()
            return []
        if s.epochs is not None:
            self.printed = s.epochs
        new = number > self._last
        if self._first < 0:
            self._first = number
        if new:
            self._learn_timing(seen)
            self._last, self._first_of, self._shapes = number, seen, {}
            self.count += 1
        elif s.moment is Moment.END and s.shape in self._shapes:
            self._repeated(seen)
        self._shapes[s.shape] = seen
        self._held = [*self._held[-_MOST_HELD:], seen]
        if not self.known:
            self._learn_base(number, s)
        if not self.known or not (trusted or self.count > 1):
            return []
        held, self._held = self._held, []
        return [(self._done(h.sighting), h.stamp) for h in held]

    def _learn_base(self, number: float, s: Sighting) -> None:
        first = self._first
        if first < 2:
            self._zero_based = first < 1 and s.moment is not Moment.COUNT
            self._base, self.known = (0.0 if self._zero_based else 1.0), True
        elif number > first or (len(self._held) > 1 and _further(self._held[0].sighting, s)):
            stride = number - first
            self.known = True
            if stride > 1 and first <= stride:
                self._zero_based = first == stride - 1 and s.moment is not Moment.COUNT
                self._base = 0.0 if self._zero_based else 1.0
            elif s.moment is Moment.COUNT:
                self.offset = first
            else:
                self._base, self.offset = first, first - 1

    def ends(self, s: Sighting) -> bool:
        """Whether an epoch is over with this line."""
        return s.moment is Moment.COUNT or (s.moment is Moment.END and not self._heads)

    def index(self, number: float) -> int:
        """The epoch with this number, counted from 1."""
        return int(number) + int(self._zero_based)

    def _done(self, s: Sighting) -> float:
        assert s.epoch is not None
        if s.moment is Moment.COUNT:
            return s.epoch - self.offset
        done = s.epoch - self._base
        if self.ends(s):
            return done + 1
        return done + within(s)

    def _learn_timing(self, seen: Seen[T]) -> None:
        """A line with results soon after the start of the run is no end of an epoch."""
        if self._clock is None or self.count != 1 or self._first_of is None:
            return
        first = self._clock(self._first_of.stamp)
        epochs = (seen.sighting.epoch or 0) - self._last
        if first < _EARLY * (self._clock(seen.stamp) - first) / epochs:
            self._heads = True

    def _repeated(self, seen: Seen[T]) -> None:
        """The same words for the same epoch again: printed along the epoch, or by several ranks."""
        earlier = self._shapes[seen.sighting.shape]
        if self._clock is None:
            self._heads = True
            return
        epoch_s = self._clock(earlier.stamp) / max(self.count, 1)
        if self._clock(seen.stamp) - self._clock(earlier.stamp) > _REPEATED * epoch_s:
            self._heads = True


def _further(earlier: Sighting, later: Sighting) -> bool | None:
    """Whether one follows the other in the same loop; None where it is the same place again."""
    assert earlier.epoch is not None
    assert later.epoch is not None
    a, b = earlier.epoch + within(earlier), later.epoch + within(later)
    return None if a == b else b > a


def _roundness(number: int) -> int:
    """People plan round numbers of epochs: tens, fives, powers of two."""
    if number % 10 == 0:
        return 3
    return 2 if number % 5 == 0 else int(number & (number - 1) == 0)
