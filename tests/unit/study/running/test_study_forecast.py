"""Forecasts of a study from its trials in the ledger."""

from dataclasses import replace

import pytest

from joulecast.estimate import Estimate, Provenance
from joulecast.ledger.study_model import Trial, TrialStatus
from joulecast.run.run_state import RunState
from joulecast.study.running.study_forecast import StudyForecast

PENDING, RUNNING = TrialStatus.PENDING, TrialStatus.RUNNING
FINISHED, FAILED = TrialStatus.FINISHED, TrialStatus.FAILED


def trial(number: int, b: int, status: TrialStatus = PENDING, joules: float | None = None) -> Trial:
    energy = duration_s = None
    if joules is not None:
        energy = Estimate(joules, joules * 0.5, joules * 2, "J", Provenance.MODELLED)
        duration_s = joules / 10
    return Trial(f"t{number}", number, {"b": b}, 0, 1, status, energy=energy, duration_s=duration_s)


def forecast_of(*trials: Trial, used_j: float = 0.0) -> StudyForecast:
    forecast = StudyForecast()
    forecast.update(trials, used_j)
    return forecast


def test_without_an_ended_trial_there_is_no_forecast() -> None:
    forecast = forecast_of(trial(0, 1), trial(1, 2))
    assert forecast.energy() is None
    assert forecast.remaining() is None
    assert forecast.energy_of({"b": 1}) is None
    assert forecast.used() is None


def test_stopped_attempts_give_the_interval_before_a_trial_has_ended() -> None:
    forecast = forecast_of(trial(0, 1), used_j=30.0)
    # Used by another runner.
    assert (forecast.used(), forecast.used_j) == (None, 30.0)
    forecast.add_attempt(Estimate(9.0, 3.0, 18.0, "J", Provenance.MODELLED))
    forecast.add_attempt(Estimate(1.0, 1.0, 2.0, "J", Provenance.ASSUMED))
    mix = {"modelled": 0.9, "assumed": 0.1}
    assert forecast.used() == Estimate(30.0, 12.0, 60.0, "J", Provenance.MODELLED, mix)


def test_a_configuration_is_expected_to_use_its_mean() -> None:
    forecast = forecast_of(trial(0, 1, FINISHED, 10.0), trial(1, 1, FINISHED, 12.0), trial(2, 2))
    assert forecast.energy_of({"b": 1}) == 11.0
    assert forecast.duration_of({"b": 1}) == pytest.approx(1.1)
    assert 1.0 < (forecast.energy_of({"b": 2}) or 0.0) < 100.0


def test_failures_count_only_where_nothing_finished() -> None:
    forecast = forecast_of(
        trial(0, 1, FINISHED, 100.0), trial(1, 1, FAILED, 1.0), trial(2, 2, FAILED, 1.0)
    )
    assert forecast.energy_of({"b": 1}) == 100.0
    assert forecast.energy_of({"b": 2}) == 1.0


def test_the_meters_own_error_does_not_average_out() -> None:
    trials = [trial(i, 1, FINISHED, 10.0) for i in range(50)] + [trial(50, 1)]
    forecast = forecast_of(*trials, used_j=500.0)
    whole = forecast.energy()
    assert whole is not None
    assert abs(whole.value - 510) < 2
    assert whole.low < 260 and whole.high > 1010
    assert forecast.used() == Estimate(500.0, 250.0, 1000.0, "J", Provenance.MODELLED)


def test_the_forecast_is_at_least_the_energy_used() -> None:
    uncertain = Estimate(1.0, 0.2, 30.0, "J", Provenance.MODELLED)
    failed = replace(trial(0, 1, FAILED, 1.0), energy=uncertain)
    whole = forecast_of(failed, trial(1, 2), trial(2, 3), used_j=1.0).energy()
    assert whole is not None
    assert whole.low >= 0.2 - 1e-12


def test_time_between_trials_is_part_of_the_remaining_time() -> None:
    trials = [trial(0, 1, FINISHED, 100.0), trial(1, 1), trial(2, 1)]
    without, with_pauses = forecast_of(*trials), forecast_of(*trials)
    with_pauses.add_trial(total_s=14.0, run_s=10.0)
    with_pauses.add_pause(6.0)
    before, after = without.remaining(), with_pauses.remaining()
    assert before is not None and after is not None
    assert after.value - before.value == pytest.approx(2 * (4.0 + 6.0))


def test_the_past_of_the_running_trial_is_not_remaining() -> None:
    forecast = forecast_of(trial(0, 1, FINISHED, 100.0), trial(1, 1, RUNNING), used_j=100.0)
    seconds = Estimate(10.0, 9.0, 11.0, "s", Provenance.MODELLED)
    early, late = (
        forecast.remaining(trial(1, 1), RunState(t_s, None, None, 2.0, 6.0, None, seconds))
        for t_s in (1.0, 6.0)
    )
    assert early is not None and late is not None
    assert early.value - late.value == pytest.approx(5.0)


def test_the_first_trials_own_forecast_stands_for_all_at_first() -> None:
    total = Estimate(100.0, 90.0, 120.0, "J", Provenance.MODELLED)
    seconds = Estimate(60.0, 50.0, 70.0, "s", Provenance.MODELLED)
    run = RunState(20.0, None, None, 2.0, 6.0, total, seconds)
    forecast = forecast_of(trial(0, 1, RUNNING), trial(1, 2))
    whole, remaining = (f(trial(0, 1), run) for f in (forecast.energy, forecast.remaining))
    assert whole is not None and remaining is not None
    assert 150 < whole.value < 260
    # The other configuration is unknown.
    assert whole.high / whole.low > 3
    assert remaining.low >= 0 and 60 < remaining.value < 140


def test_a_studys_forecast_keeps_the_meters_error_apart() -> None:
    energy = Estimate(10.0, 5.0, 20.0, "J", Provenance.MODELLED, own_low=9.8, own_high=10.3)
    trials = [replace(trial(i, 1, FINISHED, 10.0), energy=energy) for i in range(50)]
    forecast = forecast_of(*trials, trial(50, 1), used_j=500.0)
    used, whole = forecast.used(), forecast.energy()
    assert used is not None and whole is not None
    assert used.own_sides == pytest.approx((10.0, 15.0)) and used.low == pytest.approx(250)
    assert whole.own_sides == pytest.approx((10.2, 15.3), rel=0.1)
    assert whole.low == pytest.approx(255, abs=2) and whole.high == pytest.approx(1020, abs=5)


def test_the_running_trials_own_error_counts_once() -> None:
    total = Estimate(100.0, 50.0, 200.0, "J", Provenance.MODELLED, own_low=99.0, own_high=101.0)
    seconds = Estimate(60.0, 59.0, 61.0, "s", Provenance.MODELLED)
    run = RunState(20.0, None, None, 2.0, 6.0, total, seconds)
    whole = forecast_of(trial(0, 1, RUNNING)).energy(trial(0, 1), run)
    assert whole is not None
    assert whole.own_sides == pytest.approx((1.0, 1.0), rel=0.15)
    assert (whole.low, whole.high) == pytest.approx((50, 200), rel=0.02)
