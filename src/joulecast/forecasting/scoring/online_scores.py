"""How accurate online forecasters are on finished runs.

Each run is given to a new forecaster epoch by epoch; after some numbers of epochs the forecaster
forecasts the whole run. The truth is what the run did: where it stopped early, or ran longer than
planned, the forecast is for the epochs that it ran, because the cost of the others is unknown.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..base import Forecast, History, OnlineForecaster
from .accuracy import LeftOut, OnlineEvaluation, OnlineScore, Unscored, accuracy
from .online_methods import METHODS, OnlineMethod, RunContext

Build = Callable[[History], OnlineForecaster | None]
"""Makes the forecaster for a run, or None where it cannot. It must not read the run's epochs."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A finished run, what was known of it before it started, and its group if it has one."""

    history: History
    context: RunContext
    group: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredForecast:
    """The forecast of one run after `epochs_seen` epochs, and the truth (J, s)."""

    forecaster: str
    epochs_seen: int
    forecast: Forecast
    energy_j: float
    duration_s: float


def score_online(
    subjects: Sequence[Subject],
    at: Sequence[int],
    names: Sequence[str] = tuple(METHODS),
    *,
    source: str = "",
    left_out: Sequence[LeftOut] = (),
    notes: Sequence[str] = (),
    done: Callable[[int], object] = lambda count: None,
) -> OnlineEvaluation:
    """Score forecasters on finished runs.

    Args:
        subjects: the runs.
        at: numbers of epochs after which the whole run is forecast.
        names: of forecasters in `METHODS`.
        source: of the runs, for the result.
        left_out: runs that are already left out.
        notes: on the runs.
        done: called with 1 after each run.
    """
    usable, unusable_runs = [], []
    for subject in subjects:
        reason = unusable(subject.history)
        if reason is None:
            usable.append(subject)
        else:
            unusable_runs.append(LeftOut(subject.history.run_id, reason))
    methods = {name: METHODS[name] for name in names}
    scored: list[ScoredForecast] = []
    by_group: dict[str, list[ScoredForecast]] = {s.group: [] for s in usable if s.group is not None}
    for subject in usable:
        able = {n: m for n, m in methods.items() if m.missing(subject.context) is None}
        forecasters = {name: method.build(subject.context) for name, method in able.items()}
        made = forecasts(subject.history, at, forecasters)
        scored += made
        if subject.group is not None:
            by_group[subject.group] += made
        done(1)
    return OnlineEvaluation(
        source=source,
        runs=len(usable),
        epochs=sum(len(s.history.epochs) for s in usable),
        results=scores(scored),
        groups={group: scores(by_group[group]) for group in sorted(by_group)},
        unscored=tuple(_unscored(methods, usable, {f.forecaster for f in scored})),
        left_out=(*left_out, *unusable_runs),
        notes=(*notes, *_plan_notes(usable)),
    )


def unusable(history: History) -> str | None:
    """Why a run cannot be used to score forecasts; None where it can."""
    if not history.epochs:
        return "it has no epochs"
    if len(history.epochs) == 1:
        return "it has one epoch: nothing remains to forecast"
    # Not fsum, which raises an error where the sum is infinite.
    energy_j = sum(work.energy_j for work in history.epochs)
    if not math.isfinite(energy_j):
        return "its energy is not finite"
    if not math.isfinite(sum(work.duration_s for work in history.epochs)):
        return "its duration is not finite"
    if energy_j <= 0:
        return "its energy is zero: an error relative to it has no meaning"
    return None


def forecasts(
    history: History, at: Iterable[int], forecasters: Mapping[str, OnlineForecaster]
) -> list[ScoredForecast]:
    """The forecasts of one run, at each number of epochs in `at` below its number of epochs."""
    epochs = history.epochs
    energy_j = math.fsum(work.energy_j for work in epochs)
    duration_s = math.fsum(work.duration_s for work in epochs)
    planned = math.fsum(work.progress for work in epochs)
    asked = sorted({k for k in at if 0 < k < len(epochs)})
    scored = []
    for name, forecaster in forecasters.items():
        learned = 0
        for k in asked:
            for work in epochs[learned:k]:
                forecaster.add(work)
            learned = k
            forecast = forecaster.forecast(planned)
            if forecast is not None:
                scored.append(ScoredForecast(name, k, forecast, energy_j, duration_s))
    return scored


def score_histories(
    histories: Iterable[History], at: Sequence[int], builds: Mapping[str, Build]
) -> tuple[OnlineScore, ...]:
    """The scores of any forecasters on the usable runs; `builds` makes one for each run."""
    scored: list[ScoredForecast] = []
    for history in histories:
        if unusable(history) is None:
            built = {name: build(history) for name, build in builds.items()}
            usable = {name: f for name, f in built.items() if f is not None}
            scored += forecasts(history, at, usable)
    return scores(scored)


def scores(scored: Iterable[ScoredForecast]) -> tuple[OnlineScore, ...]:
    """Scores by epochs seen, and then by forecaster in the order of their first forecasts."""
    groups: dict[tuple[int, str], list[ScoredForecast]] = {}
    order: dict[str, int] = {}
    for forecast in scored:
        order.setdefault(forecast.forecaster, len(order))
        groups.setdefault((forecast.epochs_seen, forecast.forecaster), []).append(forecast)
    keys = sorted(groups, key=lambda key: (key[0], order[key[1]]))
    return tuple(_score(name, seen, groups[seen, name]) for seen, name in keys)


def _score(name: str, seen: int, group: Sequence[ScoredForecast]) -> OnlineScore:
    timed = all(f.duration_s > 0 for f in group)
    return OnlineScore(
        forecaster=name,
        epochs_seen=seen,
        runs=len(group),
        energy=accuracy([f.forecast.energy for f in group], [f.energy_j for f in group]),
        duration=accuracy([f.forecast.duration for f in group], [f.duration_s for f in group])
        if timed
        else None,
        duration_reason=None if timed else "a run has no duration",
    )


def _unscored(
    methods: Mapping[str, OnlineMethod], subjects: Sequence[Subject], scored: set[str]
) -> list[Unscored]:
    """Forecasters that could not be built for some runs, or made no forecast, and why."""
    unscored = []
    for name, method in methods.items():
        missing = [why for s in subjects if (why := method.missing(s.context)) is not None]
        if missing:
            part = f" (for {len(missing)} of {len(subjects)} runs)"
            reason = missing[0] + (part if len(missing) < len(subjects) else "")
            unscored.append(Unscored(name, reason))
        elif subjects and name not in scored:
            reason = method.waits or "no run is longer than the smallest number of epochs of --at"
            unscored.append(Unscored(name, reason))
    return unscored


def _plan_notes(subjects: Sequence[Subject]) -> list[str]:
    other = sum(s.history.planned != len(s.history.epochs) for s in subjects)
    if not other:
        return []
    part = f"{other} of {len(subjects)} runs"
    return [f"{part} did not run the epochs they planned: truth and forecast are of those they ran"]
