"""What trials are expected to take, from the rows of the ledger."""

from dataclasses import replace

import pytest

from joulecast.ledger.studies import StoredTrial
from joulecast.run.run_state import RunState
from joulecast.study.model import Trial
from joulecast.study.running.expected import Expected
from joulecast.units import Estimate, Provenance


def row(number: int, b: int, status: str = "pending", joules: float | None = None) -> StoredTrial:
    low, high = (None, None) if joules is None else (joules * 0.5, joules * 2)
    return StoredTrial(
        *(f"t{number}", number, {"b": b}, 0, 1, status),
        energy_j=joules,
        energy_low_j=low,
        energy_high_j=high,
        provenance=None if joules is None else "modelled",
        duration_s=None if joules is None else joules / 10,
    )


def expected(*rows: StoredTrial, spent: tuple[float, float] = (0.0, 0.0)) -> Expected:
    found = Expected()
    found.learn(rows, spent)
    return found


def test_before_the_first_trial_nothing_is_known() -> None:
    nothing = expected(row(0, 1), row(1, 2))
    assert nothing.energy() is None
    assert nothing.left() is None
    assert nothing.energy_of({"b": 1}) is None
    assert nothing.spent() is None


def test_before_a_trial_has_ended_the_meters_are_as_sure_as_of_what_was_stopped() -> None:
    found = expected(row(0, 1), spent=(30.0, 3.0))
    assert (found.spent(), found.spent_j) == (None, 30.0)  # of another runner
    found.metered(Estimate(9.0, 3.0, 18.0, "J", Provenance.MODELLED))
    found.metered(Estimate(1.0, 1.0, 2.0, "J", Provenance.ASSUMED))
    assert found.spent() == Estimate(30.0, 12.0, 60.0, "J", Provenance.ASSUMED)


def test_a_configuration_is_expected_to_take_what_it_took() -> None:
    rows = [row(0, 1, "finished", 10.0), row(1, 1, "finished", 12.0), row(2, 2)]
    assert expected(*rows).energy_of({"b": 1}) == 11.0
    assert 1.0 < (expected(*rows).energy_of({"b": 2}) or 0.0) < 100.0


def test_failures_count_only_where_nothing_finished() -> None:
    rows = [row(0, 1, "finished", 100.0), row(1, 1, "failed", 1.0), row(2, 2, "failed", 1.0)]
    assert expected(*rows).energy_of({"b": 1}) == 100.0
    assert expected(*rows).energy_of({"b": 2}) == 1.0


def test_the_meters_own_error_does_not_average_out() -> None:
    rows = [row(i, 1, "finished", 10.0) for i in range(50)] + [row(50, 1)]
    whole = expected(*rows, spent=(500.0, 50.0)).energy()
    assert whole is not None
    assert abs(whole.value - 510) < 2
    assert whole.low < 260 and whole.high > 1010
    spent = expected(*rows, spent=(500.0, 50.0)).spent()
    assert spent == Estimate(500.0, 250.0, 1000.0, "J", Provenance.MODELLED)


def test_no_less_is_expected_than_was_used() -> None:
    known = replace(row(0, 1, "failed", 1.0), energy_low_j=0.2, energy_high_j=30.0)
    whole = expected(known, row(1, 2), row(2, 3), spent=(1.0, 0.1)).energy()
    assert whole is not None
    assert whole.low >= 0.2


def test_time_between_trials_is_waited_for_too() -> None:
    rows = [row(0, 1, "finished", 100.0), row(1, 1), row(2, 1)]
    plain, told = expected(*rows, spent=(100.0, 10.0)), expected(*rows, spent=(100.0, 10.0))
    told.took(all_s=14.0, run_s=10.0)
    told.rested(6.0)
    before, after = plain.left(), told.left()
    assert before is not None and after is not None
    assert after.value - before.value == pytest.approx(2 * (4.0 + 6.0))


def test_what_the_trial_under_way_has_done_is_not_left() -> None:
    study = expected(row(0, 1, "finished", 100.0), row(1, 1, "running"), spent=(100.0, 10.0))
    seconds = Estimate(10.0, 9.0, 11.0, "s", Provenance.MODELLED)
    trial = Trial("t1", 1, {"b": 1}, 0, 1)
    early, late = (
        study.left(trial, RunState(t_s, None, None, 2.0, 6.0, None, seconds)) for t_s in (1.0, 6.0)
    )
    assert early is not None and late is not None
    assert early.value - late.value == pytest.approx(5.0)


def test_the_first_trials_own_forecast_is_all_there_is_at_first() -> None:
    first, second = row(0, 1, "running"), row(1, 2)
    trial = Trial("t0", 0, {"b": 1}, 0, 1)
    total = Estimate(100.0, 90.0, 120.0, "J", Provenance.MODELLED)
    seconds = Estimate(60.0, 50.0, 70.0, "s", Provenance.MODELLED)
    seen = RunState(20.0, None, None, 2.0, 6.0, total, seconds)
    study = expected(first, second)
    whole, left = study.energy(trial, seen), study.left(trial, seen)
    assert whole is not None and left is not None
    assert 150 < whole.value < 260
    assert whole.high / whole.low > 3  # of the other nothing is known yet
    assert left.low >= 0 and 60 < left.value < 140
