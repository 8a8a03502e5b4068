"""One series of lines with epoch numbers: from printed numbers to finished epochs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from .sighting import Moment, Sighting, within

T = TypeVar("T")

# Tools that print "Epoch 0/29" of 30, where others print "0/30".
_PRINT_THE_LAST = {"lightning", "rich"}
_MAX_KEPT = 64
# Fraction of an epoch: lines further apart are printed along the epoch, not at its end.
_REPEATED = 0.2
_FULL = 0.8
# Fraction of an epoch: a first line earlier than this after the start heads an epoch.
_EARLY = 0.3


class EpochSeries(Generic[T]):
    """Numbers of one form of line. Trusted once it is clear where they start.

    The numbers 0 and 1 are a first epoch. After any other first number, the next one shows whether
    every k-th epoch is printed (10, 20) or the run was resumed (13, 14).
    """

    def __init__(self, form: str, clock: Callable[[T], float] | None) -> None:
        self.form = form
        self._clock = clock
        # Of different numbers.
        self.count = 0
        # The numbers started again with the last sighting.
        self.restarted = False
        # A possible new start, which the next lines confirm or refute.
        self._began: tuple[Sighting, T] | None = None
        self._reset()

    def _reset(self) -> None:
        self._tool = ""
        # Epochs before this run, which was resumed.
        self.before = 0.0
        # Whether steps are printed with the numbers.
        self.has_steps = False
        # Steps of the last epoch, where their number is not printed, and those of this one so far.
        self._length = self._steps = 0.0
        # Whether it is clear where the numbers start.
        self.known = False
        self.printed: int | None = None  # the total on the line
        self._zero_based = False
        self._first = self._last = -1.0
        # Lines that look like results are printed before or during an epoch.
        self._heads = False
        self._first_of: tuple[Sighting, T] | None = None  # the first line with the last number
        # The latest line of each shape with the last number.
        self._shapes: dict[str, tuple[Sighting, T]] = {}
        self._waiting: list[tuple[Sighting, T]] = []

    @property
    def total(self) -> int | None:
        """The printed total of epochs, of which `before` were done before.

        From 0 both "0/29" and "0/30" may mean 30: the rounder number is used until the last epoch.
        With steps the number of epochs itself is printed.
        """
        if self.printed is None or not self._zero_based:
            return self.printed
        if self._last >= self.printed or self._tool in _PRINT_THE_LAST:
            return self.printed + 1
        if self.has_steps:
            return self.printed
        return self.printed + int(_roundness(self.printed + 1) > _roundness(self.printed))

    def rank(self, planned: float | None) -> int:
        """How far it can be trusted: most where its total is printed, and is the planned one."""
        if self.printed is not None:
            return 2 + (self.total == planned)
        return int(self.count > 2)

    def take(self, stamped: tuple[Sighting, T], trusted: bool) -> list[tuple[float, T]]:
        """Finished epochs with their stamps, oldest first, as far as they are clear.

        `stamped` is a sighting and the caller's stamp of it.
        A form that is not `trusted` needs two lines, after which both are returned.
        """
        number = stamped[0].epoch or 0.0
        self.restarted = False
        if 0 <= number <= min(self._first, self._last - 1):
            follows = self._began and _follows(self._began[0], stamped[0])
            if not follows:
                self._began = stamped if self._began is None or follows is False else self._began
                return []
        if self._began is not None:
            began, self._began = self._began, None
            if number <= self._last and _follows(began[0], stamped[0]):
                self._reset()
                taken = self._take(began, trusted) + self._take(stamped, trusted)
                self.restarted = True
                return taken
        return self._take(stamped, trusted)

    def _take(self, stamped: tuple[Sighting, T], trusted: bool) -> list[tuple[float, T]]:
        s = stamped[0]
        number, self._tool = s.epoch or 0.0, s.tool
        # The epoch is repeated, after a crash.
        if number < self._last:
            self._shapes.clear()
            return []
        if s.epochs is not None:
            self.printed = s.epochs
        self.has_steps = self.has_steps or s.steps is not None
        new = number > self._last
        if self._first < 0:
            self._first = number
        if new:
            self._learn_timing(stamped)
            self._last, self._first_of, self._shapes = number, stamped, {}
            self._length, self._steps = self._steps, 0.0
            self.count += 1
        elif s.moment is Moment.END and s.shape in self._shapes:
            self._repeated(stamped)
        self._steps = max(self._steps, s.step or 0.0)
        self._shapes[s.shape] = stamped
        self._waiting = [*self._waiting[-_MAX_KEPT:], stamped]
        if not self.known:
            self._learn_base(number, s)
        if not self.known or not (trusted or self.count > 1):
            return []
        waiting, self._waiting = self._waiting, []
        return [(self._done(sighting), stamp) for sighting, stamp in waiting]

    def _learn_base(self, number: float, s: Sighting) -> None:
        first = self._first
        counts, zero_based = s.moment is Moment.COUNT, s.tool in _PRINT_THE_LAST
        if first < 2:
            self._zero_based, self.known = first < 1 and not counts, True
        elif number > first or (len(self._waiting) > 1 and _follows(self._waiting[0][0], s)):
            stride, self.known = number - first, True
            if stride > 1 and first <= stride:
                self._zero_based = first == stride - 1 and not counts
            else:
                self._zero_based = zero_based
                self.before = first if counts or zero_based else first - 1
        elif _is_printed_each_epoch(s):
            # The run was resumed. Who logs step 0 counts the epochs from 0, too; bars are drawn
            # before their first step.
            zero_based = zero_based or (s.tool == "epoch line" and s.step == 0)
            self._zero_based, self.known = zero_based, True
            self.before = first if zero_based else first - 1

    def ends(self, s: Sighting) -> bool:
        """Whether an epoch ends with this line."""
        by_words = s.moment is Moment.END and not self._heads
        return s.moment is Moment.COUNT or s.over or by_words

    def start_of(self, number: float) -> float:
        """The epochs that are done when the one with this number starts."""
        return number - (0.0 if self._zero_based else 1.0)

    def _done(self, s: Sighting) -> float:
        number = s.epoch or 0.0
        if s.moment is Moment.COUNT:
            return number
        if s.steps is None and self._length:
            s = replace(s, steps=max(self._length, s.step or 0.0))
        return self.start_of(number) + (1.0 if self.ends(s) else within(s))

    def _learn_timing(self, stamped: tuple[Sighting, T]) -> None:
        """A line with results soon after the start of the run is not the end of an epoch."""
        if self._clock is None or self.count != 1 or self._first_of is None:
            return
        first = self._clock(self._first_of[1])
        epochs = (stamped[0].epoch or 0) - self._last
        if first < _EARLY * (self._clock(stamped[1]) - first) / epochs:
            self._heads = True

    def _repeated(self, stamped: tuple[Sighting, T]) -> None:
        """The same words for the same epoch: printed along the epoch, or by several ranks."""
        earlier = self._shapes[stamped[0].shape]
        if self._clock is None:
            self._heads = True
            return
        epoch_s = self._clock(earlier[1]) / max(self.count, 1)
        if self._clock(stamped[1]) - self._clock(earlier[1]) > _REPEATED * epoch_s:
            self._heads = True


def _follows(earlier: Sighting, later: Sighting) -> bool | None:
    """Whether one follows the other in the same loop; None where both are at the same place."""
    a, b = (earlier.epoch or 0) + within(earlier), (later.epoch or 0) + within(later)
    return None if a == b else b > a


def _is_printed_each_epoch(s: Sighting) -> bool:
    """Whether a line is a header "Epoch 3/6", or shows steps.

    A program that buffers its output may print nothing but the end of its last bar.
    """
    header = s.moment is Moment.START and s.epochs is not None
    return header or (s.moment is Moment.WITHIN and s.steps is not None and within(s) < _FULL)


def _roundness(number: int) -> int:
    """How round a number is: people plan tens, fives, powers of two."""
    if number % 10 == 0:
        return 3
    return 2 if number % 5 == 0 else int(number & (number - 1) == 0)
