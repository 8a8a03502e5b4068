"""Runs to forecast: MLPerf's epochs, power traces at 1 Hz, and made-up runs."""

from __future__ import annotations

import csv
import gzip
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from harness import ROOT, SHARED_DATA
from joulecast.forecasting.base import (
    NOTHING,
    Forecast,
    History,
    OnlineForecaster,
    Prediction,
    Work,
)
from joulecast.forecasting.online.forecaster import Online
from joulecast.forecasting.scoring.epochs_csv import EpochRun, read_epochs

sys.path.append(str(ROOT / "tests"))
from fakes.training_runs import MIXED, STEADY, Kind, in_steps, training_run  # noqa: F401

EPOCHS = SHARED_DATA / "mlperf_training" / "epochs.csv"
CELLS = SHARED_DATA / "ecnas" / "ecnas_results.csv"
TRACES = SHARED_DATA / "seaa" / "power_1hz.csv.gz"
EPOCHS_MISSING = "skipped: ../shared/data/mlperf_training is absent"
CELLS_MISSING = "skipped: ../shared/data/ecnas is absent"
TRACES_MISSING = "skipped: ../shared/data/seaa is absent"
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2)


class OneLine(OnlineForecaster):
    """Energy so far, and a figure of all epochs but the first for each remaining one."""

    name = "one line"

    def __init__(self, figure: Callable[..., Any]) -> None:
        self._figure = figure
        self._epochs: list[Work] = []

    def add(self, work: Work) -> None:
        """Add the work of one epoch."""
        self._epochs.append(work)

    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """The forecast of the whole run; None before the second epoch."""
        if len(self._epochs) < 2:
            return None
        remaining = planned - len(self._epochs)
        rows = np.array([(w.energy_j, w.duration_s) for w in self._epochs])
        energy, duration = rows.sum(axis=0) + remaining * self._figure(rows[1:], axis=0)
        return Forecast(Prediction(float(energy)), Prediction(float(duration)))


ONE_LINERS = {"mean of later": np.mean, "median of later": np.median}
KINDS = (
    *("no noise", "noise 5 %", "noise 20 %", "first epoch 1.3 times", "first epoch 20 times"),
    *("rise of 1 % an epoch", "fall of 1 % an epoch", "every 5th twice as long"),
    *("every 2nd 1.5 times", "30 % more from half on", "30 % less from half on"),
    "one of the first five 5 times as long",
)


def series(kind: str, seed: int) -> History:
    """A made-up run of 20 to 100 epochs of 5 to 300 s, with noise of 0.3 % unless said."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    n = int(rng.integers(20, 101))
    usual_s, watts = np.exp(rng.uniform(np.log((5.0, 20.0)), np.log((300.0, 5000.0))))
    epoch, shape = np.arange(n), np.ones(n)
    if kind.startswith("first epoch"):
        shape[0] = float(kind.split()[2])
    elif kind.endswith("an epoch"):
        shape = (1.01 if kind.startswith("rise") else 0.99) ** epoch
    elif kind.startswith("every 5th"):
        shape[4::5] = 2
    elif kind.startswith("every 2nd"):
        shape[1::2] = 1.5
    elif kind.startswith("30 %"):
        shape[n // 2 :] = 1.3 if "more" in kind else 1 / 1.3
    elif kind.startswith("one of"):
        shape[rng.integers(0, 5)] = 5
    noise = {"no noise": 0.0, "noise 5 %": 0.05, "noise 20 %": 0.2}.get(kind, 0.003)
    duration, energy = (
        unit * shape * np.maximum(0.05, 1 + noise * rng.standard_normal(n))
        for unit in (usual_s, usual_s * watts)
    )
    works = (Work(1.0, float(t), float(e)) for t, e in zip(duration, energy, strict=True))
    return History(f"{kind} {seed}", tuple(works), n)


def mlperf(every: int = 1) -> list[EpochRun]:
    """The runs (or every n-th), grouped by workload."""
    return read_epochs(EPOCHS, by=["workload"])[::every]


@dataclass(frozen=True, slots=True)
class Trace:
    """Watts of one run, one reading a second."""

    environment: str
    power: np.ndarray[tuple[int], np.dtype[np.float64]]


def traces(every: int = 1) -> list[Trace]:
    """The runs (or every n-th) of the 1 Hz power log."""
    with gzip.open(TRACES, "rt", newline="") as file:
        rows = csv.DictReader(file)
        runs = groupby(rows, key=lambda r: (r["env"], r["arch"], r["run_ts"]))
        logged = [Trace(k[0], np.array([float(r["power_W"]) for r in g])) for k, g in runs]
    return logged[::every]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A forecast of one run's energy after a fraction of it, and the truth, J."""

    fraction: float
    predicted: Prediction
    mean_so_far: float
    truth: float

    @property
    def error(self) -> float:
        """Absolute error relative to the truth."""
        return abs(self.predicted.value / self.truth - 1)

    @property
    def error_of_mean(self) -> float:
        """The same for the mean power so far times the duration."""
        return abs(self.mean_so_far / self.truth - 1)

    @property
    def inside(self) -> bool:
        """Whether the truth lies in the interval."""
        return (self.predicted.low or 0) <= self.truth <= (self.predicted.high or math.inf)

    @property
    def width(self) -> float:
        """Width of the interval, relative to the truth."""
        return ((self.predicted.high or math.inf) - (self.predicted.low or 0)) / self.truth


def watched(trace: Trace) -> Iterator[Attempt]:
    """Forecasts of a trace, second by second; the forecaster is given only the fraction done."""
    power = trace.power
    count, truth = len(power), float(power.sum())
    marks = {max(1, round(count * f)): f for f in FRACTIONS}
    online = Online()
    for i in range(max(marks)):
        online.add(Work(1 / count, 1.0, float(power[i])))
        if i + 1 in marks:
            forecast = online.forecast(1.0)
            assert forecast is not None
            mean = float(power[: i + 1].mean()) * count
            yield Attempt(marks[i + 1], forecast.energy, mean, truth)


def made_up(kind: Kind, count: int) -> list[History]:
    """Runs of one family, the same ones each time."""
    return [training_run(seed, kind) for seed in range(count)]


def in_epochs(trace: Trace, count: int) -> History:
    """A trace cut into epochs of equal length, because it has no epoch marks."""
    at = np.linspace(0, len(trace.power), count + 1).astype(int)
    joules = np.diff(np.concatenate([[0.0], np.cumsum(trace.power)])[at])
    works = (Work(1.0, float(t), float(e)) for t, e in zip(np.diff(at), joules, strict=True))
    return History(f"{trace.environment} in {count}", tuple(works), count)


def cells() -> list[History]:
    """Networks trained once for one epoch and once for four (EC-NAS, space 4V9E).

    As one run with the first epoch and the sum of the three later ones.
    """
    trainings: dict[tuple[str, str], dict[float, Work]] = {}
    with CELLS.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["space"] == "4V9E" and float(row["epochs"]) > 0:
                joules = 3.6e6 * float(row["energy_kWh"])
                work = Work(float(row["epochs"]), float(row["training_time_s"]), joules)
                trainings.setdefault((row["arch_hash"], row["repeat"]), {})[work.progress] = work
    runs = []
    for (name, _), by_epochs in trainings.items():
        if 1.0 in by_epochs and 4.0 in by_epochs:
            one, four = by_epochs[1.0], by_epochs[4.0]
            later = Work(3.0, four.duration_s - one.duration_s, four.energy_j - one.energy_j)
            runs.append(History(name, (one, later), 4))
    return runs
