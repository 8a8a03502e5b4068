"""The time at which power becomes stable, by stumpy's FLUSS, on made-up and measured traces."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from joulecast.analysis.power.stabilize import stabilizing_time
from joulecast.forecasting.base import Work
from joulecast.forecasting.literature.step_fluss import StepEnergyFluss

pytest.importorskip("stumpy", reason="stumpy is not installed: joulecast[analysis]")

TRACES = Path(__file__).parents[2].parent / "shared" / "data" / "seaa" / "power_1hz.csv.gz"


def trace(change: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Loading of data until `change`, then training with another level and another period."""
    rng = np.random.default_rng(seed)
    t = np.arange(count, dtype=float)
    slow = 100 + 8 * np.sin(2 * np.pi * t / 23)
    quick = 300 + 15 * np.sign(np.sin(2 * np.pi * t / 7))
    return t, np.where(t < change, slow, quick) + rng.normal(0, 1, count)


@pytest.mark.parametrize("change", [60, 150, 300])
def test_the_stabilizing_time_is_the_change_of_regime(change: int) -> None:
    stable_s = stabilizing_time(*trace(change, 600))
    assert stable_s == pytest.approx(change, abs=25)


def test_a_forecast_from_the_stabilizing_time() -> None:
    _, power_w = trace(100, 400)
    forecaster = StepEnergyFluss()
    for watts in power_w:  # an epoch takes 20 s
        forecaster.add(Work(1 / 20, 1.0, float(watts)))
    forecast = forecaster.forecast(100)
    assert forecast is not None
    assert forecast.energy.value == pytest.approx(power_w.sum() + 80 * 20 * 300, rel=0.02)


@pytest.mark.skipif(not TRACES.is_file(), reason="../shared/data/seaa is absent")
def test_power_of_measured_traces_is_stable_after_the_stabilizing_time() -> None:
    """MobileNetV2 on an RTX 3090: the first epochs draw a fifth less than all that follow."""
    runs: dict[str, list[tuple[float, float]]] = {}
    with gzip.open(TRACES, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["env"], row["arch"]) != ("cloud", "mobilenet_v2") or len(runs) > 5:
                break
            runs.setdefault(row["run_ts"], []).append((float(row["t_s"]), float(row["power_W"])))
    assert len(runs) >= 5
    for rows in list(runs.values())[:5]:
        t, power_w = np.array(rows).T
        stable_s = stabilizing_time(t, power_w)
        assert stable_s is not None
        before, after = power_w[t < stable_s], power_w[t >= stable_s]
        window = after[:100].mean()
        assert abs(window - after.mean()) < 0.1 * after.mean()
        assert before.mean() < 0.9 * after.mean()
