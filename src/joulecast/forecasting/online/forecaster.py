"""joulecast's own online forecaster: from the first steps on, and with an interval.

What is spent, plus what is left times the rate of what is still to come. That rate comes from the
best source there is: whole epochs once a second one is finished, else the steps of the first epoch
after its warm-up, else the first epoch and what is known of how later ones relate to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np

from ..base import NOTHING, Forecast, History, OnlineForecaster, Prediction, Work
from .prior import LEAST, Experience
from .rates import DURATION_HABITS, HABITS, Rate, later_epochs, median
from .stretches import Stretches, later_stretches, warm_up, with_evaluation

WHOLE = 1 - 1e-6  # progress that makes an epoch, tolerant of sums of steps
STEPS = 4  # stretches from which a rate is read within the first epoch
RESOLVED = 16  # stretches of a first epoch from which its warm-up is told from the rest
RECENT = 256  # epochs looked at; older ones only count as spent
HUGE = 1e120  # rates are computed from values up to here: squares of them are finite
LARGEST = sys.float_info.max  # no forecast is larger


class Online(OnlineForecaster):
    """Online forecast of energy and duration with 90 % intervals.

    `past` are runs that are over, as a rule of this machine: from them it learns how later epochs
    relate to the first, and says so in the notes.
    """

    name = "online"

    def __init__(self, past: Sequence[History] = ()) -> None:
        self._experience = Experience(past)
        self._done = 0.0
        self._spent = (_Sum(), _Sum())  # duration, energy
        self._open = [0.0, 0.0, 0.0]  # of the epoch under way
        self._first: Work | None = None
        self._warming = 0  # stretches at the start of the first epoch that were warm-up
        self._rows = np.zeros((2 * RECENT, 2))  # duration and energy of the epochs after it
        self._count = 0  # of the rows in use
        self._finished = 0
        self._last = 0.0  # progress of the last work that made any
        self._stretches = Stretches()

    def add(self, work: Work) -> None:
        """The next stretch of work is finished; values that are no numbers count as nothing.

        What makes no progress before any was made is set-up: spent, and part of no epoch.
        """
        progress, duration, energy = map(_sane, (work.progress, work.duration_s, work.energy_j))
        self._done = min(HUGE, self._done + progress)
        self._spent[0].add(_sane(work.duration_s, LARGEST))
        self._spent[1].add(_sane(work.energy_j, LARGEST))
        if self._done == 0:
            return
        if self._finished < 2:
            self._stretches.add(Work(progress, duration, energy))
        if progress > 0:
            self._last = progress
        for i, value in enumerate((progress, duration, energy)):
            self._open[i] = min(HUGE, self._open[i] + value)
        if self._open[0] < WHOLE:
            return
        p, t, e = self._open
        self._open = [0.0, 0.0, 0.0]
        self._finished += 1
        if self._first is None:
            self._first = self._without_warm_up(Work(1.0, t / p, e / p))
            return
        if self._count == len(self._rows):
            self._rows[:RECENT] = self._rows[RECENT:]
            self._count = RECENT
        self._rows[self._count] = t / p, e / p
        self._count += 1

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """See `OnlineForecaster.forecast`; None for an endless run and before any progress."""
        if math.isnan(planned) or planned == math.inf:
            return None
        remaining = max(0.0, planned - self._done)
        waiting = (_sane(pending.duration_s, LARGEST), _sane(pending.energy_j, LARGEST))
        spent = tuple(total.value for total in self._spent)
        if remaining <= 1e-9 * max(1.0, abs(planned)):
            totals = [min(LARGEST, s + w) for s, w in zip(spent, waiting, strict=True)]
            return Forecast(_certain(totals[1]), _certain(totals[0]), ("the plan is fulfilled",))
        with np.errstate(all="ignore"):  # extremes are cut off at the end
            found = self._rates(planned, remaining)
        if found is None:
            return None
        duration, energy, notes = found
        step = min(remaining, self._last)
        return Forecast(
            _total(spent[1], waiting[1], energy, remaining, step),
            _total(spent[0], waiting[0], duration, remaining, step),
            notes,
        )

    def _rates(self, planned: float, remaining: float) -> tuple[Rate, Rate, tuple[str, ...]] | None:
        """Rates of duration and energy of what is left, from the best source there is."""
        if self._first and self._count:
            recent = self._rows[max(0, self._count - RECENT) : self._count]
            seconds = median(recent[:, 0])
            sources = (
                (self._first.duration_s, recent[:, 0], DURATION_HABITS),
                (self._first.energy_j, recent[:, 1], HABITS),
            )
            quick, joules = (
                later_epochs(first, later, seconds, self._done, remaining, habits)
                for first, later, habits in sources
            )
            first_one = "without its warm-up" if self._warming else "with little weight"
            return quick, joules, (f"from {self._finished} epochs, the first {first_one}",)
        if len(self._stretches) >= STEPS:
            p, t, e = self._stretches.arrays()
            whole = self._finished > 0
            quick, joules, warming = later_stretches(p, t, e, self._done / planned, whole)
            if not whole and planned > 1:
                quick, joules = with_evaluation(quick), with_evaluation(joules)
            where = "since the start" if whole else "within the first epoch"
            notes = [f"from {len(p)} stretches {where}"]
            if warming:
                notes.append(f"warm-up of {warming} stretches left out")
            return quick, joules, tuple(notes)
        if self._done <= 0:
            return None
        return self._by_experience()

    def _without_warm_up(self, first: Work) -> Work:
        """The first epoch as it would be again, where its steps tell."""
        if len(self._stretches) < RESOLVED:
            return first
        p, t, e = self._stretches.arrays()
        start = warm_up(t / p)
        if not 0 < start < len(p) // 2:  # none, or it never settled
            return first
        self._warming = start
        progress = float(p[start:].sum())
        return Work(1.0, float(t[start:].sum()) / progress, float(e[start:].sum()) / progress)

    def _by_experience(self) -> tuple[Rate, Rate, tuple[str, ...]]:
        """Rates of duration and energy from the first epoch (or so much of it) alone."""
        start, seconds = self._first, self._open[1]
        if start is not None:
            seconds += start.duration_s
        else:
            start = Work(1.0, seconds / self._done, self._open[2] / self._done)
        rates = []
        for energy, value in ((False, start.duration_s), (True, start.energy_j)):
            ratio = self._experience.ratio(start, seconds, energy, self._first is not None)
            # The first steps may all be warm-up, and much longer than a whole epoch ever is.
            low = ratio.low if self._first else ratio.low * LEAST
            rates.append(Rate(value * ratio.middle, value * low, value * ratio.high))
        note = "from the first epoch, by how later ones usually relate to it"
        if self._experience.runs:
            note = (
                "first epoch's relation to later ones learned from "
                f"{self._experience.runs} past runs"
            )
        return rates[0], rates[1], (note,)


class _Sum:
    """A running sum without the rounding errors of one (Neumaier 1974)."""

    def __init__(self) -> None:
        self._total = 0.0
        self._lost = 0.0

    def add(self, value: float) -> None:
        total = self._total + value
        if math.isinf(total):
            self._total, self._lost = LARGEST, 0.0
            return
        if abs(self._total) >= abs(value):
            self._lost += (self._total - total) + value
        else:
            self._lost += (value - total) + self._total
        self._total = total

    @property
    def value(self) -> float:
        return min(LARGEST, self._total + self._lost)


def _sane(value: float, largest: float = HUGE) -> float:
    """A finite, non-negative number small enough to compute with."""
    return min(largest, max(0.0, value)) if math.isfinite(value) else 0.0


def _certain(value: float) -> Prediction:
    return Prediction(value, value, value)


def _total(spent: float, pending: float, rate: Rate, remaining: float, step: float) -> Prediction:
    """The whole run: what is spent, what is pending, and the rest at the rate found.

    What is pending belongs to the next `step` of progress. While it is less than that step should
    cost it changes nothing; beyond that it adds to the whole, and, as nobody knows when a step that
    is overdue will end, its delay once more to the upper bound.
    """
    rest = max(0.0, remaining - step)

    def whole(per_progress: float) -> float:
        return spent + max(remaining * per_progress, pending + rest * per_progress)

    value = whole(rate.value)
    overdue = max(0.0, pending - step * rate.high)
    low, high = whole(rate.low), whole(rate.high) + overdue
    value, low, high = (min(LARGEST, v) for v in (value, low, high))
    return Prediction(value, min(low, value), max(high, value))
