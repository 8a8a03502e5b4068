"""From sightings to positions that can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Generic, TypeVar

from . import counter_labels as labels
from .epoch_series import EpochSeries, Stamped
from .loop import Loop
from .sighting import SURE, TOOLS, Moment, Sighting, within

T = TypeVar("T")

# Forms of lines that are followed; further ones are ignored.
_MAX_SERIES = 32
# Whose metrics are kept.
_MAX_EPOCHS = 100_000
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Position(Generic[T]):
    """The position of the run: `done` of `planned` epochs (None: unknown), or of 1 as a whole.

    `stamp` is that of its sighting.
    """

    done: float
    planned: float | None
    stamp: T


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
        self._series: dict[str, EpochSeries[T]] = {}
        self._loops: dict[tuple[str, float | None], Loop[T]] = {}
        # Form of the series that is followed.
        self._lead: str | None = None
        # The loop within its epochs, the loop that is the whole run, and the loop that is an epoch.
        self._inner: tuple[str, float | None] | None = None
        self._whole: tuple[str, float | None] | None = None
        self._rounds: tuple[str, float | None] | None = None
        self._tool: str | None = None
        # Whole epochs done.
        self._base = 0.0
        self._done = -1.0
        # Of it, in loops that have ended.
        self._carried = 0.0
        # Whether the last reported epoch has ended.
        self._ended = False
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
        """Those of one epoch, from 1."""
        return dict(self._metrics.get(epoch, {}))

    @property
    def planned(self) -> float | None:
        """Epochs planned for this run, or 1 where only its fraction as a whole is known."""
        lead = self._series[self._lead] if self._lead is not None else None
        if lead is not None:
            total = lead.total
            if self._given is None or (lead.offset and self._given == total):
                return None if total is None else max(total - lead.offset, 0)
            if lead.offset and total is None and self._given > lead.offset:
                return self._given - lead.offset
        if self._given is not None:
            return self._given
        return 1.0 if self._whole is not None else None

    # --- input -------------------------------------------------------------------------------

    def see(self, sighting: Sighting, stamp: T) -> list[Position[T]]:
        """Positions that are trusted now, oldest first; often none."""
        if sighting.epoch is not None:
            positions = self._see_epoch(Stamped(sighting, stamp))
        elif sighting.moment is Moment.COUNT:
            positions = self._see_whole((sighting.form, None), sighting, stamp)
        else:
            positions = self._see_loop(sighting, stamp)
        self._note_metrics(sighting)
        return positions

    def finish(self, stamp: T) -> list[Position[T]]:
        """The run has succeeded: its last epoch is complete, also before the planned one."""
        if self._done < 0 or self._ended:
            return []
        if self._whole is not None:
            return self._reach(self.planned or 1.0, stamp) if self._share() > 0.9 else []
        self._ended = True
        return self._reach(floor(self._done + _TINY) + 1.0, stamp)

    # --- lines with an epoch's number --------------------------------------------------------

    def _see_epoch(self, stamped: Stamped[T]) -> list[Position[T]]:
        s = stamped.sighting
        if s.moment is Moment.COUNT and self._is_loop_of_epoch(s):
            return self._see_loop(
                Sighting(s.tool, s.form, step=s.epoch, steps=s.epochs, metrics=s.metrics),
                stamped.stamp,
            )
        series = self._series.get(s.form)
        if series is None:
            if len(self._series) >= _MAX_SERIES:
                return []
            series = self._series[s.form] = EpochSeries(self._clock)
        # One line is enough where it or the caller gives the total; otherwise two are needed.
        taken = series.take(stamped, s.epochs is not None or self._given is not None)
        if not taken:
            return []
        if self._whole is not None and s.tool == "transformers":
            # The bar is the Trainer's.
            self._tool = s.tool
            return []
        if s.form != self._lead:
            if self._lead is None or self._rank(s.form) > self._rank(self._lead):
                return self._follow(s, taken)
            # It counts something else.
            if taken[-1][0] + self._carried > self._base + 1 + _TINY:
                return []
        elif series.restarted:
            self._restart(series)
        return [
            position
            for done, stamp in taken
            for position in self._epoch_at(s, done + self._carried, stamp)
        ]

    def _restart(self, series: EpochSeries[T]) -> None:
        """Epochs of folds are added where the caller planned a multiple of those of one fold."""
        total = series.total
        if total and self._given and self._given > total and self._given % total == 0:
            self._carried = min(self._carried + total, self._given - total)
        else:
            self._start_count()

    def _epoch_at(self, s: Sighting, done: float, stamp: T) -> list[Position[T]]:
        if s.form == self._lead and self._given and done > (self.planned or done) + _TINY:
            self._outrun(done)
        if floor(done + _TINY) > self._base:
            self._turn(floor(done + _TINY))
        reached = self._reach(done, stamp)
        if reached or s.form == self._lead:
            over = self._series[s.form].ends(s)
            self._ended = over and done == floor(done) and min(done, self._done) > 0
        return reached

    def _outrun(self, done: float) -> None:
        """More epochs than the caller planned: as many as are printed, or one after the other."""
        lead = self._series[self._lead or ""]
        if lead.total is not None and done <= lead.total - lead.offset:
            self._given = None
        else:
            self._given = ceil(done - _TINY) + (int(lead.offset) if lead.total is None else 0)

    def _follow(self, s: Sighting, taken: list[tuple[float, T]]) -> list[Position[T]]:
        """Follow a series from now on; positions from other lines are dropped."""
        fresh = self._done < 0
        before = self._whole or self._rounds
        if not fresh and (before is not None or abs(taken[-1][0] - self._done) > 1):
            self._start_count()
        trail = self._loops[before].trail if before is not None and before in self._loops else []
        self._lead, self._tool = s.form, s.tool
        self._whole = self._rounds = None
        reached: list[Position[T]] = []
        if before is not None and len(taken) == 1 and taken[0][0] == 1 and trail:
            # The first epoch started with the first bar.
            reached += self._reach(0.0, trail[0][1])
        return reached + [p for done, stamp in taken for p in self._epoch_at(s, done, stamp)]

    def _rank(self, form: str) -> int:
        series = self._series[form]
        if series.printed is not None:
            return 2 + (series.total == self._given)
        return int(series.count > 2)

    def _is_loop_of_epoch(self, s: Sighting) -> bool:
        """`tqdm(loader, desc="Epoch")`: its total is not that of the epochs."""
        return s.shape != SURE and self._given is not None and s.epochs not in (None, self._given)

    # --- loops without one -------------------------------------------------------------------

    def _see_loop(self, s: Sighting, stamp: T) -> list[Position[T]]:
        key = (s.form, s.steps)
        loop = self._loops.get(key)
        if loop is None:
            if len(self._loops) >= _MAX_SERIES:
                return []
            loop = self._loops[key] = Loop()
        again = loop.take(s, stamp)
        free = self._rounds is None and self._lead in (None, s.form)
        if free and self._given is not None and s.steps == self._given:
            if again and self._given > 1:
                return self._take_rounds(key, s)
            return self._see_counted(s, stamp)
        if self._lead is not None:
            return self._see_inner(key, loop, s, stamp)
        if self._rounds is not None:
            return self._see_round(s, stamp) if key == self._rounds else []
        if again and loop.rounds == 1 and (self._given is None or self._given > 1):
            return self._take_rounds(key, s)
        if self._whole is None and not self._may_be_whole(s, loop):
            return []
        return self._see_whole(key, s, stamp)

    def _see_counted(self, s: Sighting, stamp: T) -> list[Position[T]]:
        """A bar with as many steps as planned epochs counts epochs."""
        counted = Sighting(s.tool, s.form, Moment.COUNT, s.step, self._given, metrics=s.metrics)
        return self._see_epoch(Stamped(counted, stamp))

    def _see_inner(
        self, key: tuple[str, float | None], loop: Loop[T], s: Sighting, stamp: T
    ) -> list[Position[T]]:
        """The steps within an epoch whose number is known from elsewhere."""
        if self._inner is None:
            self._inner = key
        if s.tool == "keras":
            self._tool = s.tool
        if key != self._inner or (loop.over and s.moment is not Moment.END):
            return []
        if s.moment is Moment.END:
            self._ended = True
            return self._reach(self._base + 1, stamp)
        reached = self._reach(self._base + loop.fraction, stamp)
        self._ended = self._ended and not reached
        return reached

    def _take_rounds(self, key: tuple[str, float | None], s: Sighting) -> list[Position[T]]:
        """A loop started again: each of its rounds is an epoch, from the beginning on."""
        if self._whole is not None and key != self._whole:
            return []
        if self._done >= 0:
            self._start_count()
        self._lead, self._whole, self._rounds, self._tool = None, None, key, s.tool
        return [p for done, stamp in self._loops[key].trail for p in self._reach(done, stamp)]

    def _see_round(self, s: Sighting, stamp: T) -> list[Position[T]]:
        loop = self._loops[self._rounds] if self._rounds else Loop[T]()
        self._base = loop.rounds
        return self._reach(loop.rounds + loop.fraction, stamp)

    def _may_be_whole(self, s: Sighting, loop: Loop[T]) -> bool:
        """Whether a loop may be the whole run rather than an epoch, before it starts again.

        With n planned epochs, the steps of the whole run are a multiple of n, and a bar over the
        whole run (the Trainer's) has neither a label nor results. Otherwise its second round
        decides. A percentage alone may be that of anything.
        """
        if s.tool == "percent" and loop.trail[0][0] == loop.trail[-1][0]:
            return False
        if self._given is None or self._given == 1:
            return True
        if s.tool == "keras":
            return False
        if s.steps is None:
            return labels.is_overall(s.shape)
        if s.steps % self._given or not s.step:
            return False
        bare = not s.shape and not loop.results
        return self._given >= (3 if bare or labels.is_overall(s.shape) else 10)

    def _see_whole(self, key: tuple[str, float | None], s: Sighting, stamp: T) -> list[Position[T]]:
        if self._lead is not None or self._rounds is not None:
            return []
        trail: list[tuple[float, T]] = []
        if self._whole is None:
            self._whole, self._tool = key, s.tool
            trail = self._loops[key].trail if key in self._loops else []
        if key != self._whole:
            return []
        fraction = 1.0 if s.fraction == 1 or (s.steps and s.step == s.steps) else within(s)
        planned = self.planned or 1.0
        return [
            position
            for part, at in [*trail, (fraction, stamp)]
            for position in self._reach(planned * part, at)
        ]

    # --- the count ---------------------------------------------------------------------------

    def _share(self) -> float:
        planned = self.planned
        return self._done / planned if planned else 0.0

    def _start_count(self) -> None:
        if self._done >= 0:
            self.restarts += 1
        self._base, self._carried, self._done, self._ended = 0.0, 0.0, -1.0, False
        for loop in self._loops.values():
            loop.turn()

    def _turn(self, base: float) -> None:
        """A new epoch: of the loops that ended with the previous one, the longest has its steps."""
        full = [key for key, loop in self._loops.items() if loop.full]
        self._inner = max(full, key=lambda key: key[1] or 0) if full else None
        self._base = base
        for loop in self._loops.values():
            loop.turn()

    def _reach(self, done: float, stamp: T) -> list[Position[T]]:
        planned = self.planned
        if planned is not None:
            done = min(done, planned)
        if done <= self._done + _TINY:
            return []
        self._done = done
        return [Position(done, planned, stamp)]

    def _note_metrics(self, s: Sighting) -> None:
        if not s.metrics or len(self._metrics) > _MAX_EPOCHS:
            return
        if s.moment is Moment.COUNT and s.epoch is not None:
            epoch = ceil(s.epoch)
        elif s.epoch is not None and s.form in self._series:
            epoch = self._series[s.form].index(s.epoch)
        else:
            epoch = floor(self._done - (1 if self._ended else 0) + _TINY) + 1
        self._metrics.setdefault(max(epoch, 1), {}).update(s.metrics)
