"""The forecast of a whole study: wide at first, narrow later, and right as often as stated."""

import csv
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fakes.shared import SHARED, needs
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger.study_model import Level
from joulecast.study.running.effects_model import Observation, draws_of_rest, estimate

SEAA = SHARED / "data" / "seaa" / "runs.csv"
Rows = list[tuple[dict[str, Level], float]]


def covered(rows: Rows, done_trials: int, times: int) -> tuple[float, float]:
    """How often the interval held the truth, and the median ratio of its ends."""
    rng = np.random.default_rng(3)
    truth = sum(value for _, value in rows)
    hits, ratios = 0, []
    for _ in range(times):
        order = rng.permutation(len(rows))
        done = [Observation(*rows[i]) for i in order[:done_trials]]
        rest = draws_of_rest(done, [rows[i][0] for i in order[done_trials:]])
        assert rest is not None
        whole = estimate(rest, sum(d.value for d in done), "J")
        hits += whole.low <= truth <= whole.high
        ratios.append(whole.high / whole.low)
    return hits / times, float(np.median(ratios))


def simulated(seed: int) -> Rows:
    """Six architectures x four batch sizes x five repetitions, as uneven as real ones."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 0.8, 6), rng.normal(0, 0.3, 4)
    both = rng.normal(0, 0.15, (6, 4))
    return [
        ({"a": i, "b": j}, float(np.exp(5 + a[i] + b[j] + both[i, j] + rng.normal(0, 0.04))))
        for i in range(6)
        for j in range(4)
        for _ in range(5)
    ]


@pytest.mark.parametrize("done_trials", [2, 8, 24, 60])
def test_the_interval_covers_the_truth_as_often_as_stated(done_trials: int) -> None:
    shares = [covered(simulated(seed), done_trials, 4)[0] for seed in range(12)]
    assert 0.75 <= float(np.mean(shares)) <= 1.0  # 90 % in 48 draws that share their studies


def test_it_narrows() -> None:
    ratios = [covered(simulated(1), done_trials, 6)[1] for done_trials in (1, 6, 24, 60)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 5
    assert ratios[-1] < 1.2


@needs("data", "seaa", "runs.csv")
@pytest.mark.parametrize("column", ["energy (MJ)", "training duration (h)"])
def test_on_real_trainings(column: str) -> None:
    with SEAA.open() as file:
        rows: Rows = [
            ({"e": r["training environment"], "a": r["architecture"]}, float(r[column]))
            for r in csv.DictReader(file)
            if r[column]
        ]
    shares = [covered(rows, done_trials, 20)[0] for done_trials in (3, 12, 30, 100)]
    assert float(np.mean(shares)) >= 0.75


def test_no_trials_have_no_forecast_and_no_remaining_trials_none() -> None:
    assert draws_of_rest([], [{"a": 1}]) is None
    rest = draws_of_rest([Observation({"a": 1}, 5.0)], [])
    assert rest is not None
    whole = estimate(rest, 5.0, "J")
    assert (whole.low, whole.value, whole.high) == (5.0, 5.0, 5.0)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [7.0, 7.0, 7.0], [1e-9, 1e12, 5.0]])
def test_values_that_are_constant_zero_or_wild(values: Sequence[float]) -> None:
    done = [Observation({"a": i}, value) for i, value in enumerate(values)]
    rest = draws_of_rest(done, [{"a": i} for i in range(6)])
    assert rest is not None
    assert np.isfinite(rest).all()
    assert (rest >= 0).all()


def test_many_configurations_are_still_summed_in_full() -> None:
    done = [Observation({"a": i}, 10.0 + i % 3) for i in range(300)]
    rest = draws_of_rest(done, [{"a": i} for i in range(1000)])
    assert rest is not None
    assert 9_000 < float(np.median(rest)) < 13_000


def scattered(sd: float, count: int = 20) -> list[Observation]:
    """Repetitions of one configuration."""
    values = np.random.default_rng(1).lognormal(2.0, sd, count)
    return [Observation({"a": 1, "b": "x"}, float(value)) for value in values]


def test_how_much_repetitions_scatter_is_learnt_from_them() -> None:
    ratios = []
    for sd in (0.02, 0.5):
        rest = draws_of_rest(scattered(sd), [{"a": 1, "b": "x"}])
        assert rest is not None
        low, high = np.quantile(rest, (0.05, 0.95))
        ratios.append(high / low)
    assert 1.0 < ratios[0] < 1.2  # exp(2 x 1.645 x 0.02) = 1.07
    assert 2.0 < ratios[1] < 9.0  # and 5.2


def test_factors_in_another_order_are_the_same_configuration() -> None:
    ahead: list[dict[str, Level]] = [{"a": 1, "b": "x"}, {"b": "x", "a": 1}]
    first, second = (draws_of_rest(scattered(0.1), [factors]) for factors in ahead)
    assert first is not None and second is not None
    assert (first == second).all()


@pytest.mark.parametrize("sd", [0.1, 0.8])
def test_a_great_many_repetitions_take_no_more_room_than_a_few(sd: float) -> None:
    done = [replace(trial, factors={"a": 1}) for trial in scattered(sd)]
    few = draws_of_rest(done, [{"a": 1}] * 200)
    many = draws_of_rest(done, [{"a": 1}] * 90_000)
    assert few is not None and many is not None
    assert float(np.median(many)) / 450 == pytest.approx(float(np.median(few)), rel=0.02)


def test_the_trial_under_way_counts_with_its_own_forecast() -> None:
    rest = draws_of_rest([Observation({"a": 1}, 5.0)], [])
    assert rest is not None
    running = Estimate(100.0, 80.0, 130.0, "J", Provenance.MODELLED)
    whole = estimate(rest, 5.0, "J", running)
    assert whole.value == pytest.approx(105, rel=0.02)
    assert whole.low == pytest.approx(85, rel=0.03)
    assert whole.high == pytest.approx(135, rel=0.03)
