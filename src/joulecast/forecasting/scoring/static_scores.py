"""How accurate static forecasters are on runs that they did not learn from.

Under each split (`splits`) a method learns from some of the runs and forecasts the energy of the
others, and their duration where it can. Methods that learn get a 90 % interval from their errors on
runs that are held out, in turn and by the same split, of those they learn from.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import JoulecastError
from ..base import Prediction
from ..conformal import grouped_half_width
from ..past_run import StaticRun
from .accuracy import Accuracy, LeftOut, Split, StaticEvaluation, StaticScore, Unscored, accuracy
from .splits import Fold, folds, inner, labels
from .static_methods import Learner, StaticMethod, Timed

_ONE = {Split.ARCHITECTURE: "one architecture only", Split.GPU: "one GPU only"}


@dataclass(frozen=True, slots=True)
class _Attempt:
    forecaster: str
    split: Split
    run: StaticRun
    energy: Prediction
    duration: Prediction | None


def score_static(
    runs: Sequence[StaticRun],
    methods: Mapping[str, StaticMethod],
    splits: Sequence[Split] = tuple(Split),
    *,
    source: str = "",
    left_out: Sequence[LeftOut] = (),
    done: Callable[[int], object] = lambda count: None,
) -> StaticEvaluation:
    """Score methods by name under each split; `done` is called with 1 after each fold."""
    usable, unscored = _usable(runs, methods)
    attempts: list[_Attempt] = []
    for split in splits:
        for name, part in usable.items():
            made, why = _attempts(name, methods[name], part, split, done)
            attempts += made
            if why is not None:
                unscored.append(Unscored(name, f"{split}: {why}"))
    groups = sorted({run.group for run in runs if run.group is not None})
    return StaticEvaluation(
        source=source,
        runs=len(runs),
        architectures=len({run.facts.architecture.casefold() for run in runs}),
        gpus=len({run.facts.gpu.casefold() for run in runs}),
        results=_scores(attempts, methods),
        groups={g: _scores([a for a in attempts if a.run.group == g], methods) for g in groups},
        unscored=tuple(unscored),
        left_out=tuple(left_out),
        notes=tuple(_notes(methods, {a.forecaster for a in attempts})),
    )


def count_folds(runs: Sequence[StaticRun], methods: Mapping[str, StaticMethod]) -> int:
    """How many folds `score_static` works through."""
    usable, _ = _usable(runs, methods)
    return sum(len(folds(part, split)) for part in usable.values() for split in Split)


def with_interval(learner: Learner, runs: Sequence[StaticRun], split: Split) -> Learner:
    """The learner with a 90 % interval for runs that are as new to it as the split makes them.

    Each run is forecast by the method fitted to the others: to four fifths of them, or to those of
    other architectures (or GPUs). There is no interval where nothing can be held out.
    """
    names = labels(runs, split)
    errors: dict[str, list[float]] = {}
    for fold in inner(runs, split):
        fitted = learner.again([runs[i] for i in fold.train])
        for i in fold.test:
            error = fitted.error(runs[i])
            if error is not None:
                errors.setdefault(names[i], []).append(error)
    half = grouped_half_width(list(errors.values())) if errors else math.inf
    return learner.with_spread(half if math.isfinite(half) else None)


def _usable(
    runs: Sequence[StaticRun], methods: Mapping[str, StaticMethod]
) -> tuple[dict[str, list[StaticRun]], list[Unscored]]:
    """The runs with all that a method needs, and the methods that lack something."""
    usable, unscored = {}, []
    for name, method in methods.items():
        missing = [(run, method.missing(run.facts)) for run in runs]
        reasons = [why for _, why in missing if why is not None]
        part = [run for run, why in missing if why is None]
        if part:
            usable[name] = part
        if reasons:
            of = f" (for {len(reasons)} of {len(runs)} runs)" if part else ""
            unscored.append(Unscored(name, reasons[0] + of))
    return usable, unscored


def _attempts(
    name: str,
    method: StaticMethod,
    runs: Sequence[StaticRun],
    split: Split,
    done: Callable[[int], object],
) -> tuple[list[_Attempt], str | None]:
    """The forecasts of a method under a split, and why some runs have none."""
    parts = folds(runs, split)
    if not parts:
        return [], f"there is {_ONE.get(split, 'too small a number of runs')}"
    attempts: list[_Attempt] = []
    failure: str | None = None
    for fold in parts:
        try:
            attempts += _fold_attempts(name, method, runs, fold, split)
        except JoulecastError as error:
            failure = str(error)
        done(1)
    without = sum(len(fold.test) for fold in parts) - len(attempts)
    if failure is None and without:
        failure = f"no forecast of {without} runs, which lack facts that the others have"
    return attempts, failure


def _fold_attempts(
    name: str, method: StaticMethod, runs: Sequence[StaticRun], fold: Fold, split: Split
) -> list[_Attempt]:
    train = [runs[i] for i in fold.train]
    fitted = method.fit(train)
    if isinstance(fitted, Learner):
        fitted = with_interval(fitted, train, split)
    attempts = []
    for run in (runs[i] for i in fold.test):
        energy = fitted.predict(run.facts, run.duration_s)
        if energy is not None:
            duration = fitted.duration(run.facts) if isinstance(fitted, Timed) else None
            attempts.append(_Attempt(name, split, run, energy, duration))
    return attempts


def _scores(
    attempts: Sequence[_Attempt], methods: Mapping[str, StaticMethod]
) -> tuple[StaticScore, ...]:
    """Scores by split and method, in the order of their first forecasts."""
    parts: dict[tuple[str, Split], list[_Attempt]] = {}
    for attempt in attempts:
        parts.setdefault((attempt.forecaster, attempt.split), []).append(attempt)
    scores = []
    for (name, split), part in parts.items():
        energy = accuracy([a.energy for a in part], [a.run.energy_j for a in part])
        duration, reason = _duration(part, methods[name])
        scores.append(StaticScore(name, len(part), energy, duration, reason, split=split))
    return tuple(scores)


def _duration(
    attempts: Sequence[_Attempt], method: StaticMethod
) -> tuple[Accuracy | None, str | None]:
    """The accuracy of the durations, or why there is none."""
    durations = [a.duration for a in attempts if a.duration is not None]
    missing = len(attempts) - len(durations)
    if not durations:
        given = method.given_duration
        return None, "it is given the duration" if given else "it forecasts energy only"
    if missing:
        return None, f"no forecast of the duration of {missing} of {len(attempts)} runs"
    return accuracy(durations, [a.run.duration_s for a in attempts]), None


def _notes(methods: Mapping[str, StaticMethod], scored: set[str]) -> list[str]:
    used = {name: method for name, method in methods.items() if name in scored}
    notes = [f"{name}: {method.caveat}" for name, method in used.items() if method.caveat]
    with_duration = [name for name, method in used.items() if method.given_duration]
    if with_duration:
        notes.append(f"given the duration of each run, as published: {', '.join(with_duration)}")
    return notes
