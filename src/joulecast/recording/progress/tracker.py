"""From sightings to positions that can be trusted: one state machine for all forms of lines.

The run is in one of four states: nothing is clear; a series of epoch numbers leads, with a loop of
steps inside it; one loop is the whole run; or each round of a loop is an epoch.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil, floor
from typing import Generic, TypeVar

from .epoch_count import TINY, EpochCount, Extent
from .epoch_series import EpochSeries
from .first_places import FULL, Place
from .loop import Loop
from .position import Counted, Position
from .sighting import ALMOST, SURE, TOOLS, Moment, Sighting
from .trainer_epochs import TrainerEpochs

T = TypeVar("T")
K = TypeVar("K")

# Forms of lines that are followed; further ones are ignored.
_MAX_SERIES = 32
# Whose metrics are kept.
_MAX_EPOCHS = 100_000


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
        self._given = planned
        self._clock = clock
        # Numbers of epochs and of steps that were announced.
        self._announced: float | None = None
        self._announced_steps: float | None = None
        self._series: dict[str, EpochSeries[T]] = {}
        # By form and number of steps.
        self._loops: dict[tuple[str, float | None], Loop[T]] = {}
        # The state: the series that leads, or the loop that is the whole run, or the loop of which
        # each round is an epoch.
        self._lead: EpochSeries[T] | None = None
        self._whole: Loop[T] | None = None
        self._rounds: Loop[T] | None = None
        # The loop within the epochs of the lead.
        self._inner: Loop[T] | None = None
        self._trainer = TrainerEpochs()
        self._tool: str | None = None
        self._count: EpochCount[T] = EpochCount(self._extent, self._turn)
        self.metrics: dict[int, dict[str, float]] = {}
        """The last values of each epoch, from 1."""
        self.endless: tuple[Place[T], Place[T]] | None = None
        """The first and the last step of lines that print steps without their total."""

    @property
    def source(self) -> str | None:
        """Where the positions come from, in words; None before there are any."""
        return None if self._tool is None else TOOLS[self._tool]

    @property
    def restarts(self) -> int:
        """How often a new count was started."""
        return self._count.restarts

    @property
    def between_epochs(self) -> bool:
        """Whether an epoch has ended, and a validation, a checkpoint followed."""
        return self._count.paused

    @property
    def planned(self) -> float | None:
        """Epochs planned for this run, or 1 where only its fraction as a whole is known."""
        return self._extent().planned

    # --- the whole training ----------------------------------------------------------------------

    def _extent(self) -> Extent:
        total, before, unit = self._total, 0.0, Counted.EPOCHS
        if self._lead is not None:
            before = self._lead.before
        elif self._whole is not None:
            before = (total or 1.0) * self._whole.first.before
            # Most runs are resumed after a whole epoch.
            if before - floor(before) <= (total or 1.0) * self._whole.first.slack:
                before = floor(before)
            if not (self._trainer.confirmed or (self._announced and not self._given)):
                unit = Counted.LIKELY if self._given or self._trainer.number else Counted.RUN
        return Extent(total, before, unit)

    @property
    def _total(self) -> float | None:
        """Epochs of the whole training, with those before this run."""
        lead = self._lead
        if lead is None:
            whole = None if self._whole is None else self._trainer.number or 1.0
            return self._given or self._announced or whole
        printed: float | None = lead.total
        announced = self._announced
        if printed is None and announced is not None and announced >= self._count.at:
            printed = announced
        if self._given is None:
            return printed
        # A caller counts the epochs of the whole training, or those of this run.
        rest = lead.before and self._given != printed
        if rest and (printed is not None or self._given <= lead.before):
            return self._given + lead.before
        return self._given

    # --- input -----------------------------------------------------------------------------------

    def see(self, s: Sighting, stamp: T) -> list[Position[T]]:
        """Positions that are trusted now, oldest first; often none."""
        self._count.new = []
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
        return self._count.new

    def finish(self, stamp: T) -> list[Position[T]]:
        """The run has succeeded: its last epoch is complete, also before the planned one."""
        self._count.new = []
        last: float | None = self._count.epoch + 1.0
        if self._whole is not None:
            if self._compute_epochs(self._whole):
                self._move_whole(self._whole, self._whole.places)
            last = (self._total or 1.0) if self._whole.fraction >= FULL else None
        self._count.finish(stamp, last)
        return self._count.new

    def _see_phase(self, stamp: T) -> None:
        self._count.pause(stamp, ends=self._whole is None)

    def _see_steps(self, s: Sighting, stamp: T) -> None:
        if s.fraction is not None or s.steps is not None:
            self._see_loop(s, stamp)
        elif self._lead is not None and s.form == self._lead.form:
            # Its steps exceed its epoch, so that it counts no epochs.
            self._start_count()
            self._lead = self._tool = None
        elif s.step is not None:
            first = self.endless[0] if self.endless else (s.step, stamp)
            self.endless = first, (s.step, stamp)

    def _with_steps(self, s: Sighting) -> Sighting:
        """With the number of steps that was announced, where a line does not print it."""
        steps = self._announced_steps
        if s.steps is not None or s.step is None or steps is None or s.step > steps:
            return s
        return replace(s, steps=steps, over=s.step == steps)

    # --- lines with an epoch's number ------------------------------------------------------------

    def _see_epoch(self, s: Sighting, stamp: T) -> None:
        if not _has_room(self._series, s.form):
            return
        series = self._series.setdefault(s.form, EpochSeries(s.form, self._clock))
        # One line is enough where it or the caller gives the total, or where it prints steps.
        sure = any(total is not None for total in (s.epochs, self._given, s.steps))
        taken = series.take((s, stamp), sure)
        if s.tool == "transformers" and self._lead is None and self._loops:
            # The positions are those of the Trainer's bar.
            self._trainer.see(s.epoch or 0.0, max(loop.fraction for loop in self._loops.values()))
        elif taken and self._follows(s, series, taken[-1][0]):
            self._move_along(s, series, taken)

    def _follows(self, s: Sighting, series: EpochSeries[T], done: float) -> bool:
        """Whether the positions of a series are used; it leads where it ranks higher."""
        if series is self._lead:
            if series.restarted:
                self._restart(series)
        elif self._lead is None or series.rank(self._given) > self._lead.rank(self._given):
            self._follow(s, series, done)
        # Another form that is epochs ahead counts something else.
        elif done + self._count.carried > self._count.epoch + 1 + TINY:
            return False
        return True

    def _move_along(self, s: Sighting, series: EpochSeries[T], taken: list[Place[T]]) -> None:
        for number, stamp in taken:
            done = number + self._count.carried
            # A header shows its epoch before any of it is done.
            shown = done + (s.moment is Moment.START and not series.ends(s))
            if series is self._lead and self._given and shown > (self._total or shown) + TINY:
                # More epochs than the caller planned: as many as are printed, or one by one.
                printed = series.total is not None and shown <= series.total
                self._given = None if printed else ceil(shown - TINY)
            full = s.steps is not None and s.step == s.steps
            self._count.move(done, stamp, over=series.ends(s), full=full)

    def _restart(self, series: EpochSeries[T]) -> None:
        """Epochs of folds are added where the caller planned a multiple of those of one fold."""
        total = series.total
        if total and self._given and self._given > total and self._given % total == 0:
            self._count.carried = min(self._count.carried + total, self._given - total)
        else:
            self._start_count()

    def _follow(self, s: Sighting, series: EpochSeries[T], done: float) -> None:
        """Follow a series from now on; positions from other lines are dropped."""
        before, count = self._whole or self._rounds, self._count
        if count.at >= 0 and (before is not None or abs(done - count.at) > 1):
            self._start_count()
        if count.at >= 0:
            # What this run has done is not from before it.
            series.before = self._extent().before
        self._lead, self._tool = series, s.tool
        self._whole = self._rounds = None
        if before is not None and done == 1 and before.places:
            # The first epoch started with the first bar.
            count.reach(0.0, before.places[0][1])

    def _is_loop_of_epoch(self, s: Sighting) -> bool:
        """`tqdm(loader, desc="Epoch")`: its total is not that of the epochs."""
        counts = s.moment is Moment.COUNT and s.shape != SURE and self._given is not None
        return counts and s.epochs not in (None, self._given)

    # --- loops of steps --------------------------------------------------------------------------

    def _see_loop(self, s: Sighting, stamp: T) -> None:
        key, headed = (s.form, s.steps), self._lead is not None
        if not _has_room(self._loops, key):
            return
        loop = self._loops.setdefault(key, Loop(s.steps, self._clock, headed=headed))
        rounds, places = loop.rounds, loop.take(s, stamp)
        again = loop.rounds > rounds and self._given != 1
        counts = self._counts_epochs(s)
        if counts and not again:
            steps = int(s.steps or 0)
            counted = Sighting(s.tool, s.form, Moment.COUNT, s.step, steps, metrics=s.metrics)
            self._see_epoch(counted, stamp)
        elif self._lead is not None and not counts:
            if not self._lead.has_steps:
                self._see_inner(loop, s, places)
        elif loop is self._rounds:
            self._move_rounds(places)
        elif self._rounds is None:
            self._see_free_loop(loop, s, places, again)
        else:
            self._see_phase(stamp)

    def _counts_epochs(self, s: Sighting) -> bool:
        """Whether a bar counts epochs: it has as many steps as planned ones, and is the first."""
        free = self._rounds is None and self._whole is None
        leads = self._lead is None or self._lead.form == s.form
        return free and leads and s.steps is not None and s.steps == self._given

    def _see_free_loop(
        self, loop: Loop[T], s: Sighting, places: list[Place[T]], again: bool
    ) -> None:
        """A loop where no epoch was printed, and no other loop has rounds."""
        if again and self._whole in (None, loop):
            # It started again: each of its rounds is an epoch, from the beginning on.
            self._start_count()
            self._lead, self._whole, self._rounds, self._tool = None, None, loop, s.tool
            self._move_rounds(loop.places)
        elif loop is self._whole or (self._whole is None and self._may_be_whole(loop, s)):
            self._see_whole(loop, s, places)
        elif places:
            self._see_phase(places[-1][1])

    def _see_inner(self, loop: Loop[T], s: Sighting, places: list[Place[T]]) -> None:
        """The steps within an epoch whose number is known from elsewhere."""
        self._inner = self._inner or loop
        if s.tool == "keras":
            self._tool = s.tool
        extent = self._extent()
        # A loop that was resumed counts the steps before this run, too.
        before = 0.0 if loop.first.before else extent.before
        epochs, ended = (extent.total or 0.0) - before, self._count.at >= 1 + extent.before
        across = loop.runs_across(s, epochs, ended=ended) if loop is self._inner else None
        if across is None:
            return
        base = max(self._count.epoch, 0)
        for place, stamp in places:
            part = place - max(ceil(place) - 1, 0)
            if across:
                part = min(max(before + part * epochs - base, 0.0), ALMOST)
            ends = s.moment is Moment.END
            self._count.move(base + (part if ends else min(part, ALMOST)), stamp, over=ends)

    # --- one loop is the run, or each of its rounds is an epoch ----------------------------------

    def _move_rounds(self, places: list[Place[T]]) -> None:
        for done, stamp in places:
            self._count.move(done, stamp, over=done == floor(done) > 0)

    def _may_be_whole(self, loop: Loop[T], s: Sighting) -> bool:
        planned, agrees = self._given or self._announced, None
        if planned and s.steps:
            agrees = self._trainer.agree(planned, loop.fraction, s.steps)
        return loop.may_be_whole(s, planned, agrees=agrees)

    def _see_whole(self, loop: Loop[T], s: Sighting, places: list[Place[T]]) -> None:
        if self._whole is None and loop.places:
            self._whole, self._tool = loop, s.tool
            places = loop.places
        if places and self._compute_epochs(loop):
            places = loop.places
        self._move_whole(loop, places)

    def _move_whole(self, loop: Loop[T], places: list[Place[T]]) -> None:
        total, last = self._total or 1.0, 1 - 1 / (loop.steps or 100)
        for part, stamp in places:
            at = total * part
            # Another bar between two steps of the whole run, where an epoch ends, is a phase.
            self._count.move(at, stamp, over=at == floor(at) > 0, full=part >= last)

    def _compute_epochs(self, loop: Loop[T]) -> bool:
        """The epochs of the Trainer's bar, from the current one. Returns whether they are new."""
        trainer, known = self._trainer, self._trainer.number
        steps = loop.steps or 1.0
        if trainer.compute(self._count.at, loop.fraction, steps, self._given) is None:
            return False
        self._tool = "transformers"
        if trainer.number == known:
            return False
        self._start_count()
        return True

    # --- the count -------------------------------------------------------------------------------

    def _start_count(self) -> None:
        self._count.restart()
        for loop in self._loops.values():
            loop.turn()

    def _turn(self) -> None:
        """A new epoch: of the loops that ended with the previous one, the longest has its steps."""
        if self._lead is None:
            return
        if self._inner is None or not self._inner.crosses:
            full = [loop for loop in self._loops.values() if loop.full]
            self._inner = max(full, key=lambda loop: loop.steps or 0) if full else self._inner
        for loop in self._loops.values():
            loop.turn()

    def _note_metrics(self, s: Sighting) -> None:
        if not s.metrics or len(self.metrics) > _MAX_EPOCHS:
            return
        if s.moment is Moment.COUNT and s.epoch is not None:
            epoch = ceil(s.epoch)
        elif s.epoch is not None and s.form in self._series:
            epoch = int(self._series[s.form].start_of(s.epoch)) + 1
        else:
            epoch = floor(self._count.at - (1 if self._count.ended else 0) + TINY) + 1
        self.metrics.setdefault(max(epoch, 1), {}).update(s.metrics)


def _has_room(kept: Mapping[K, object], key: K) -> bool:
    return key in kept or len(kept) < _MAX_SERIES
