"""What each mechanism of the online forecaster is for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fakes.training_runs import MIXED, STEADY, in_steps, training_run
from joulecast.forecasting.base import Forecast, History, Prediction, Work
from joulecast.forecasting.online.forecaster import Online
from joulecast.forecasting.online.rates import Rate
from joulecast.forecasting.online.segments import CAPACITY, Segments, warm_up, with_evaluation
from joulecast.forecasting.scoring.online_scores import score_histories


def epochs(*energies: float, seconds: float = 30.0) -> list[Work]:
    return [Work(1.0, seconds, energy) for energy in energies]


def after(works: list[Work], past: list[History] | None = None) -> Online:
    online = Online(past or [])
    for work in works:
        online.add(work)
    return online


def whole(online: Online, planned: float, pending: Work | None = None) -> Forecast:
    forecast = online.forecast(planned) if pending is None else online.forecast(planned, pending)
    assert forecast is not None
    return forecast


def width(prediction: Prediction) -> float:
    assert prediction.low is not None
    assert prediction.high is not None
    return prediction.high - prediction.low


# --- before and after ----------------------------------------------------------------------------


def test_no_forecast_before_any_progress_nor_of_an_endless_run() -> None:
    assert Online().forecast(10) is None
    assert after(epochs(100.0)).forecast(math.inf) is None
    assert after(epochs(100.0)).forecast(math.nan) is None
    assert after([Work(0.0, 5.0, 100.0)]).forecast(10) is None


def test_a_run_without_epochs_uses_no_energy() -> None:
    assert whole(Online(), 0).energy == Prediction(0.0, 0.0, 0.0)


@pytest.mark.parametrize("planned", [0.0, 2.0, 3.0])
def test_a_finished_plan_is_certain(planned: float) -> None:
    forecast = whole(after(epochs(300.0, 100.0, 100.0)), planned, Work(0.0, 1.0, 7.0))
    assert forecast.energy == Prediction(507.0, 507.0, 507.0)
    assert forecast.duration == Prediction(91.0, 91.0, 91.0)


def test_one_epoch_only_is_forecast_from_its_steps() -> None:
    forecast = whole(after([Work(0.01, 1.0, 50.0)] * 30), 1.0)
    assert forecast.duration.value == pytest.approx(100.0)
    assert forecast.energy.value == pytest.approx(5000.0)
    assert width(forecast.energy) > 0


# --- whole epochs --------------------------------------------------------------------------------


def test_the_second_epoch_corrects_and_narrows_the_forecast() -> None:
    one = whole(after(epochs(400.0)), 20)
    two = whole(after(epochs(400.0, 100.0)), 20)
    truth = 400.0 + 19 * 100.0
    assert one.energy.value == 20 * 400.0
    assert two.energy.value == pytest.approx(truth)
    assert one.energy.low is not None
    assert one.energy.low <= truth
    assert width(two.energy) < width(one.energy) / 4


def test_a_change_of_level_is_followed() -> None:
    works = epochs(150.0, *[100.0] * 40, *[130.0] * 5)
    assert whole(after(works), 146).energy.value == pytest.approx(150 + 4000 + 105 * 130, rel=0.04)


def test_slow_drift_is_followed() -> None:
    rising = [100.0 + i for i in range(40)]
    forecast = whole(after(epochs(*rising)), 50)
    truth = sum(rising) + sum(100.0 + i for i in range(40, 50))
    assert forecast.energy.value == pytest.approx(truth, rel=0.02)
    assert whole(after(epochs(*rising)), 50).energy.value > sum(rising) + 10 * np.mean(rising)


def test_evaluations_every_n_epochs_count_with_their_energy() -> None:
    cycle = [100.0, 100.0, 100.0, 160.0]
    forecast = whole(after(epochs(*cycle * 8)), 64)
    assert forecast.energy.value == pytest.approx(64 * 115.0, rel=0.02)


def test_a_single_extreme_epoch_does_not_repeat() -> None:
    forecast = whole(after(epochs(110.0, *[100.0] * 12, 100_000.0, *[100.0] * 6)), 40)
    truth = 110 + 18 * 100 + 100_000 + 20 * 100.0
    assert forecast.energy.value == pytest.approx(truth, rel=0.01)


def test_the_interval_narrows_as_epochs_are_seen() -> None:
    widths = [width(whole(after(epochs(*[100.0] * k)), 50).energy) for k in (1, 2, 5, 20, 45)]
    assert widths == sorted(widths, reverse=True)


def test_epochs_in_steps_give_the_same_as_whole_epochs() -> None:
    steps = [Work(0.1, 3.0, e / 10) for e in (200.0, 100.0, 101.0, 99.0) for _ in range(10)]
    in_epochs = whole(after(epochs(200.0, 100.0, 101.0, 99.0)), 12)
    in_steps = whole(after(steps), 12)
    assert in_steps.energy.value == pytest.approx(in_epochs.energy.value)
    assert in_steps.energy.low == pytest.approx(in_epochs.energy.low)


def test_a_first_epoch_in_steps_counts_without_its_warm_up() -> None:
    steps = [Work(0.01, 1.0, 10.0)] * 100
    warming = [Work(0.01, 31.0, 310.0), *steps[1:]]
    forecast = whole(after([*warming, *steps, *steps]), 4)
    assert any("warm-up" in note for note in forecast.notes)
    assert forecast.duration.value == pytest.approx(430.0, rel=0.01)


def test_steps_since_the_start_include_the_evaluation_of_the_first_epoch() -> None:
    epoch = [*[Work(0.01, 1.0, 10.0)] * 95, *[Work(0.01, 4.0, 100.0)] * 5]
    forecast = whole(after([*epoch, *epoch[:50]]), 20)
    assert forecast.energy.value == pytest.approx(20 * 1450.0, rel=0.25)
    assert forecast.duration.value == pytest.approx(20 * 115.0, rel=0.1)


# --- within the first epoch ----------------------------------------------------------------------


def test_the_warm_up_is_left_out_and_noted() -> None:
    warming = [Work(0.001, s, 100 * s) for s in (30.0, 4.0, 2.0, 1.0)]
    forecast = whole(after(warming + [Work(0.001, 0.5, 100.0)] * 40), 5)
    truth_s = 37.0 + (5000 - 4) * 0.5
    assert forecast.duration.value == pytest.approx(truth_s, rel=0.05)
    assert any("warm-up" in note for note in forecast.notes)
    assert forecast.energy.value == pytest.approx(3700 + 4996 * 100.0, rel=0.05)


def test_steps_that_still_get_faster_lower_the_lower_bound() -> None:
    durations = [16.0, 8.0, 4.0, 2.0, 1.0]
    forecast = whole(after([Work(0.001, s, 100 * s) for s in durations]), 1)
    assert forecast.duration.low is not None
    assert forecast.duration.low < 0.25 * 1000


def test_power_that_still_rises_is_forecast_from_its_peaks() -> None:
    # A device waits 80 s in every 100 while little of the run is done.
    power = ([100.0] * 80 + [300.0] * 20) * 3
    forecast = whole(after([Work(1e-4, 1.0, p) for p in power]), 1)
    assert forecast.energy.value > 1.5 * np.mean(power) * 1e4


def test_the_end_of_the_warm_up() -> None:
    assert warm_up(np.array([9.0, 5.0, 1.0, 1.0, 1.1, 0.9, 1.0, 1.0])) == 2
    assert warm_up(np.ones(50)) == 0
    assert warm_up(np.array([9.0, 1.0])) == 0
    assert warm_up(np.linspace(9, 1, 10)) == 5


def test_the_evaluation_to_come_adds_to_the_upper_bound() -> None:
    rate = with_evaluation(Rate(100.0, 90.0, 110.0))
    assert (rate.value, rate.low, rate.high) == pytest.approx((100, 90, 132))


def test_segments_are_bounded_and_lose_nothing() -> None:
    segments = Segments()
    for i in range(5000):
        segments.add(Work(0.001, 1.0 + i % 3, 10.0))
    progress, duration, energy = segments.arrays()
    assert len(segments) <= CAPACITY
    assert np.ptp(progress) < 0.05 * progress[0]
    done = round(progress.sum() / 0.001)
    assert 5000 - done < 5000 / (CAPACITY / 2)
    assert energy.sum() == pytest.approx(10 * done)
    assert duration.sum() == pytest.approx(sum(1 + i % 3 for i in range(done)))


# --- what is pending -----------------------------------------------------------------------------


def test_pending_work_changes_nothing_until_it_is_overdue() -> None:
    online = after(epochs(*[100.0] * 5))
    still = whole(online, 10)
    assert whole(online, 10, Work(0.0, 20.0, 70.0)).energy == still.energy
    late = whole(online, 10, Work(0.0, 30_000.0, 100_000.0))
    assert late.energy.value == 100_000 + 500 + 4 * 100
    assert late.duration.value == 30_000 + 150 + 4 * 30
    assert late.energy.high is not None
    assert late.energy.high > late.energy.value + 50_000


def test_the_forecast_rises_all_through_an_epoch_a_thousand_times_longer() -> None:
    online = after(epochs(*[100.0] * 5))
    values = [whole(online, 10, Work(0.0, 30.0 * f, 100.0 * f)).energy.value for f in range(1000)]
    assert values == sorted(values)
    assert values[-1] > 99_900


def test_what_follows_the_first_epoch_follows_the_others() -> None:
    online = after([Work(0.25, 5.0, 50.0)] * 4)
    assert whole(online, 10, Work(0.0, 4.0, 40.0)).energy.value == pytest.approx(2000.0)
    late = whole(online, 10, Work(0.0, 15.0, 150.0))
    # Each of nine epochs to come is late by 100 J, 10 s.
    assert late.energy.value == pytest.approx(2000.0 + 9 * 100.0)
    assert late.duration.value == pytest.approx(200.0 + 9 * 10.0)
    online.add(Work(0.25, 15.0, 150.0))
    assert whole(online, 10, Work(0.0, 15.0, 150.0)).energy.value < 4000


# --- past runs -----------------------------------------------------------------------------------


def test_past_runs_of_the_same_job_show_what_follows_the_first_epoch() -> None:
    past = [History(str(i), tuple(epochs(990.0 + 3 * i, *[100.0] * 9)), 10) for i in range(8)]
    works = epochs(1000.0)
    learned, alone = whole(after(works, past), 10), whole(after(works), 10)
    truth = 1000 + 9 * 100.0
    assert learned.energy.value == pytest.approx(truth, rel=0.1)
    assert abs(alone.energy.value - truth) > 3 * abs(learned.energy.value - truth)
    (note,) = set(learned.notes) - set(alone.notes)
    assert str(len(past)) in note.split()


def test_past_runs_unlike_this_one_have_little_weight() -> None:
    past = [History(str(i), tuple(epochs(1e6, *[10.0] * 9)), 10) for i in range(8)]
    alone, with_past = (
        whole(after(epochs(100.0)), 10),
        whole(after(epochs(100.0), past), 10),
    )
    assert with_past.energy.value == pytest.approx(alone.energy.value, rel=0.1)


def test_past_runs_without_two_epochs_are_ignored() -> None:
    past = [
        History("none", (), 5),
        History("one", tuple(epochs(100.0)), 5),
        History("free", tuple(epochs(0.0, 0.0)), 2),
    ]
    assert whole(after(epochs(100.0), past), 10) == whole(after(epochs(100.0)), 10)


# --- many runs of many kinds ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MIXED, STEADY], ids=["odd", "steady"])
def test_intervals_cover_made_up_runs(kind: object) -> None:
    runs = [training_run(seed, kind) for seed in range(1000, 1150)]  # type: ignore[arg-type]
    online = {"online": lambda _: Online()}
    scores = {s.epochs_seen: s for s in score_histories(runs, (1, 2, 5, 20), online)}
    assert set(scores) == {1, 2, 5, 20}
    for score in scores.values():
        assert score.duration is not None
        assert score.energy.coverage_pct > 75
        assert score.duration.coverage_pct > 75
    assert scores[2].energy.median_pct < 6
    assert scores[20].energy.mape_pct < 4
    widths = [scores[k].energy.width_pct or 0 for k in (20, 2, 1)]
    assert widths == sorted(widths)


def test_errors_are_small_after_a_tenth_of_the_first_epoch() -> None:
    errors, inside = [], []
    for seed in range(1000, 1080):
        history = training_run(seed, STEADY)
        online = after(in_steps(history, seed, 200, 1)[:20])
        truth = sum(w.energy_j for w in history.epochs)
        energy = whole(online, history.planned).energy
        errors.append(abs(energy.value / truth - 1))
        inside.append((energy.low or 0) <= truth <= (energy.high or 0))
    assert np.median(errors) < 0.12
    assert np.mean(inside) > 0.8


def test_set_up_before_the_first_epoch_counts_but_in_no_epoch():
    plain, after_set_up = Online(), Online()
    after_set_up.add(Work(0.0, 300.0, 9000.0))
    for forecaster in (plain, after_set_up):
        for _ in range(3):
            forecaster.add(Work(1.0, 10.0, 1000.0))
    one, other = plain.forecast(20), after_set_up.forecast(20)
    assert other.energy.value == pytest.approx(one.energy.value + 9000)
    assert other.duration.high == pytest.approx(one.duration.high + 300)
    assert Online().forecast(20) is None
