"""Recorded power traces of real trainings, replayed: the energy is that of the trace."""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from joulecast.meters.replay import ReplayMeter
from joulecast.recording.integrate import energy_between
from joulecast.recording.sampler import Sampler

DATA = Path(__file__).parents[3] / "shared" / "data" / "seaa" / "power_1hz.csv.gz"
TICK_S = 0.37  # of the sampler: never in step with the trace's own 1.001 s


@pytest.fixture(scope="module")
def traces() -> dict[tuple[str, str, str], np.ndarray]:
    if not DATA.exists():
        pytest.skip("../shared/data/seaa is absent")
    runs: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    with gzip.open(DATA, "rt", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["env"], row["arch"], row["run_ts"])
            runs[key].append((float(row["t_s"]), float(row["power_W"])))
    return {key: np.array(rows) for key, rows in runs.items()}


def replayed_j(trace: np.ndarray, clock, tick_s: float, speed: float = 1.0) -> float:
    """Energy as a recording has it: sampled every tick and once at the end, then integrated."""
    meter = ReplayMeter(trace, clock, speed=speed)
    sampler = Sampler([meter], clock, tick_s)
    end_s = clock.now + (trace[-1, 0] - trace[0, 0]) / speed
    while clock.now < end_s:
        sampler.tick()
        clock.now += tick_s
    clock.now = end_s
    sampler.tick(everything=True)
    samples = sampler.take()[meter.source.domain]
    assert sampler.gaps == []
    energy = energy_between(samples, meter.source, 0.0, end_s - sampler.start_s)
    assert energy is not None
    return energy.value


def test_every_trace_within_half_a_percent_of_its_integral(traces, clock):
    assert len(traces) > 300
    errors = [
        replayed_j(trace, clock, TICK_S) / np.trapezoid(trace[:, 1], trace[:, 0]) - 1
        for trace in traces.values()
    ]
    worst = np.abs(errors).max()
    print(f"\n{len(errors)} traces: mean error {np.mean(errors):+.3%}, worst {worst:.3%}")
    assert worst < 0.005


def test_the_default_ten_hertz_is_closer_still(traces, clock):
    shortest = sorted(traces.values(), key=len)[:5]
    for trace in shortest:
        integral = np.trapezoid(trace[:, 1], trace[:, 0])
        assert replayed_j(trace, clock, 0.1) == pytest.approx(integral, rel=0.001)


def test_at_speed_the_energy_is_less_by_that_factor(traces, clock):
    trace = min(traces.values(), key=len)
    integral = np.trapezoid(trace[:, 1], trace[:, 0])
    assert replayed_j(trace, clock, 0.037, speed=10.0) * 10 == pytest.approx(integral, rel=0.005)
