"""The state of a run while it goes on: progress, energy so far, and the forecast of the whole."""

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..estimate import Estimate, Provenance, format_estimate, provenance_of_sum
from ..forecasting.base import Forecast, OnlineForecaster, Prediction, Work
from ..forecasting.early_stopping.rule import (
    EarlyStopping,
    Stopping,
    describe,
    expected_energy,
    stopping,
)
from ..recording.epochs import RunPosition
from ..recording.made_forecasts import MadeForecast

# A shorter step is joined with the next, because meters would not resolve its energy.
_MIN_STEP_S = 0.1
# Pieces of work that are kept, to give them to another forecaster.
_MAX_WORKS = 1000
# The power shown is the mean over so long.
_POWER_S = 5.0


@dataclass(frozen=True, slots=True)
class EarlyStopForecast:
    """Forecast of a run that may stop early: expected values and 90 % intervals.

    Attributes:
        epoch: the last one; its unit is "epochs".
        energy: of the run, J; None where no energy is measured.
        duration: of the run, s.
        text: the rule, the curve and the forecast in words.
    """

    epoch: Estimate
    energy: Estimate | None
    duration: Estimate
    text: str

    def __str__(self) -> str:
        low, high = int(self.epoch.low), int(self.epoch.high)
        energy = f", {format_estimate(self.energy, short=True)}" if self.energy else ""
        return f"may stop at epoch {self.epoch.value:.0f} ({low} to {high}){energy}"


@dataclass(frozen=True, slots=True)
class RunState:
    """A run at one instant while it goes on. What is unknown is None.

    Attributes:
        t_s: since the start of the run.
        energy: so far, J.
        power_w: mean of the last seconds.
        done: epochs, with the fraction of the one that is running.
        planned: epochs.
        total_energy: forecast of the whole run, J.
        total_duration: forecast of the whole run, s.
        notes: how the forecast was made.
        reason: why there is no forecast.
        source: where the progress comes from, in words.
        early_stop: forecast of the run if it stops early, where there is a rule for that.
        before: epochs of the training that an earlier run did, which this one resumed.
    """

    t_s: float
    energy: Estimate | None
    power_w: float | None
    done: float | None
    planned: float | None
    total_energy: Estimate | None
    total_duration: Estimate | None
    notes: tuple[str, ...] = ()
    reason: str | None = None
    source: str | None = None
    early_stop: EarlyStopForecast | None = None
    before: int = 0

    @property
    def remaining_s(self) -> float | None:
        """Forecast time to the end."""
        if self.total_duration is None:
            return None
        return max(0.0, self.total_duration.value - self.t_s)


class RunEstimator:
    """Estimates the state of a run from the positions it has reached. Thread-safe.

    `new` makes a forecaster: one for the run, and another where its progress starts again.
    """

    def __init__(
        self,
        new: Callable[[], OnlineForecaster],
        planned: int | None = None,
        rule: EarlyStopping | None = None,
    ) -> None:
        self._new, self._forecaster = new, new()
        self._rule = rule
        # Values of the early-stopping rule's metric, by epoch.
        self._curve: list[float | None] = []
        # The forecast of stopping after the last epoch of the curve.
        self._stopping: Stopping | None = None
        self._planned: float | None = planned
        # Of the interval of energy, from the record of earlier runs.
        self.width = 1.0
        self._lock = threading.Lock()
        self._last: RunPosition | None = None
        self._works: list[Work] = []
        # Time and energy, for the power.
        self._recent = deque([(0.0, 0.0)])

    def update(self, position: RunPosition) -> None:
        """The run is at a position. One that lies before the last starts a new count."""
        with self._lock:
            last = self._last
            if last is not None and _starts_again(position, last):
                self._forecaster, self._works, last = self._new(), [], None
                self._curve, self._stopping = [], None
            if position.epoch is not None and self._rule is not None:
                self._curve.append(position.epoch.metrics.get(self._rule.metric))
                self._stopping = None
            if last is not None:
                if position.done == last.done:
                    # The time between two epochs counts with the second.
                    self._planned = position.planned
                    return
                whole = position.done == math.floor(position.done)
                if not whole and position.t_s - last.t_s < _MIN_STEP_S:
                    return
            work = _between(last, position)
            if len(self._works) == 1 and self._works[0].progress > 0:
                self._begin_late(self._works.pop(), work)
            self._add(work)
            self._last, self._planned = position, position.planned

    def _add(self, work: Work) -> None:
        self._forecaster.add(work)
        if len(self._works) < _MAX_WORKS:
            self._works.append(work)

    def _begin_late(self, first: Work, second: Work) -> None:
        """Separate the first progress, at the rate of the second, from the set-up before it."""
        part = first.progress / second.progress if second.progress > 0 else math.inf
        own_s = min(first.duration_s, part * second.duration_s)
        own_j = min(first.energy_j, part * second.energy_j)
        self._forecaster = self._new()
        self._add(Work(0.0, first.duration_s - own_s, first.energy_j - own_j))
        self._add(Work(first.progress, own_s, own_j))

    def replace_forecaster(self, new: Callable[[], OnlineForecaster]) -> None:
        """Use another forecaster from now on, given all the work so far.

        After too much work the old one stays: it has learned from the run itself.
        """
        with self._lock:
            self._new = new
            if len(self._works) < _MAX_WORKS:
                self._forecaster = new()
                for work in self._works:
                    self._forecaster.add(work)

    def state(self, t_s: float, energy: Estimate | None, read_s: float | None = None) -> RunState:
        """The run at `t_s`, with its energy so far, which was last read at `read_s`."""
        with self._lock:
            power_w = self._power(t_s if read_s is None else read_s, energy)
            planned = self._planned
            done = None if self._last is None else self._last.done
            source = None if self._last is None else self._last.source
            before = 0 if self._last is None else self._last.before
            forecast = reason = when = None
            if done is None:
                reason = "no progress reported yet"
            elif planned is None:
                reason = "the number of epochs is not known"
            elif len(self._works) == 1 and 0 < done < min(planned, 1):
                # Set-up is separated from the first steps at the rate of the next ones.
                reason = "too little of the run is done"
            else:
                forecast = self._forecaster.forecast(planned, self._pending(t_s, energy))
                forecast = forecast and forecast.with_width(self.width)
                reason = None if forecast else "too little of the run is done"
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
            *(notes, reason, source, early, before),
        )

    def made(self) -> MadeForecast | None:
        """The forecast at the last position, as it is kept; None where there is none."""
        with self._lock:
            last, planned = self._last, self._planned
            if last is None or planned is None or last.done >= planned or not _value(last.energy):
                return None
            forecast = self._forecaster.forecast(planned)
            if forecast is None or forecast.energy.low is None or forecast.energy.high is None:
                return None
            e = forecast.energy
            place = (last.t_s, last.done, planned)
            return MadeForecast(
                *place, e.value, forecast.energy.low, forecast.energy.high, self.width
            )

    def _stops(self, planned: float | None) -> Stopping | None:
        """When the rule ends the run; None without a rule, or before its metric was logged."""
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


def _starts_again(position: RunPosition, last: RunPosition) -> bool:
    """Whether progress fell back, is another count, or counts epochs instead of parts."""
    in_parts = last.planned == 1.0 and 0 < last.done < 1
    other_unit = in_parts and position.planned != 1.0
    return position.done < last.done or position.count != last.count or other_unit


def _between(last: RunPosition | None, position: RunPosition) -> Work:
    # The time before the first epoch is no part of any epoch.
    if last is None:
        return Work(position.done, position.t_s, _value(position.energy))
    duration = max(0.0, position.t_s - last.t_s)
    return Work(
        position.done - last.done, duration, max(0.0, _value(position.energy) - _value(last.energy))
    )


def _value(energy: Estimate | None) -> float:
    return energy.value if energy else 0.0


def _early(
    when: Stopping, whole: Forecast, so_far: Work, energy: Estimate | None
) -> EarlyStopForecast:
    expected = expected_energy(when, whole, so_far)
    joules, duration = _estimates(expected, so_far.duration_s, energy)
    low, high = when.interval
    middle = min(max(when.expected, low), high)
    epoch = Estimate(middle, low, high, "epochs", Provenance.MODELLED)
    return EarlyStopForecast(epoch, joules, duration, describe(when, expected.energy))


def _estimates(
    forecast: Forecast, t_s: float, energy: Estimate | None
) -> tuple[Estimate | None, Estimate]:
    """Energy and duration of the whole run; no energy where none is measured."""
    duration = _estimate(forecast.duration, t_s, "s")
    if energy is None or energy.value <= 0:
        return None, duration
    # The forecast's interval and the meters' own error are the whole's own; their scale is shared.
    whole = _estimate(forecast.energy, energy.low, "J").metered_by(energy).at_least(energy)
    # The energy so far has its own provenance; the rest is modelled.
    rest = whole.scaled(max(0.0, 1 - energy.value / whole.value))
    provenance, mix = provenance_of_sum([energy, rest])
    return whole.changed(provenance=provenance, mix=mix), duration


def _estimate(p: Prediction, floor: float, unit: str) -> Estimate:
    """The forecast with its own interval; none of the whole lies below `floor`, that so far."""
    value = max(p.value, floor)
    low = value if p.low is None else min(value, max(floor, p.low))
    high = value if p.high is None else max(value, p.high)
    return Estimate(value, low, high, unit, Provenance.MODELLED)
