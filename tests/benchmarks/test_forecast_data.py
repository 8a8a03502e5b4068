"""The online forecaster on measured runs: what the issue asks of it, and where it must not hide.

Its constants for whole epochs were not chosen on them (docs/methods/online-forecast.md).
"""

from __future__ import annotations

import csv
import gzip
import json
import statistics
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from joulecast.forecasting.base import History, Work
from joulecast.forecasting.online.forecaster import Online
from joulecast.forecasting.scoring.accuracy import OnlineScore
from joulecast.forecasting.scoring.epochs_csv import EpochRun, read_epochs
from joulecast.forecasting.scoring.online_scores import Build, score_histories

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from forecast_data import ONE_LINERS, OneLine

DATA = Path(__file__).parents[3] / "shared/data"
EPOCHS = DATA / "mlperf_training/epochs.csv"
TRACES = DATA / "seaa/power_1hz.csv.gz"

needs_epochs = pytest.mark.skipif(not EPOCHS.exists(), reason=f"no shared data at {EPOCHS}")
needs_traces = pytest.mark.skipif(not TRACES.exists(), reason=f"no shared data at {TRACES}")


@pytest.fixture(scope="module")
def subjects() -> list[EpochRun]:
    return read_epochs(EPOCHS, by=["workload"])


@pytest.fixture(scope="module")
def scores(subjects: list[EpochRun]) -> dict[tuple[str, int], OnlineScore]:
    builds: dict[str, Build] = {
        "online": lambda _: Online(),
        **{name: (lambda _, f=f: OneLine(f)) for name, f in ONE_LINERS.items()},
    }
    results = score_histories([s.history for s in subjects], (1, 2, 3, 5, 10, 15, 30), builds)
    return {(s.forecaster, s.epochs_seen): s for s in results}


@needs_epochs
@pytest.mark.parametrize("seen", [2, 3, 5, 10, 15, 30])
def test_it_is_not_behind_the_better_rule_of_one_line(
    scores: dict[tuple[str, int], OnlineScore], seen: int
) -> None:
    best = min(scores[rule, seen].energy.mape_pct for rule in ONE_LINERS)
    assert scores["online", seen].energy.mape_pct < 1.1 * best


@needs_epochs
@pytest.mark.parametrize("seen", [1, 2, 3, 5])
def test_intervals_cover_measured_runs(
    scores: dict[tuple[str, int], OnlineScore], seen: int
) -> None:
    energy = scores["online", seen].energy
    assert energy.coverage_pct is not None
    assert energy.width_pct is not None
    assert energy.coverage_pct >= 85
    assert energy.width_pct < (150 if seen == 1 else 60)


@needs_epochs
def test_past_runs_correct_the_first_epoch(subjects: list[EpochRun]) -> None:
    """The first epoch of this fine-tuning is 3.5 times as long; a past run shows it."""
    runs = [s.history for s in subjects if s.group == "llama2_70b_lora"]

    def learned(history: History) -> Online:
        return Online([r for r in runs if r.run_id != history.run_id])

    (alone,) = score_histories(runs, [1], {"online": lambda _: Online()})
    (taught,) = score_histories(runs, [1], {"online": learned})
    assert alone.energy.mape_pct > 100
    assert taught.energy.mape_pct < 5


@needs_epochs
def test_the_command_prints_the_same_scores(scores: dict[tuple[str, int], OnlineScore]) -> None:
    command = [sys.executable, "-m", "joulecast", "evaluate", str(EPOCHS), "--json", "--at", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    (row,) = [r for r in json.loads(done.stdout)["results"] if r["forecaster"] == "online"]
    assert row["energy"]["mape_pct"] == pytest.approx(scores["online", 2].energy.mape_pct)
    assert row["runs"] == 100


@needs_traces
def test_power_traces_halve_the_error_of_the_mean_so_far() -> None:
    with gzip.open(TRACES, "rt", newline="") as file:
        rows = groupby(csv.DictReader(file), key=lambda r: (r["env"], r["arch"], r["run_ts"]))
        traces = [np.array([float(r["power_W"]) for r in group]) for _, group in rows][::5]
    ours: dict[float, list[float]] = {0.02: [], 0.05: [], 0.1: []}
    mean: dict[float, list[float]] = {0.02: [], 0.05: [], 0.1: []}
    inside = []
    for power in traces:
        count, truth = len(power), float(power.sum())
        at = {round(f * count): f for f in ours}
        online = Online()
        for i, watts in enumerate(power[: max(at)], 1):
            online.add(Work(1 / count, 1.0, float(watts)))
            if i in at:
                forecast = online.forecast(1.0)
                assert forecast is not None
                energy = forecast.energy
                ours[at[i]].append(abs(energy.value / truth - 1))
                mean[at[i]].append(abs(float(power[:i].mean()) * count / truth - 1))
                inside.append((energy.low or 0) <= truth <= (energy.high or 0))
    for fraction, errors in ours.items():
        assert statistics.mean(errors) < statistics.mean(mean[fraction]) / 1.75
    assert 0.85 <= statistics.mean(inside) <= 1


def test_the_benchmark_runs_and_names_its_targets(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks/forecast.py"
    out = tmp_path / "figures.json"
    command = [sys.executable, str(script), "--quick", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    figures = {f["name"]: f for f in json.loads(out.read_text())["figures"]}
    assert figures["one update of the forecast, 10,000 steps seen"]["below"] == 1.0
    if EPOCHS.exists():
        figure = figures["MLPerf, 2 epochs seen: error"]
        assert figure["reached"] is not None
        assert figure["below"] is not None
        assert "median of later" in figure["note"]
    else:
        assert "skipped" in figures["MLPerf"]["note"]
