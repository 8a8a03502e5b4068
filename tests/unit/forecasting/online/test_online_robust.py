"""The online forecaster on any input: it never fails, and its forecasts are sound."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.forecasting.base import NOTHING, Forecast, History, Prediction, Work
from joulecast.forecasting.online.forecaster import Online

ANY = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
SOME = st.one_of(st.just(0.0), st.just(1.0), st.floats(1e-6, 1e6))
PROGRESS = st.one_of(st.just(0.0), st.just(1.0), st.floats(1e-4, 0.1), st.floats(0, 1e4))
WORK = st.builds(Work, PROGRESS, SOME, SOME)
WILD = st.builds(Work, ANY, ANY, ANY)
PLANNED = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1e4))


def sound(prediction: Prediction, so_far: float) -> None:
    low, high = prediction.low, prediction.high
    assert low is not None
    assert high is not None
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low <= prediction.value <= high
    assert low >= so_far * (1 - 1e-12)


def after(works: list[Work], past: list[History] | None = None) -> Online:
    online = Online(past or [])
    for work in works:
        online.add(work)
    return online


def checked(online: Online, works: list[Work], planned: float, pending: Work) -> Forecast | None:
    forecast = online.forecast(planned, pending)
    if forecast is not None:
        sound(forecast.energy, math.fsum(w.energy_j for w in [*works, pending]))
        sound(forecast.duration, math.fsum(w.duration_s for w in [*works, pending]))
    return forecast


@given(st.lists(WORK, max_size=60), PLANNED, st.one_of(st.just(NOTHING), WORK))
def test_sound_after_every_work(works: list[Work], planned: float, pending: Work) -> None:
    online = Online()
    for i, work in enumerate(works):
        online.add(work)
        checked(online, works[: i + 1], planned, pending)
    if sum(w.progress for w in works) > 0:
        assert online.forecast(planned, pending) is not None


@given(st.lists(WILD, max_size=12), ANY, WILD)
def test_finite_on_the_largest_and_smallest_numbers(
    works: list[Work], planned: float, pending: Work
) -> None:
    forecast = after(works).forecast(planned, pending)
    if forecast is not None:
        for prediction in (forecast.energy, forecast.duration):
            sound(prediction, 0.0)


@given(st.lists(WORK, min_size=1, max_size=20), st.lists(st.lists(WORK, max_size=6), max_size=4))
def test_any_past_runs_are_accepted(works: list[Work], runs: list[list[Work]]) -> None:
    past = [History(str(i), tuple(epochs), len(epochs)) for i, epochs in enumerate(runs)]
    checked(after(works, past), works, 10.0, NOTHING)


@settings(max_examples=30)
@given(st.integers(150, 700), st.floats(1e-3, 0.1))
def test_a_steady_run_is_forecast_within_five_percent(count: int, size: float) -> None:
    works = [Work(size, 2 * size, 100 * size)] * count
    forecast = checked(after(works), works, count * size * 1.5, NOTHING)
    assert forecast is not None
    truth = 150 * size * count
    assert abs(forecast.energy.value - truth) < 0.05 * truth
    assert forecast.energy.low is not None
    assert forecast.energy.low <= truth <= (forecast.energy.high or 0)
