"""How far a run is, what it has used, and what all of it will: kept up to date while it goes on."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..forecasting.base import Forecast, OnlineForecaster, Prediction, Work
from ..forecasting.early_stopping.rule import (
    EarlyStopping,
    Stopping,
    describe,
    expected_energy,
    stopping,
)
from ..recording.epochs import RunPosition
from ..units import Estimate, Provenance, format_estimate, weakest

_SHORTEST_S = 0.1  # a step in less is joined with the next: its energy would not be resolved
_REMEMBERED = 1000  # stretches of work that another forecaster may still be fed with
_POWER_S = 5.0  # the power shown is the mean over so long


@dataclass(frozen=True, slots=True)
class EarlyStopForecast:
    """What a run costs if it may stop early: expected values and 90 % intervals."""

    epoch: Estimate  # the last one; unit "epochs"
    energy: Estimate | None
    duration: Estimate
    text: str  # all that is known of it

    def __str__(self) -> str:
        low, high = int(self.epoch.low), int(self.epoch.high)
        energy = f", {format_estimate(self.energy)}" if self.energy else ""
        return f"may stop at epoch {self.epoch.value:.0f} ({low} to {high}){energy}"


@dataclass(frozen=True, slots=True)
class RunState:
    """A run under way, at one instant. Energies J, durations s; None where it cannot be told."""

    t_s: float
    energy: Estimate | None  # used so far
    power_w: float | None  # mean of the last seconds
    done: float | None  # epochs, with the part of the one under way
    planned: float | None
    total_energy: Estimate | None  # forecast of the whole run
    total_duration: Estimate | None
    notes: tuple[str, ...] = ()  # how the forecast arose
    reason: str | None = None  # why there is no forecast
    source: str | None = None  # who tells the progress, in words
    early: EarlyStopForecast | None = (
        None  # the run if it stops early, where there is a rule for that
    )

    @property
    def left_s(self) -> float | None:
        """Forecast time to the end."""
        if self.total_duration is None:
            return None
        return max(0.0, self.total_duration.value - self.t_s)


class RunEstimator:
    """Fed with the places a run has reached; tells at any time how it stands. Thread-safe.

    `new` makes a forecaster: one for the run, and a fresh one where its progress begins again.
    """

    def __init__(
        self,
        new: Callable[[], OnlineForecaster],
        planned: int | None = None,
        rule: EarlyStopping | None = None,
    ) -> None:
        self._new, self._forecaster = new, new()
        self._rule = rule
        self._curve: list[float | None] = []  # of the rule's metric, by epoch
        self._stopping: Stopping | None = None  # after the last epoch of the curve
        self._planned: float | None = planned
        self._lock = threading.Lock()
        self._last: RunPosition | None = None
        self._works: list[Work] = []
        self._recent = deque([(0.0, 0.0)])  # time and energy, for the power

    def reached(self, place: RunPosition) -> None:
        """The run is at `place`. One that lies before the last begins a new count."""
        with self._lock:
            last = self._last
            if last is not None and _begins_anew(place, last):
                self._forecaster, self._works, last = self._new(), [], None
                self._curve, self._stopping = [], None
            if place.epoch is not None and self._rule is not None:
                self._curve.append(place.epoch.metrics.get(self._rule.metric))
                self._stopping = None
            if last is not None:
                if place.done == last.done:
                    self._planned = place.planned
                    return  # time between two epochs counts with the second
                whole = place.done == math.floor(place.done)
                if not whole and place.t_s - last.t_s < _SHORTEST_S:
                    return
            work = _between(last, place)
            self._forecaster.add(work)
            if len(self._works) < _REMEMBERED:
                self._works.append(work)
            self._last, self._planned = place, place.planned

    def learn(self, new: Callable[[], OnlineForecaster]) -> None:
        """Forecast by another from now on, fed with what was seen so far.

        Where that is too much, the run goes on as it was: it has itself to learn from.
        """
        with self._lock:
            self._new = new
            if len(self._works) < _REMEMBERED:
                self._forecaster = new()
                for work in self._works:
                    self._forecaster.add(work)

    def at(self, t_s: float, energy: Estimate | None, read_s: float | None = None) -> RunState:
        """The run at an instant, with the energy used up to then, as last read at `read_s`."""
        with self._lock:
            power_w = self._power(t_s if read_s is None else read_s, energy)
            planned = self._planned
            done = None if self._last is None else self._last.done
            source = None if self._last is None else self._last.source
            forecast = reason = when = None
            if done is None:
                reason = "no progress seen yet"
            elif planned is None:
                reason = "the number of epochs is not known"
            else:
                forecast = self._forecaster.forecast(planned, self._pending(t_s, energy))
                reason = None if forecast else "too little is done"
            when = self._stops(planned) if forecast else None
        total, duration = _estimates(forecast, t_s, energy) if forecast else (None, None)
        if forecast and total is None:
            reason = "no energy is measured"
        early = None
        if forecast and when:
            early = _early(when, forecast, Work(done or 0.0, t_s, _value(energy)), energy)
        notes = forecast.notes if forecast else ()
        return RunState(
            *(t_s, energy, power_w, done, planned, total, duration),
            *(notes, reason, source, early),
        )

    def _stops(self, planned: float | None) -> Stopping | None:
        """When the rule ends the run; None where there is none, or nothing it could look at yet."""
        if self._rule is None or planned is None or all(v is None for v in self._curve):
            return None
        if self._stopping is None or self._stopping.planned != max(planned, len(self._curve)):
            self._stopping = stopping(self._curve, self._rule, int(planned))
        return self._stopping

    def _pending(self, t_s: float, energy: Estimate | None) -> Work:
        last = self._last
        before_s, before_j = (last.t_s, _value(last.energy)) if last else (0.0, 0.0)
        return Work(0.0, max(0.0, t_s - before_s), max(0.0, _value(energy) - before_j))

    def _power(self, read_s: float, energy: Estimate | None) -> float | None:
        if energy is None:
            return None
        if read_s > self._recent[-1][0]:
            self._recent.append((read_s, energy.value))
        while len(self._recent) > 2 and self._recent[1][0] <= read_s - _POWER_S:
            self._recent.popleft()
        (start_s, start_j), (end_s, end_j) = self._recent[0], self._recent[-1]
        return max(0.0, end_j - start_j) / (end_s - start_s) if end_s > start_s else None


def _begins_anew(place: RunPosition, last: RunPosition) -> bool:
    """Whether progress fell back, or is told by another, or in epochs after parts of the run."""
    in_parts = last.planned == 1.0 and 0 < last.done < 1
    other_unit = in_parts and place.planned != 1.0
    other_count = (place.source, place.count) != (last.source, last.count)
    return place.done < last.done or other_count or other_unit


def _between(last: RunPosition | None, place: RunPosition) -> Work:
    if last is None:  # what came before the first epoch is spent and no part of any
        return Work(place.done, place.t_s, _value(place.energy))
    duration = max(0.0, place.t_s - last.t_s)
    return Work(
        place.done - last.done, duration, max(0.0, _value(place.energy) - _value(last.energy))
    )


def _value(energy: Estimate | None) -> float:
    return energy.value if energy else 0.0


def _early(
    when: Stopping, whole: Forecast, spent: Work, energy: Estimate | None
) -> EarlyStopForecast:
    expected = expected_energy(when, whole, spent)
    joules, duration = _estimates(expected, spent.duration_s, energy)
    low, high = when.interval
    middle = min(max(when.expected, low), high)
    epoch = Estimate(middle, low, high, "epochs", Provenance.MODELLED)
    return EarlyStopForecast(epoch, joules, duration, describe(when, expected.energy))


def _estimates(
    forecast: Forecast, t_s: float, energy: Estimate | None
) -> tuple[Estimate | None, Estimate]:
    duration = _estimate(forecast.duration, t_s, 0.0, 0.0, "s", Provenance.MODELLED)
    if energy is None or energy.value <= 0:
        return None, duration
    below = (energy.value - energy.low) / energy.value
    above = (energy.high - energy.value) / energy.value
    provenance = weakest([energy.provenance, Provenance.MODELLED])  # the rest was not measured
    return _estimate(forecast.energy, energy.low, below, above, "J", provenance), duration


def _estimate(
    p: Prediction, floor: float, below: float, above: float, unit: str, provenance: Provenance
) -> Estimate:
    """The forecast's own interval joined with the meters' relative error (independent).

    What was spent is spent: no forecast of the whole lies below `floor`.
    """
    value = max(p.value, floor)
    low = value - math.hypot(value * below, max(0.0, value - (value if p.low is None else p.low)))
    high = value + math.hypot(
        value * above, max(0.0, (value if p.high is None else p.high) - value)
    )
    return Estimate(value, min(value, max(floor, low)), high, unit, provenance)
