"""Many runs against every method: the scores, and what could not be scored and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ..base import History, OnlineForecaster
from .evaluate import Score, ScoredForecast, attempts, scores, unusable
from .methods import METHODS, Known, Method


@dataclass(frozen=True, slots=True)
class Subject:
    """A run that is over, what was known of it before, and its group if there is one."""

    history: History
    known: Known
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """What an evaluation found.

    `skipped` names methods that all or some of the runs were forecast without, `left_out` runs
    that say nothing of any, both with the reason. `groups` has the scores of each group of runs.
    """

    runs: int
    epochs: int
    results: tuple[Score, ...]
    groups: Mapping[str, tuple[Score, ...]]
    skipped: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; a figure that is not finite is null."""
        return {
            "results": [_score_json(score) for score in self.results],
            "runs": self.runs,
            "skipped": [{"forecaster": name, "reason": why} for name, why in self.skipped],
            "left_out": [{"run_id": run_id, "reason": why} for run_id, why in self.left_out],
            "notes": list(self.notes),
            "groups": [
                {"group": group, "results": [_score_json(score) for score in found]}
                for group, found in self.groups.items()
            ],
        }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in asdict(score).items()
    }


def score_all(
    subjects: Sequence[Subject],
    at: Sequence[int],
    names: Sequence[str] = tuple(METHODS),
    done: Callable[[], None] = lambda: None,
) -> Scoreboard:
    """Every method in `names` on every run, after each number of epochs in `at`.

    `done` is called after each run.
    """
    reasons = [(s.history.run_id, unusable(s.history)) for s in subjects]
    usable = [s for s, (_, why) in zip(subjects, reasons, strict=True) if why is None]
    methods = {name: METHODS[name] for name in names}
    found: list[tuple[str | None, ScoredForecast]] = []
    for subject in usable:
        builds = {name: partial(_build, method, subject.known) for name, method in methods.items()}
        found += [(subject.group, a) for a in attempts([subject.history], at, builds)]
        done()
    groups = sorted({s.group for s in usable if s.group is not None})
    return Scoreboard(
        runs=len(usable),
        epochs=sum(len(s.history.epochs) for s in usable),
        results=tuple(scores(a for _, a in found)),
        groups={g: tuple(scores(a for group, a in found if group == g)) for g in groups},
        skipped=tuple(_skipped(methods, usable, {a.forecaster for _, a in found})),
        left_out=tuple((run_id, why) for run_id, why in reasons if why is not None),
        notes=tuple(_notes(usable)),
    )


def _build(method: Method, known: Known, _: History) -> OnlineForecaster | None:
    return method.build(known) if method.lacks(known) is None else None


def _skipped(
    methods: Mapping[str, Method], subjects: Sequence[Subject], spoke: set[str]
) -> list[tuple[str, str]]:
    """Methods that were not tried, or not on all runs, or had nothing to say; and why."""
    found = []
    for name, method in methods.items():
        lacks = [why for s in subjects if (why := method.lacks(s.known)) is not None]
        if lacks and len(lacks) == len(subjects):
            found.append((name, lacks[0]))
        elif lacks:
            found.append((name, f"{lacks[0]} for {len(lacks)} of {len(subjects)} runs"))
        elif subjects and name not in spoke:
            why = method.silent or "no run has more epochs than were to be seen"
            found.append((name, why))
    return found


def _notes(subjects: Sequence[Subject]) -> list[str]:
    other = sum(s.history.planned != len(s.history.epochs) for s in subjects)
    if not other:
        return []
    which = f"{other} of {len(subjects)} runs did not run the epochs they planned"
    return [f"{which}: forecast and truth are of the epochs they ran"]
