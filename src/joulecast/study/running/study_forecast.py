"""Forecasts of a study's energy and duration, updated as its trials end."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...estimate import Estimate, add_up, weakest
from ...ledger.study_model import ENDED, Level, Trial, TrialStatus
from ...recording.model import Array
from ...run.run_state import RunState
from .effects_model import Observation, draws_of_rest, estimate

# A forecast of the running trial that changes by less does not change those made from it.
_STEP = 0.02


class StudyForecast:
    """Is updated with the trials of a study as the ledger has them; forecasts the rest."""

    def __init__(self) -> None:
        self._energy: list[Observation] = []
        self._duration: list[Observation] = []
        self._open: list[Trial] = []
        self._used_j = 0.0
        # Of trials that are over, and of attempts here that are in no result.
        self._of_results: list[Estimate] = []
        self._of_others: list[Estimate] = []
        # Seconds of each trial that are no part of its run, and of each pause.
        self._overheads: list[float] = []
        self._pauses: list[float] = []
        self._draws: dict[str, tuple[object, Array | None]] = {}

    def update(self, trials: Sequence[Trial], used_j: float) -> None:
        """Replace the trials, and the energy used by all runs so far, J."""
        energies = {t.trial_id: t.energy.value for t in trials if t.energy is not None}
        durations = {t.trial_id: t.duration_s for t in trials if t.duration_s is not None}
        self._energy = _observations(trials, energies)
        self._duration = _observations(trials, durations)
        self._open = [trial for trial in trials if trial.status not in ENDED]
        self._used_j = used_j
        self._of_results = [trial.energy for trial in trials if trial.energy is not None]
        self._draws.clear()

    def add_trial(self, total_s: float, run_s: float) -> None:
        """A trial took `total_s` here, of which its run took `run_s`."""
        self._overheads.append(max(0.0, total_s - run_s))

    def add_attempt(self, energy: Estimate) -> None:
        """An attempt that is in no result used so much, J."""
        self._of_others.append(energy)

    def add_pause(self, pause_s: float) -> None:
        """The pause before a trial took so long."""
        self._pauses.append(pause_s)

    def energy_of(self, factors: Mapping[str, Level]) -> float | None:
        """Expected energy of a trial with these factors, J; None before a trial has ended."""
        return _expected(self._energy, factors)

    def duration_of(self, factors: Mapping[str, Level]) -> float | None:
        """Expected duration of a trial with these factors, s; None before a trial has ended."""
        return _expected(self._duration, factors)

    def energy(self, trial: Trial | None = None, run: RunState | None = None) -> Estimate | None:
        """Energy of the whole study, J, while `trial` runs and its run is in the state `run`."""
        forecast = (
            None if run is None else run.early_stop.energy if run.early_stop else run.total_energy
        )
        whole = self._whole("J", self._energy, self._used_j, trial, forecast)
        return None if whole is None else self._with_meter_error(whole, forecast)

    def remaining(self, trial: Trial | None = None, run: RunState | None = None) -> Estimate | None:
        """Time until all trials are over, s, by this runner alone."""
        forecast = (
            None
            if run is None
            else run.early_stop.duration
            if run.early_stop
            else run.total_duration
        )
        overhead = sum(sum(x) / len(x) for x in (self._overheads, self._pauses) if x)
        waiting = max(0, len(self._open) - (trial is not None))
        whole = self._whole("s", self._duration, overhead * waiting, trial, forecast)
        if whole is None or run is None or forecast is None:
            return whole
        past = min(run.t_s, whole.low)
        return Estimate(
            whole.value - past, whole.low - past, whole.high - past, "s", whole.provenance
        )

    @property
    def used_j(self) -> float:
        """Energy of all runs so far, as limits count it, J."""
        return self._used_j

    def used(self) -> Estimate | None:
        """The same with an interval; None where that is unknown.

        The relative error of all runs is that of the trials that are over; before one is, that of
        the attempts that were stopped here.
        """
        measured = self._sum()
        return None if measured is None else measured.scaled(self._used_j / measured.value)

    def _sum(self) -> Estimate | None:
        """The known energies."""
        for parts in (self._of_results, self._of_others):
            if math.fsum(e.value for e in parts):
                return add_up(parts)
        return None

    def _with_meter_error(self, whole: Estimate, running: Estimate | None) -> Estimate:
        """The forecast with the meters' error, which does not average out over trials."""
        measured = self._sum() if self._of_results else None
        if measured is None and running is not None:
            # Its own error is in the forecast already.
            measured = Estimate.of_errors(
                running.value, (0.0, 0.0), running.shared, provenance=running.provenance
            )
        if measured is not None:
            kind = weakest([whole.provenance, measured.provenance])
            whole = whole.metered_by(measured).changed(provenance=kind)
        # The whole cannot use less than was used already.
        used = self.used()
        return whole if used is None else whole.at_least(used)

    def _whole(
        self,
        unit: str,
        done: list[Observation],
        so_far: float,
        trial: Trial | None,
        forecast: Estimate | None,
    ) -> Estimate | None:
        """The sum so far, the running trial and the pending ones."""
        # A running trial without a forecast counts as pending.
        if forecast is None:
            trial = None
        pending = [t for t in self._open if trial is None or t.trial_id != trial.trial_id]
        same = trial is not None and any(d.factors == trial.factors for d in done)
        if trial is not None and forecast is not None and not same:
            done = [*done, Observation(trial.factors, _rounded(forecast.value))]
        key = (len(done), done[-1].value if done else None, len(pending))
        if self._draws.get(unit, (None,))[0] != key:
            self._draws[unit] = (key, draws_of_rest(done, [t.factors for t in pending]))
        rest = self._draws[unit][1]
        return None if rest is None else estimate(rest, so_far, unit, forecast)


def _observations(trials: Sequence[Trial], values: Mapping[str, float]) -> list[Observation]:
    """The trials of each configuration that finished; those that failed where none did."""
    finished = {_key(t) for t in trials if t.status is TrialStatus.FINISHED}
    return [
        Observation(t.factors, values[t.trial_id])
        for t in trials
        if t.trial_id in values
        and (t.status is TrialStatus.FINISHED or (t.status in ENDED and _key(t) not in finished))
    ]


def _expected(done: list[Observation], factors: Mapping[str, Level]) -> float | None:
    own = [d.value for d in done if d.factors == factors]
    if own:
        return math.fsum(own) / len(own)
    draws = draws_of_rest(done, [factors])
    return None if draws is None else float(np.median(draws))


def _rounded(value: float) -> float:
    """In steps of 2 %, so that the rest need not be drawn again every second."""
    return math.exp(round(math.log(max(value, 1e-6)) / _STEP) * _STEP)


def _key(trial: Trial) -> str:
    return repr(sorted(trial.factors.items()))
