"""From sightings to positions that can be trusted: one state machine for all forms of lines.

The run is in one of four states: nothing is clear; a series of epoch numbers leads, with a loop of
steps inside it; one loop is the whole run; or each round of a loop is an epoch. Inside, a place is
in epochs of the whole training (`_at`); a position leaves out those before this run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, floor
from typing import Generic, TypeVar

from . import words
from .epoch_series import EpochSeries
from .loop import Loop
from .sighting import ALMOST, SURE, TOOLS, Moment, Sighting

T = TypeVar("T")
K = TypeVar("K")
Key = tuple[str, float | None]
"""A loop: its form and its number of steps."""

# Forms of lines that are followed; further ones are ignored.
_MAX_SERIES = 32
# Whose metrics are kept.
_MAX_EPOCHS = 100_000
_TINY = 1e-9
# Relative error of a number of epochs that is computed from steps, where lines come late.
_NEAR_WHOLE = 0.05


class Counted(StrEnum):
    """What positions count."""

    EPOCHS = "epochs"
    # Epochs, if the steps that are printed are those of the whole run.
    LIKELY = "likely"
    # The run as a whole is 1.
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Position(Generic[T]):
    """The position of the run: `done` of `planned` units (None: unknown).

    `stamp` is that of its sighting. `before` epochs were done before this run, which was resumed.
    Of several positions with the same whole number the first is where an epoch ended, the last
    where the next one begins.
    """

    done: float
    planned: float | None
    stamp: T
    before: float = 0.0
    unit: Counted = Counted.EPOCHS


class ProgressTracker(Generic[T]):
    """Decides which sightings are the run's progress, and the position of each.

    Args:
        planned: number of epochs, if the caller knows it; it overrides the printed one, until the
            run continues beyond it.
        clock: seconds since the start of the run of a stamp; with it, lines at the start of an
            epoch and lines at its end are distinguished by their timing, too.

    `done` never falls, except where `restarts` has grown: another fit or fold started, or the lines
    that were followed are not the run's progress. The positions since then are a new count.
    """

    def __init__(
        self, planned: int | None = None, clock: Callable[[T], float] | None = None
    ) -> None:
        self.restarts = 0
        self._given = planned
        self._clock = clock
        # Numbers of epochs and of steps that were announced.
        self._announced: float | None = None
        self._announced_steps: float | None = None
        self._series: dict[str, EpochSeries[T]] = {}
        self._loops: dict[Key, Loop[T]] = {}
        # The state: the form of the series that leads, or the loop that is the whole run, or the
        # loop of which each round is an epoch.
        self._lead: str | None = None
        self._whole: Key | None = None
        self._rounds: Key | None = None
        # The loop within the epochs of the lead.
        self._inner: Key | None = None
        # The epoch that the Trainer printed last, and where its bar was then.
        self._printed: tuple[float, float] | None = None
        # The epochs of its bar computed from that, and whether a second line confirmed them.
        self._computed: float | None = None
        self._confirmed = False
        self._other: float | None = None
        self._tool: str | None = None
        self._at = -1.0
        # Of it, in folds that have ended.
        self._carried = 0.0
        # Whether the last epoch has ended; where its last step was printed, before that is clear.
        self._ended = False
        self._full: T | None = None
        self._out: list[Position[T]] = []
        self._metrics: dict[int, dict[str, float]] = {}  # by epoch, from 1

    # --- results -----------------------------------------------------------------------------

    @property
    def source(self) -> str | None:
        """Where the positions come from, in words; None before there are any."""
        return None if self._tool is None else TOOLS[self._tool]

    @property
    def metrics(self) -> list[tuple[int, str, float]]:
        """(epoch from 1, name, value), the last value of each epoch, as stamped."""
        return [(n, *metric) for n, metrics in self._metrics.items() for metric in metrics.items()]

    def metrics_of(self, epoch: int) -> dict[str, float]:
        """The last values of one epoch, from 1."""
        return dict(self._metrics.get(epoch, {}))

    @property
    def planned(self) -> float | None:
        """Epochs planned for this run, or 1 where only its fraction as a whole is known."""
        total = self._total
        return None if total is None else max(total - self._before, 0.0)

    @property
    def _total(self) -> float | None:
        """Epochs of the whole training, with those before this run."""
        if self._lead is None:
            whole = None if self._whole is None else self._computed or 1.0
            return self._given or self._announced or whole
        lead = self._series[self._lead]
        printed = self._printed_total(lead)
        if self._given is None:
            return printed
        # A caller counts the epochs of the whole training, or those of this run.
        rest = lead.before and self._given != printed
        if rest and (printed is not None or self._given <= lead.before):
            return self._given + lead.before
        return self._given

    def _printed_total(self, lead: EpochSeries[T]) -> float | None:
        announced = self._announced
        if lead.total is None and announced is not None and announced >= self._at:
            return announced
        return lead.total

    @property
    def _before(self) -> float:
        if self._lead is not None:
            return self._series[self._lead].before
        if self._whole is None:
            return 0.0
        loop, total = self._loops[self._whole], self._total or 1.0
        before = total * loop.before
        # Most runs are resumed after a whole epoch.
        return floor(before) if before - floor(before) <= total * loop.slack else before

    @property
    def _unit(self) -> Counted:
        if self._whole is None or self._confirmed or (self._announced and not self._given):
            return Counted.EPOCHS
        return Counted.LIKELY if self._given or self._computed else Counted.RUN

    # --- input -------------------------------------------------------------------------------

    def see(self, s: Sighting, stamp: T) -> list[Position[T]]:
        """Positions that are trusted now, oldest first; often none."""
        self._out = []
        if s.moment is Moment.PLAN:
            self._announced = s.epochs or self._announced
            self._announced_steps = s.steps or self._announced_steps
        elif s.moment is Moment.PHASE:
            self._see_phase(stamp)
        elif self._is_loop_of_epoch(s):
            loop = Sighting(s.tool, s.form, step=s.epoch, steps=s.epochs, metrics=s.metrics)
            self._see_loop(loop, stamp)
        elif s.epoch is not None:
            self._see_epoch(s, stamp)
        else:
            self._see_steps(self._with_steps(s), stamp)
        self._note_metrics(s)
        return self._out

    def _see_steps(self, s: Sighting, stamp: T) -> None:
        if s.fraction is not None or s.steps is not None:
            self._see_loop(s, stamp)
        elif s.form == self._lead:
            # Its steps exceed its epoch, so that it counts no epochs.
            self._start_count()
            self._lead = self._tool = None

    def _with_steps(self, s: Sighting) -> Sighting:
        """With the number of steps that was announced, where a line does not print it."""
        steps = self._announced_steps
        if s.steps is not None or s.step is None or steps is None or s.step > steps:
            return s
        return replace(s, steps=steps, over=s.step == steps)

    def finish(self, stamp: T) -> list[Position[T]]:
        """The run has succeeded: its last epoch is complete, also before the planned one."""
        self._out = []
        if self._whole is not None and self._compute_epochs(self._whole):
            self._move_whole(self._whole, self._loops[self._whole].places)
        if self._at < 0 or self._ended:
            return self._out
        end = stamp if self._full is None else self._full
        if self._whole is None:
            self._move(floor(self._at + _TINY) + 1.0, end, over=True)
        elif self._loops[self._whole].fraction > 0.9:
            self._move(self._total or 1.0, end, over=True)
        self._ended = True
        return self._out

    def _see_phase(self, stamp: T) -> None:
        """Validation, a checkpoint: an epoch whose steps are done ended before it.

        The next epoch does not begin before its end.
        """
        if self._full is not None and not self._ended and self._whole is None:
            self._move(floor(self._at + _TINY) + 1.0, self._full, over=True)
        if self._ended:
            self._reach(self._at, stamp, begins=True)

    # --- lines with an epoch's number --------------------------------------------------------

    def _see_epoch(self, s: Sighting, stamp: T) -> None:
        if not _has_room(self._series, s.form):
            return
        series = self._series.setdefault(s.form, EpochSeries(self._clock))
        # One line is enough where it or the caller gives the total, or where it prints steps.
        sure = any(total is not None for total in (s.epochs, self._given, s.steps))
        taken = series.take((s, stamp), sure)
        if s.tool == "transformers" and self._lead is None and self._loops:
            # The positions are those of the Trainer's bar.
            self._printed = s.epoch or 0.0, max(loop.fraction for loop in self._loops.values())
        elif taken and self._follows(s, taken[-1][0]):
            self._move_along(s, series, taken)

    def _follows(self, s: Sighting, done: float) -> bool:
        """Whether the positions of a series are used; it leads where it ranks higher."""
        if s.form == self._lead:
            if self._series[s.form].restarted:
                self._restart(self._series[s.form])
        elif self._lead is None or self._rank(s.form) > self._rank(self._lead):
            self._follow(s, done)
        # Another form that is epochs ahead counts something else.
        elif done + self._carried > floor(self._at + _TINY) + 1 + _TINY:
            return False
        return True

    def _move_along(
        self, s: Sighting, series: EpochSeries[T], taken: list[tuple[float, T]]
    ) -> None:
        for number, stamp in taken:
            done = number + self._carried
            # A header shows its epoch before any of it is done.
            shown = done + (s.moment is Moment.START and not series.ends(s))
            if s.form == self._lead and self._given and shown > (self._total or shown) + _TINY:
                # More epochs than the caller planned: as many as are printed, or one by one.
                printed = series.total is not None and shown <= series.total
                self._given = None if printed else ceil(shown - _TINY)
            full = s.steps is not None and s.step == s.steps
            self._move(done, stamp, over=series.ends(s), full=full)

    def _restart(self, series: EpochSeries[T]) -> None:
        """Epochs of folds are added where the caller planned a multiple of those of one fold."""
        total = series.total
        if total and self._given and self._given > total and self._given % total == 0:
            self._carried = min(self._carried + total, self._given - total)
        else:
            self._start_count()

    def _follow(self, s: Sighting, done: float) -> None:
        """Follow a series from now on; positions from other lines are dropped."""
        before = self._whole or self._rounds
        if self._at >= 0 and (before is not None or abs(done - self._at) > 1):
            self._start_count()
        if self._at >= 0:
            # What this run has done is not from before it.
            self._series[s.form].before = self._before
        self._lead, self._tool = s.form, s.tool
        self._whole = self._rounds = None
        if before is not None and done == 1 and self._loops[before].places:
            # The first epoch started with the first bar.
            self._reach(0.0, self._loops[before].places[0][1])

    def _rank(self, form: str) -> int:
        series = self._series[form]
        if series.printed is not None:
            return 2 + (series.total == self._given)
        return int(series.count > 2)

    def _is_loop_of_epoch(self, s: Sighting) -> bool:
        """`tqdm(loader, desc="Epoch")`: its total is not that of the epochs."""
        counts = s.moment is Moment.COUNT and s.shape != SURE and self._given is not None
        return counts and s.epochs not in (None, self._given)

    # --- loops of steps ----------------------------------------------------------------------

    def _see_loop(self, s: Sighting, stamp: T) -> None:
        key = (s.form, s.steps)
        if not _has_room(self._loops, key):
            return
        loop = self._loops.setdefault(key, Loop(self._clock, headed=self._lead is not None))
        rounds, places = loop.rounds, loop.take(s, stamp)
        again = loop.rounds > rounds and self._given != 1
        counts = self._counts_epochs(s)
        if counts and not again:
            steps = int(s.steps or 0)
            counted = Sighting(s.tool, s.form, Moment.COUNT, s.step, steps, metrics=s.metrics)
            self._see_epoch(counted, stamp)
        elif self._lead is not None and not counts:
            if not self._series[self._lead].has_steps:
                self._see_inner(key, s, places)
        elif key == self._rounds:
            self._move_rounds(places)
        elif self._rounds is None:
            self._see_free_loop(key, s, places, again)
        else:
            self._see_phase(stamp)

    def _counts_epochs(self, s: Sighting) -> bool:
        """Whether a bar counts epochs: it has as many steps as planned ones, and is the first."""
        free = self._rounds is None and self._whole is None and self._lead in (None, s.form)
        return free and s.steps is not None and s.steps == self._given

    def _see_free_loop(
        self, key: Key, s: Sighting, places: list[tuple[float, T]], again: bool
    ) -> None:
        """A loop where no epoch was printed, and no other loop has rounds."""
        if again and self._whole in (None, key):
            # It started again: each of its rounds is an epoch, from the beginning on.
            self._start_count()
            self._lead, self._whole, self._rounds, self._tool = None, None, key, s.tool
            self._move_rounds(self._loops[key].places)
        elif key == self._whole or self._may_be_whole(key, s):
            self._see_whole(key, s, places)
        elif places:
            self._see_phase(places[-1][1])

    def _see_inner(self, key: Key, s: Sighting, places: list[tuple[float, T]]) -> None:
        """The steps within an epoch whose number is known from elsewhere."""
        self._inner = self._inner or key
        if s.tool == "keras":
            self._tool = s.tool
        across = self._runs_across(key, s) if key == self._inner else None
        if across is None:
            return
        base = max(floor(self._at + _TINY), 0)
        before = 0.0 if self._loops[key].before else self._before
        for place, stamp in places:
            part = place - max(ceil(place) - 1, 0)
            if across:
                epochs = (self._total or 0.0) - before
                part = min(max(before + part * epochs - base, 0.0), ALMOST)
            ends = s.moment is Moment.END
            self._move(base + (part if ends else min(part, ALMOST)), stamp, over=ends)

    def _runs_across(self, key: Key, s: Sighting) -> bool | None:
        """Whether a loop counts the steps of all epochs; None where it may.

        It goes on when an epoch ends. Before the first end it may where it is not drawn anew for
        the first epoch, has a name such as "steps", and a number of steps that divides.
        """
        loop = self._loops[key]
        if loop.rounds or loop.crosses or self._at >= 1 + self._before or s.tool == "keras":
            return loop.crosses and not loop.rounds
        divides = _divides(s.steps, self._total if loop.before else self.planned)
        if not loop.headed:
            return True if divides else None
        # Lines are printed after the first steps, whichever they count.
        if s.tool == "step line" and divides:
            return None
        return divides and words.OVERALL.search(s.shape) is not None

    # --- one loop is the run, or each of its rounds is an epoch -------------------------------

    def _move_rounds(self, places: list[tuple[float, T]]) -> None:
        for done, stamp in places:
            self._move(done, stamp, over=done == floor(done) > 0)

    def _may_be_whole(self, key: Key, s: Sighting) -> bool:
        """Whether a loop may be the whole run rather than an epoch, before it starts again.

        With n planned epochs, the steps of the whole run are a multiple of n, and a bar over the
        whole run (the Trainer's) has neither a label nor results. Otherwise its second round
        decides. A percentage alone may be that of anything.
        """
        loop, planned = self._loops[key], self._given or self._announced
        if self._whole is not None or (s.tool == "percent" and len(loop.trail) < 2):
            return False
        if planned is None or planned == 1:
            return True
        if self._printed and s.steps:
            return _epochs_of(*self._printed, loop.fraction or 1.0, s.steps) == planned
        if s.tool == "keras":
            return False
        overall = words.OVERALL.search(s.shape) is not None
        if overall and s.tool != "step line":
            return True
        if not _divides(s.steps, planned) or not s.step:
            return False
        bare = not s.shape and not loop.results
        return loop.before > 0 or planned >= (3 if overall or bare else 10)

    def _see_whole(self, key: Key, s: Sighting, places: list[tuple[float, T]]) -> None:
        loop = self._loops[key]
        if self._whole is None and loop.places:
            self._whole, self._tool = key, s.tool
            places = loop.places
        if places and self._compute_epochs(key):
            places = loop.places
        self._move_whole(key, places)

    def _move_whole(self, key: Key, places: list[tuple[float, T]]) -> None:
        total, last = self._total or 1.0, 1 - 1 / (key[1] or 100)
        for part, stamp in places:
            at = total * part
            # Another bar between two steps of the whole run, where an epoch ends, is a phase.
            self._move(at, stamp, over=at == floor(at) > 0, full=part >= last)

    def _compute_epochs(self, key: Key) -> bool:
        """The epochs of the Trainer's bar, from the current one. Returns whether they are new."""
        (epoch, low), self._printed = self._printed or (0.0, 0.0), None
        if epoch < _TINY or self._at <= 0:
            return False
        self._tool = "transformers"
        computed = _epochs_of(epoch, low, self._loops[key].fraction, key[1] or 1.0, self._computed)
        self._confirmed = computed == self._computed
        other, self._other = self._other, computed
        # Lines that are printed late, by a program that buffers them, show too few epochs.
        fewer = self._computed is not None and computed < self._computed and computed != other
        if self._given is not None or self._confirmed or fewer:
            return False
        self._start_count()
        self._computed = computed
        return True

    # --- the count ---------------------------------------------------------------------------

    def _start_count(self) -> None:
        self.restarts += self._at >= 0
        self._carried, self._at, self._ended, self._full = 0.0, -1.0, False, None
        for loop in self._loops.values():
            loop.turn()

    def _turn(self) -> None:
        """A new epoch: of the loops that ended with the previous one, the longest has its steps."""
        self._full = None
        if self._lead is None:
            return
        if self._inner is None or not self._loops[self._inner].crosses:
            full = [key for key, loop in self._loops.items() if loop.full]
            self._inner = max(full, key=lambda key: key[1] or 0) if full else self._inner
        for loop in self._loops.values():
            loop.turn()

    def _move(self, at: float, stamp: T, *, over: bool = False, full: bool = False) -> None:
        """The run is at a place. There an epoch is `over`, or its steps are all done (`full`)."""
        base = floor(at + _TINY)
        if base > floor(self._at + _TINY):
            self._turn()
        if self._ended and not over and base == self._at:
            self._reach(self._at, stamp, begins=True)
            self._ended = False
        if self._reach(at, stamp):
            self._ended = over and self._at > 0
            if (full or at - base >= ALMOST) and not self._ended:
                self._full = self._full or stamp

    def _reach(self, at: float, stamp: T, *, begins: bool = False) -> bool:
        """A position, unless the run was there; where it `begins` an epoch, there too."""
        total, before = self._total, self._before
        if total is not None:
            at = min(at, max(total, before))
        if at < self._at - _TINY or (at <= self._at + _TINY and not begins):
            return False
        self._at = at
        done = max(at - before, 0.0)
        self._out.append(Position(done, self.planned, stamp, before, self._unit))
        return True

    def _note_metrics(self, s: Sighting) -> None:
        if not s.metrics or len(self._metrics) > _MAX_EPOCHS:
            return
        if s.moment is Moment.COUNT and s.epoch is not None:
            epoch = ceil(s.epoch)
        elif s.epoch is not None and s.form in self._series:
            epoch = int(self._series[s.form].start_of(s.epoch)) + 1
        else:
            epoch = floor(self._at - (1 if self._ended else 0) + _TINY) + 1
        self._metrics.setdefault(max(epoch, 1), {}).update(s.metrics)


def _has_room(kept: Mapping[K, object], key: K) -> bool:
    return key in kept or len(kept) < _MAX_SERIES


def _divides(steps: float | None, epochs: float | None) -> bool:
    """Whether steps may be those of several epochs."""
    return bool(epochs and epochs > 1 and steps and steps % epochs == 0)


def _epochs_of(
    epoch: float, low: float, high: float, steps: float, computed: float | None = None
) -> float:
    """The epochs of a bar where `epoch` was printed between two of its fractions.

    As before where that is possible, else a whole number that is possible, else a fraction.
    """
    most, least = epoch / max(low, 1e-3), epoch / max(low, high, 1e-3)
    if computed is not None and least - 0.01 <= computed <= most + 0.01:
        return computed
    for whole in range(max(ceil(least - 0.01), 1), floor(most + 0.01) + 1):
        step = epoch * steps / whole
        if abs(step - round(step)) <= 0.005 * step / epoch:
            return float(whole)
    return float(round(least)) if abs(least - round(least)) < _NEAR_WHOLE * least else least
