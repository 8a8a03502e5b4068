"""How good static forecasters are: what they say of runs that they did not learn from.

Under each split (`splits`) a method learns from some of the runs and is asked for the energy, and
where it forecasts one the duration, of the others. Those that learn get a 90 % interval from the
errors they make on runs held out, in turn, of those they learn from, left out in the same way: on
architectures or GPUs that are new to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...errors import JoulecastError
from ..base import Prediction
from ..past_run import StaticRun
from .evaluate import Accuracy, accuracy
from .held_out import with_interval
from .splits import Fold, Split, folds
from .static_methods import Clocked, Learner, StaticMethod

TARGET = "energy"


@dataclass(frozen=True, slots=True)
class Timing:
    """Errors of durations relative to the truth, coverage and width of their intervals, %.

    The last two are None where one prediction has no interval.
    """

    mape_pct: float
    median_pct: float
    p90_pct: float
    coverage_pct: float | None
    width_pct: float | None


@dataclass(frozen=True, slots=True)
class StaticScore:
    """How near a method came under a split. `runs` counts forecasts: a run drawn twice, twice.

    `timing` is how near its durations came; None where it forecasts none, for the reason in
    `no_timing`.
    """

    forecaster: str
    split: Split
    runs: int
    accuracy: Accuracy
    timing: Timing | None = None
    no_timing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; a figure that is not finite is null."""
        figures: dict[str, float | None] = asdict(self.accuracy)
        for field in fields(Timing):
            value = None if self.timing is None else getattr(self.timing, field.name)
            figures[f"duration_{field.name}"] = value
        plain = {k: v if v is None or math.isfinite(v) else None for k, v in figures.items()}
        head = {"forecaster": self.forecaster, "split": str(self.split), "target": TARGET}
        return head | {"runs": self.runs} | plain | {"duration_reason": self.no_timing}


@dataclass(frozen=True, slots=True)
class StaticBoard:
    """What an evaluation found.

    `skipped` has methods or splits without a score, `left_out` runs not used, each with the reason.
    """

    runs: int
    architectures: int
    gpus: int
    results: tuple[StaticScore, ...]
    groups: Mapping[str, tuple[StaticScore, ...]]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "results": [score.to_json() for score in self.results],
            "runs": self.runs,
            "skipped": [{"forecaster": name, "reason": why} for name, why in self.skipped],
            "left_out": [{"run_id": run_id, "reason": why} for run_id, why in self.left_out],
            "notes": list(self.notes),
            "groups": [
                {"group": group, "results": [score.to_json() for score in found]}
                for group, found in self.groups.items()
            ],
        }


@dataclass(frozen=True, slots=True)
class _Said:
    forecaster: str
    split: Split
    run: StaticRun
    prediction: Prediction
    duration: Prediction | None


def evaluate_static(
    runs: Sequence[StaticRun],
    methods: Mapping[str, StaticMethod],
    splits: Sequence[Split] = tuple(Split),
    *,
    seed: int = 0,
    done: Callable[[], None] = lambda: None,
) -> StaticBoard:
    """Every method under every split; `done` is called after each fold of each (`work`)."""
    usable, skipped = _usable(runs, methods)
    said: list[_Said] = []
    for split in splits:
        for name, part in usable.items():
            found, why = _told(name, methods[name], part, split, seed, done)
            said += found
            if why is not None:
                skipped.append((name, why))
    unclocked = {name: method.unclocked for name, method in methods.items()}
    groups = sorted({run.group for run in runs if run.group is not None})
    return StaticBoard(
        runs=len(runs),
        architectures=len({run.facts.architecture.casefold() for run in runs}),
        gpus=len({run.facts.gpu.casefold() for run in runs}),
        results=_scores(said, unclocked),
        groups={g: _scores([s for s in said if s.run.group == g], unclocked) for g in groups},
        skipped=tuple(skipped),
        notes=tuple(_notes(methods, {s.forecaster for s in said})),
    )


def work(
    runs: Sequence[StaticRun],
    methods: Mapping[str, StaticMethod],
    splits: Sequence[Split] = tuple(Split),
) -> int:
    """How many folds there are in all."""
    usable, _ = _usable(runs, methods)
    return sum(len(folds(part, split)) for part in usable.values() for split in splits)


def _usable(
    runs: Sequence[StaticRun], methods: Mapping[str, StaticMethod]
) -> tuple[dict[str, list[StaticRun]], list[tuple[str, str]]]:
    """The runs that each method has all it needs of; those it has not are told."""
    usable, skipped = {}, []
    for name, method in methods.items():
        lacks = [(run, method.lacks(run.facts)) for run in runs]
        reasons = [why for _, why in lacks if why is not None]
        usable[name] = [run for run, why in lacks if why is None]
        if reasons:
            of = "" if len(reasons) == len(runs) else f" for {len(reasons)} of {len(runs)} runs"
            skipped.append((name, reasons[0] + of))
    return {name: part for name, part in usable.items() if part}, skipped


def _told(
    name: str,
    method: StaticMethod,
    runs: Sequence[StaticRun],
    split: Split,
    seed: int,
    done: Callable[[], None],
) -> tuple[list[_Said], str | None]:
    """What a method says under a split, and why it says nothing of some runs."""
    parts = folds(runs, split, seed)
    if not parts:
        what = {Split.ARCHITECTURE: "one architecture", Split.GPU: "one GPU"}
        return [], f"{split}: there is {what.get(split, 'too few runs')} only"
    said: list[_Said] = []
    failed: str | None = None
    for fold in parts:
        try:
            said += _fold(name, method, runs, fold, split, seed)
        except JoulecastError as error:
            failed = f"{split}: {error}"
        done()
    silent = sum(len(fold.test) for fold in parts) - len(said)
    if failed is None and silent:
        failed = f"{split}: it says nothing of {silent} runs, of which it lacks what others have"
    return said, failed


def _fold(
    name: str,
    method: StaticMethod,
    runs: Sequence[StaticRun],
    fold: Fold,
    split: Split,
    seed: int,
) -> list[_Said]:
    train = [runs[i] for i in fold.train]
    fitted = method.fit(train)
    if isinstance(fitted, Learner):
        fitted = with_interval(fitted, train, split, seed)
    found = []
    for run in (runs[i] for i in fold.test):
        prediction = fitted.predict(run.facts, run.duration_s)
        if prediction is not None:
            duration = fitted.duration(run.facts) if isinstance(fitted, Clocked) else None
            found.append(_Said(name, split, run, prediction, duration))
    return found


def _scores(said: Sequence[_Said], unclocked: Mapping[str, str]) -> tuple[StaticScore, ...]:
    """Summed up by split and method, in the order of their first forecasts.

    `unclocked` says of each method why it has no durations, if it has none.
    """
    parts: dict[tuple[str, Split], list[_Said]] = {}
    for one in said:
        parts.setdefault((one.forecaster, one.split), []).append(one)
    return tuple(
        StaticScore(
            name,
            split,
            len(part),
            accuracy([s.prediction for s in part], [s.run.energy_j for s in part]),
            *_timing(part, unclocked[name]),
        )
        for (name, split), part in parts.items()
    )


def _timing(said: Sequence[_Said], unclocked: str) -> tuple[Timing | None, str | None]:
    """How near the durations came, or why that cannot be said."""
    known = [s.duration for s in said if s.duration is not None]
    if not known:
        return None, unclocked
    if len(known) < len(said):
        return None, f"it says nothing of the time of {len(said) - len(known)} of {len(said)} runs"
    near = accuracy(known, [s.run.duration_s for s in said])
    return Timing(*(getattr(near, field.name) for field in fields(Timing))), None


def _notes(methods: Mapping[str, StaticMethod], spoke: set[str]) -> list[str]:
    spoken = {name: method for name, method in methods.items() if name in spoke}
    timed = [name for name, method in spoken.items() if method.timed]
    notes = [f"{name}: {method.caveat}" for name, method in spoken.items() if method.caveat]
    if timed:
        notes.append(f"told how long each run took, as published: {', '.join(timed)}")
    return notes
