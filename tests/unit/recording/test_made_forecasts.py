"""What came of forecasts, and how wide it makes later intervals."""

import math

import numpy as np
import pytest

from joulecast.recording.made_forecasts import (
    KEPT,
    ForecastRecord,
    MadeForecast,
    forecast_record,
    judged,
    keep,
)


def made(done=2.0, planned=10.0, value=100.0, low=90.0, high=120.0, width=1.0):
    return MadeForecast(done, done, planned, value, low, high, width)


def runs(*energies, width=1.0):
    """Finished runs, newest first, with a forecast of 100 J (90 to 120)."""
    return [([made(width=width), made(9.0, width=width)], energy) for energy in energies]


def test_distances_are_in_halves_of_the_interval():
    assert made().distance(130.0) == 1.5
    assert made().distance(95.0) == 0.5
    assert made().distance(100.0) == 0
    assert made(low=100.0).distance(99.0) == math.inf


def test_a_run_is_judged_by_the_forecast_made_nearest_to_a_fifth_of_it():
    forecasts = [made(done, 10.0, value=done) for done in range(1, 10)]
    assert judged(forecasts).done == 2
    assert judged([made(3.0), made(8.0)]).done == 3
    assert judged([]) is None


def test_a_run_that_ended_before_its_plan_is_not_judged():
    assert judged([made(2.0), made(8.0)]).done == 2
    assert judged([made(2.0), made(7.0)]) is None
    assert judged([made(1.0, 2.0)]).done == 1


def test_forecasts_of_another_plan_do_not_count():
    forecasts = [made(1.0, 5.0), made(6.0, 10.0), made(9.0, 10.0)]
    assert judged(forecasts).done == 6


def test_of_many_forecasts_every_second_is_kept_and_the_last():
    forecasts = []
    for i in range(1000):
        keep(forecasts, made(float(i), 1000.0))
        assert forecasts[-1].done == i
    assert KEPT / 2 <= len(forecasts) <= KEPT
    assert forecasts[0].done == 0
    assert [f.done for f in forecasts] == sorted({f.done for f in forecasts})


def test_the_record_counts_the_last_fifty_runs():
    record = forecast_record(runs(*[100.0] * 46, *[130.0] * 4, *[1000.0] * 30))
    assert (record.runs, record.held) == (50, 46)
    assert forecast_record(runs(119.0, 121.0, 89.0, 91.0)) == ForecastRecord(4, 2, 1.0)
    assert forecast_record([([], 5.0), ([made(9.0)], 0.0)]) is None


def test_what_was_shown_is_what_held():
    assert forecast_record(runs(130.0, width=1.6)).held == 1
    assert forecast_record(runs(130.0, width=1.4)).held == 0


def test_the_width_changes_after_twenty_runs_in_small_steps():
    assert forecast_record(runs(*[130.0] * 19)).width == 1
    held = forecast_record(runs(*[100.0] * 20))
    assert held.width == pytest.approx(math.exp(-0.01 * 20))
    # Each was 1.5 halves away, until the interval is that wide.
    missed = forecast_record(runs(*[130.0] * 20))
    steps = 0.0
    for _ in range(20):
        steps += 0.1 * ((math.exp(steps) < 1.5) - 0.1)
    assert missed.width == pytest.approx(math.exp(steps))


def test_the_latest_runs_count_most():
    worse = forecast_record(runs(*[150.0] * 10, *[100.0] * 90)).width
    better = forecast_record(runs(*[100.0] * 90, *[150.0] * 10)).width
    assert worse > 1.2 * better


def test_the_width_is_bounded():
    assert forecast_record(runs(*[900.0] * 200)).width == 3
    assert forecast_record(runs(*[100.0] * 200)).width == 0.5


def test_older_runs_are_not_learned_from():
    assert forecast_record(runs(*[100.0] * 200, *[900.0] * 99)) == forecast_record(
        runs(*[100.0] * 200)
    )


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_nine_of_ten_hold_whatever_the_forecasts_are(scale):
    rng = np.random.default_rng(1)
    history, inside = [], []
    for _ in range(400):
        record = forecast_record(history)
        width = record.width if record else 1.0
        energy = 100 + 10 * scale * rng.standard_normal() / 1.645
        forecast = made(low=90.0, high=110.0, width=width)
        inside.append(forecast.distance(energy) <= width)
        history.insert(0, ([forecast, made(9.0)], energy))
    assert 0.86 < np.mean(inside[100:]) < 0.95


def test_the_record_in_words():
    assert ForecastRecord(5, 4, 1.0).is_shown and not ForecastRecord(4, 4, 1.0).is_shown
    assert str(ForecastRecord(12, 11, 1.0)) == "90 % intervals held in 11 of your last 12 runs"
    assert str(ForecastRecord(50, 40, 1.3)).endswith("1.30 times as wide")
