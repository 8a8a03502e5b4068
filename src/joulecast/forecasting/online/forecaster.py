"""joulecast's own online forecaster: from the first steps on, and with an interval.

Energy so far, plus the remaining progress times the rate of what is to come. The rate comes from
the best source there is: whole epochs once a second one is finished, else the steps of the first
epoch after its warm-up, else the first epoch. Values do not depend on the units of time and energy.
"""

import math
import sys
from collections.abc import Sequence

import numpy as np

from ..base import NOTHING, Forecast, History, OnlineForecaster, Prediction, Work
from .first_epoch import Experience
from .rates import LaterEpochs, Rate
from .segments import Segments, rates_from_segments, warm_up, with_evaluation

# Progress of a whole epoch, tolerant of sums of steps.
WHOLE = 1 - 1e-6
# Segments from which a rate is computed within the first epoch.
STEPS = 4
# Segments of a first epoch from which its warm-up is separated from the rest.
RESOLVED = 16
# Rates are computed from values up to here, whose squares are finite.
HUGE = 1e120
# No forecast is larger.
LARGEST = sys.float_info.max


class Online(OnlineForecaster):
    """Online forecast of energy and duration with 90 % intervals.

    `past` are finished runs, usually of this machine: the forecaster learns from them how later
    epochs relate to the first one, and reports that in the notes.
    """

    name = "online"

    def __init__(self, past: Sequence[History] = ()) -> None:
        self._experience = Experience(past)
        self._done = 0.0
        # Of all work: duration, energy.
        self._so_far = [0.0, 0.0]
        # Of the current epoch: progress, duration, energy.
        self._open = [0.0, 0.0, 0.0]
        self._first: Work | None = None
        self._warm_up_segments = 0
        # Duration and energy of the epochs after the first one.
        self._later = LaterEpochs(), LaterEpochs()
        self._finished = 0
        # Progress of the last work that made any.
        self._last = 0.0
        self._segments = Segments()

    def add(self, work: Work) -> None:
        """Add finished work; values that are not numbers count as 0.

        Work without progress before any progress is set-up: it counts, but in no epoch.
        """
        progress, duration, energy = map(_sane, (work.progress, work.duration_s, work.energy_j))
        self._done = min(HUGE, self._done + progress)
        for i, value in enumerate((work.duration_s, work.energy_j)):
            self._so_far[i] = min(LARGEST, self._so_far[i] + _sane(value, LARGEST))
        if self._done == 0:
            return
        if self._finished < 2:
            self._segments.add(Work(progress, duration, energy))
        if progress > 0:
            self._last = progress
        for i, value in enumerate((progress, duration, energy)):
            self._open[i] = min(HUGE, self._open[i] + value)
        if self._open[0] >= WHOLE:
            self._end_epoch()

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """See `OnlineForecaster.forecast`; None for an endless run and before any progress."""
        if math.isnan(planned) or planned == math.inf:
            return None
        remaining = max(0.0, planned - self._done)
        waiting = (_sane(pending.duration_s, LARGEST), _sane(pending.energy_j, LARGEST))
        so_far = self._so_far
        if remaining <= 1e-9 * max(1.0, abs(planned)):
            totals = [min(LARGEST, s + w) for s, w in zip(so_far, waiting, strict=True)]
            return Forecast(_certain(totals[1]), _certain(totals[0]), ("the plan is fulfilled",))
        # Extreme values are limited at the end.
        with np.errstate(all="ignore"):
            rates = self._rates(planned, remaining)
        if rates is None:
            return None
        duration, energy, notes = rates
        step = min(remaining, self._last)
        # What follows the steps of the first epoch, an evaluation, follows those of the others.
        at_its_end = self._finished == 1 and self._open[0] == 0 and self._last < WHOLE
        times = max(1.0, remaining) if at_its_end else 1.0
        return Forecast(
            _total(so_far[1], waiting[1], energy, remaining, step, times),
            _total(so_far[0], waiting[0], duration, remaining, step, times),
            notes,
        )

    def _end_epoch(self) -> None:
        p, t, e = self._open
        self._open = [0.0, 0.0, 0.0]
        self._finished += 1
        if self._first is None:
            self._first = self._without_warm_up(Work(1.0, t / p, e / p))
            return
        with np.errstate(all="ignore"):
            for epochs, value in zip(self._later, (t / p, e / p), strict=True):
                epochs.add(value)

    def _rates(self, planned: float, remaining: float) -> tuple[Rate, Rate, tuple[str, ...]] | None:
        """Rates of duration and energy of the rest of the run, from the best source there is."""
        if self._first is not None and self._finished > 1:
            return self._from_epochs(self._first, remaining)
        if len(self._segments) >= STEPS:
            return self._from_segments(planned)
        if self._done <= 0:
            return None
        return self._from_experience()

    def _from_epochs(self, first: Work, remaining: float) -> tuple[Rate, Rate, tuple[str, ...]]:
        durations, energies = self._later
        seconds = durations.usual
        weight = "without its warm-up" if self._warm_up_segments else "set apart"
        return (
            durations.rate(remaining, first.duration_s),
            energies.rate(remaining, first.energy_j, seconds),
            (f"from {self._finished} epochs, the first {weight}",),
        )

    def _from_segments(self, planned: float) -> tuple[Rate, Rate, tuple[str, ...]]:
        p, t, e = self._segments.arrays()
        whole = self._finished > 0
        duration, energy, warming = rates_from_segments(p, t, e, self._done / planned, whole)
        if not whole and planned > 1:
            duration, energy = with_evaluation(duration), with_evaluation(energy)
        where = "since the start" if whole else "within the first epoch"
        notes = [f"from {len(p)} segments {where}"]
        if warming:
            notes.append(f"warm-up of {warming} segments left out")
        return duration, energy, tuple(notes)

    def _without_warm_up(self, first: Work) -> Work:
        """The first epoch as it would be without its warm-up, if its steps show one."""
        if len(self._segments) < RESOLVED:
            return first
        p, t, e = self._segments.arrays()
        start = warm_up(t / p)
        # No warm-up, or one that did not end in the first half.
        if not 0 < start < len(p) // 2:
            return first
        self._warm_up_segments = start
        progress = float(p[start:].sum())
        return Work(1.0, float(t[start:].sum()) / progress, float(e[start:].sum()) / progress)

    def _from_experience(self) -> tuple[Rate, Rate, tuple[str, ...]]:
        """Rates from the first epoch, or its finished part, alone."""
        first = self._first or Work(1.0, *(x / self._done for x in self._open[1:]))
        duration, energy = self._experience.later(first, self._first is not None)
        note = "from the first epoch, which later ones may be unlike"
        if self._experience.runs:
            note = (
                "first epoch's relation to later ones learned from "
                f"{self._experience.runs} past runs"
            )
        return duration, energy, (note,)


def _sane(value: float, largest: float = HUGE) -> float:
    """A finite, non-negative number small enough to compute with."""
    return min(largest, max(0.0, value)) if math.isfinite(value) else 0.0


def _certain(value: float) -> Prediction:
    return Prediction(value, value, value)


def _total(
    so_far: float, pending: float, rate: Rate, remaining: float, step: float, times: float
) -> Prediction:
    """The whole run: what was used so far, and the rest at the rate.

    What is pending belongs to the next `step` of progress. While it is below the cost of that step
    it changes nothing. Above it, it adds to the whole, as often as its like is to come, and its
    delay once more to the upper bound, because the end of an overdue step is unknown.
    """

    def whole(per_progress: float, times: float) -> float:
        overdue = max(0.0, pending - step * per_progress)
        return so_far + remaining * per_progress + times * overdue

    value, low = whole(rate.value, times), max(whole(rate.low, 1.0), so_far + pending)
    high = whole(rate.high, times) + max(0.0, pending - step * rate.high)
    value, low, high = (min(LARGEST, v) for v in (value, low, high))
    return Prediction(value, min(low, value), max(high, value))
