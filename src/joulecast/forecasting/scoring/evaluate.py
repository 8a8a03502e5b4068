"""How good online forecasters are: what they said of runs that are over, against what those cost.

Each run is told to a fresh forecaster epoch by epoch; at some numbers of epochs seen it is asked
for the whole. The whole is what the run did: where it stopped early, or went on past its plan, the
forecaster is asked for the epochs it ran, since what the others would have cost nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..base import Forecast, History, OnlineForecaster, Prediction

Build = Callable[[History], OnlineForecaster | None]
"""Makes the forecaster for a run; None where it cannot. It may read the run's id, not its work."""


@dataclass(frozen=True, slots=True)
class ScoredForecast:
    """What a forecaster said of one run after so many epochs, beside the truth (J, s)."""

    forecaster: str
    run_id: str
    epochs_seen: int
    forecast: Forecast
    energy_j: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors relative to the truth, %; RMSE, kJ; coverage and width of the intervals, %.

    The last two are None where one prediction has no interval.
    """

    mape_pct: float
    median_pct: float
    p90_pct: float
    rmse_kj: float
    coverage_pct: float | None
    width_pct: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """How near a forecaster came, over all runs it spoke of after so many epochs.

    Errors are relative to the truth, in percent; RMSE is in kJ. Coverage is the part of the runs
    whose truth lies within the 90 % interval, width the mean of `(high - low) / truth`; both None
    where the method gives no interval. Of the duration: all None where a run took no time.
    """

    forecaster: str
    epochs_seen: int
    runs: int
    mape_pct: float
    median_pct: float
    p90_pct: float
    rmse_kj: float
    coverage_pct: float | None
    width_pct: float | None
    duration_mape_pct: float | None
    duration_coverage_pct: float | None
    duration_width_pct: float | None


def evaluate(
    histories: Sequence[History], at: Sequence[int], methods: Mapping[str, Build]
) -> list[Score]:
    """The score of each method after each number of epochs in `at`, in that order.

    A run counts at k where it has more than k epochs and `unusable` has nothing against it. There
    is no score where a method spoke of no run.

    >>> from .base import Work
    >>> from .carbontracker import CarbonTracker
    >>> run = History("a", (Work(1, 10, 300), Work(1, 8, 100), Work(1, 8, 100)), 3)
    >>> [s.mape_pct for s in evaluate([run], [1, 2], {"carbontracker": lambda _: CarbonTracker()})]
    [80.0, 20.0]
    """
    return scores(attempts(histories, at, methods))


def attempts(
    histories: Iterable[History],
    at: Sequence[int],
    methods: Mapping[str, Build],
    done: Callable[[], None] = lambda: None,
) -> list[ScoredForecast]:
    """All that the methods said; `done` is called after each run."""
    asked = sorted({k for k in at if k > 0})
    found: list[ScoredForecast] = []
    for history in histories:
        if unusable(history) is None:
            for name, build in methods.items():
                found += _told(name, build(history), history, asked)
        done()
    return found


def unusable(history: History) -> str | None:
    """Why nothing can be scored on a run, or None."""
    if not history.epochs:
        return "it has no epochs"
    if len(history.epochs) == 1:
        return "it has one epoch: nothing is left to forecast"
    energy_j = sum(work.energy_j for work in history.epochs)  # fsum raises where this is infinite
    if not math.isfinite(energy_j):
        return "its energy is not finite"
    if not math.isfinite(sum(work.duration_s for work in history.epochs)):
        return "its duration is not finite"
    if energy_j <= 0:
        return "its energy is zero: an error relative to it has no meaning"
    return None


def _told(
    name: str, forecaster: OnlineForecaster | None, history: History, asked: Sequence[int]
) -> list[ScoredForecast]:
    if forecaster is None:
        return []
    epochs = history.epochs
    planned = math.fsum(work.progress for work in epochs)
    energy_j = math.fsum(work.energy_j for work in epochs)
    duration_s = math.fsum(work.duration_s for work in epochs)
    found, seen = [], 0
    for k in asked:
        if k >= len(epochs):
            break
        for work in epochs[seen:k]:
            forecaster.add(work)
        seen = k
        forecast = forecaster.forecast(planned)
        if forecast is not None:
            found.append(ScoredForecast(name, history.run_id, k, forecast, energy_j, duration_s))
    return found


def scores(found: Iterable[ScoredForecast]) -> list[Score]:
    """Attempts summed up, by epochs seen and then by method in the order of its first attempt."""
    groups: dict[tuple[int, str], list[ScoredForecast]] = {}
    order: dict[str, int] = {}
    for attempt in found:
        order.setdefault(attempt.forecaster, len(order))
        groups.setdefault((attempt.epochs_seen, attempt.forecaster), []).append(attempt)
    keys = sorted(groups, key=lambda key: (key[0], order[key[1]]))
    return [_score(name, seen, groups[seen, name]) for seen, name in keys]


@np.errstate(over="ignore", invalid="ignore")  # of a truth of next to nothing
def accuracy(said: Sequence[Prediction], truth_j: Sequence[float]) -> Accuracy:
    """How near predictions of energies (J) come to the truth; there must be some."""
    truth = np.array(truth_j)
    value = np.array([p.value for p in said])
    error_pct = 100 * np.abs(value - truth) / truth
    coverage_pct, width_pct = _interval(said, truth)
    return Accuracy(
        mape_pct=float(error_pct.mean()),
        median_pct=float(np.median(error_pct)),
        p90_pct=float(np.percentile(error_pct, 90)),
        rmse_kj=float(np.sqrt(np.mean((value - truth) ** 2))) / 1e3,
        coverage_pct=coverage_pct,
        width_pct=width_pct,
    )


@np.errstate(over="ignore", invalid="ignore")
def _score(name: str, seen: int, group: Sequence[ScoredForecast]) -> Score:
    near = accuracy([a.forecast.energy for a in group], [a.energy_j for a in group])
    timed = all(a.duration_s > 0 for a in group)
    lasted = np.array([a.duration_s for a in group])
    length = np.array([a.forecast.duration.value for a in group])
    timing = _interval([a.forecast.duration for a in group], lasted) if timed else (None, None)
    return Score(
        forecaster=name,
        epochs_seen=seen,
        runs=len(group),
        mape_pct=near.mape_pct,
        median_pct=near.median_pct,
        p90_pct=near.p90_pct,
        rmse_kj=near.rmse_kj,
        coverage_pct=near.coverage_pct,
        width_pct=near.width_pct,
        duration_mape_pct=float(np.mean(100 * np.abs(length - lasted) / lasted)) if timed else None,
        duration_coverage_pct=timing[0],
        duration_width_pct=timing[1],
    )


def _interval(
    predictions: Sequence[Prediction], truth: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[float | None, float | None]:
    """Coverage and mean relative width of the intervals, %; None where one run has none."""
    bounds = [(p.low, p.high) for p in predictions if p.low is not None and p.high is not None]
    if len(bounds) != len(predictions):
        return None, None
    low, high = np.array(bounds).T
    inside = (low <= truth) & (truth <= high)
    return float(100 * inside.mean()), float(100 * ((high - low) / truth).mean())
