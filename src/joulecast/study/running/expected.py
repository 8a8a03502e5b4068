"""What trials are expected to take, kept up to date as they end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...recording.model import Array
from ...run.run_state import RunState
from ...units import Estimate, Provenance, weakest
from ..model import Level, Trial, TrialStatus
from .study_forecast import Done, draws_of_rest, estimate

if TYPE_CHECKING:
    from ...ledger.studies import StoredTrial

_NOTHING = (0.0, 0.0, 0.0)
_NEWS = 0.02  # a forecast that moved by less changes nothing in those made from it


class Expected:
    """Fed with the trials of a study as the ledger has them; tells what is still to come."""

    def __init__(self) -> None:
        self._energy: list[Done] = []
        self._duration: list[Done] = []
        self._open: list[StoredTrial] = []  # not over, wherever they run
        self._spent = (0.0, 0.0)
        self._metered_j = _NOTHING  # by trials that are over: value, low, high
        self._others: list[Estimate] = []  # of attempts here that are in no result
        self._provenance = Provenance.MODELLED
        self._between: list[float] = []  # seconds of a trial that are no part of its run
        self._rests: list[float] = []
        self._kept: dict[str, tuple[object, Array | None]] = {}

    def learn(self, rows: Sequence[StoredTrial], spent: tuple[float, float]) -> None:
        """The trials as they are now, and what was spent on all of them, J and s."""
        self._energy = _done(rows, [row.energy_j for row in rows])
        self._duration = _done(rows, [row.duration_s for row in rows])
        over = (TrialStatus.PENDING, TrialStatus.RUNNING)
        self._open = [row for row in rows if row.status in over]
        self._spent = spent
        measured = [row for row in rows if row.energy_j is not None]
        self._metered_j = (
            math.fsum(row.energy_j or 0.0 for row in measured),
            math.fsum(row.energy_low_j or 0.0 for row in measured),
            math.fsum(row.energy_high_j or 0.0 for row in measured),
        )
        self._provenance = weakest(
            [Provenance(row.provenance) for row in measured if row.provenance]
            or [Provenance.MODELLED]
        )
        self._kept.clear()

    def took(self, all_s: float, run_s: float) -> None:
        """A trial took so long here, and so long of it was its run."""
        self._between.append(max(0.0, all_s - run_s))

    def metered(self, energy: Estimate) -> None:
        """What an attempt used, J, that is in no result."""
        self._others.append(energy)

    def rested(self, rest_s: float) -> None:
        """So long was rested before a trial."""
        self._rests.append(rest_s)

    def energy_of(self, factors: Mapping[str, Level]) -> float | None:
        """J that a trial with these factors is expected to take; None before one has ended."""
        return _expected(self._energy, factors)

    def duration_of(self, factors: Mapping[str, Level]) -> float | None:
        """Likewise its duration, s."""
        return _expected(self._duration, factors)

    def energy(self, trial: Trial | None = None, seen: RunState | None = None) -> Estimate | None:
        """Of the whole study, J, where `trial` runs and stands like `seen`."""
        running = None if seen is None else seen.total_energy
        if seen is not None and seen.early_stop is not None:
            running = seen.early_stop.energy
        whole = self._whole("J", self._energy, self._spent[0], trial, running)
        return None if whole is None else self._metered(whole)

    def left(self, trial: Trial | None = None, seen: RunState | None = None) -> Estimate | None:
        """Seconds until all is done by this runner alone."""
        running = None if seen is None else seen.total_duration
        if seen is not None and seen.early_stop is not None:
            running = seen.early_stop.duration
        between = sum(sum(x) / len(x) for x in (self._between, self._rests) if x)
        waiting = max(0, len(self._open) - (trial is not None))
        whole = self._whole("s", self._duration, between * waiting, trial, running)
        if whole is None or seen is None or running is None:
            return whole
        past = min(seen.t_s, whole.low)
        return Estimate(
            whole.value - past, whole.low - past, whole.high - past, "s", whole.provenance
        )

    @property
    def spent_j(self) -> float:
        """Energy of all that was run so far, J: what limits count."""
        return self._spent[0]

    def spent(self) -> Estimate | None:
        """The same as the meters are sure of it; None where that is not known.

        They are as sure of all of it as of the trials that are over; before there is one, as of
        what was stopped here.
        """
        metered, provenance = self._metered_j, self._provenance
        if not metered[0]:
            parts = [(e.value, e.low, e.high) for e in self._others]
            value, low, high = map(math.fsum, zip(*parts, strict=True)) if parts else _NOTHING
            metered = (value, low, high)
            provenance = weakest([Provenance.MEASURED, *(e.provenance for e in self._others)])
        if not metered[0]:
            return None
        value, low, high = (self.spent_j * x / metered[0] for x in metered)
        return Estimate(value, low, high, "J", provenance)

    def _metered(self, whole: Estimate) -> Estimate:
        """With the meters' own error: what they are off by, they are off by in all trials."""
        value, low, high = self._metered_j
        below, above = (1 - low / value, high / value - 1) if value else (0.0, 0.0)
        spent = self.spent()
        least = 0.0 if spent is None else min(spent.low, whole.value)  # no less than was used
        low = whole.value - math.hypot(whole.value - whole.low, whole.value * below)
        return Estimate(
            whole.value,
            max(least, low),
            whole.value + math.hypot(whole.high - whole.value, whole.value * above),
            whole.unit,
            weakest([whole.provenance, self._provenance]),
        )

    def _whole(
        self,
        unit: str,
        done: list[Done],
        spent: float,
        trial: Trial | None,
        running: Estimate | None,
    ) -> Estimate | None:
        if running is None:
            trial = None  # of which nothing is known: one of those to come
        pending = [row for row in self._open if trial is None or row.trial_id != trial.trial_id]
        alike = trial is not None and any(d.factors == trial.factors for d in done)
        if trial is not None and running is not None and not alike:
            done = [*done, Done(trial.factors, _coarse(running.value))]
        key = (len(done), done[-1].value if done else None, len(pending))
        if self._kept.get(unit, (None,))[0] != key:
            ahead = [row.factors for row in pending]
            self._kept[unit] = (key, draws_of_rest(done, ahead))
        rest = self._kept[unit][1]
        return None if rest is None else estimate(rest, spent, unit, running)


def _done(rows: Sequence[StoredTrial], values: Sequence[float | None]) -> list[Done]:
    """Of each configuration the trials that finished; those that failed where none did."""
    finished = {_text(row) for row in rows if row.status == TrialStatus.FINISHED}
    bad = (TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY)
    return [
        Done(row.factors, value)
        for row, value in zip(rows, values, strict=True)
        if value is not None
        and (
            row.status == TrialStatus.FINISHED or (row.status in bad and _text(row) not in finished)
        )
    ]


def _expected(done: list[Done], factors: Mapping[str, Level]) -> float | None:
    own = [d.value for d in done if d.factors == factors]
    if own:
        return math.fsum(own) / len(own)
    draws = draws_of_rest(done, [factors])
    return None if draws is None else float(np.median(draws))


def _coarse(value: float) -> float:
    """In steps of 2 %: what is made from it is not made anew all the time."""
    return math.exp(round(math.log(max(value, 1e-6)) / _NEWS) * _NEWS)


def _text(row: StoredTrial) -> str:
    return repr(sorted(row.factors.items()))
