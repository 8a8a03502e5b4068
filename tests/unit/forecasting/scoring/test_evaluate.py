import math

import pytest

from fakes.shared import SHARED, needs
from joulecast.forecasting.base import Forecast, History, OnlineForecaster, Prediction, Work
from joulecast.forecasting.literature.carbontracker import CarbonTracker
from joulecast.forecasting.literature.step import StepEnergy
from joulecast.forecasting.scoring.epochs_csv import read_epochs
from joulecast.forecasting.scoring.evaluate import attempts, evaluate, unusable

MLPERF = SHARED / "data" / "mlperf_training" / "epochs.csv"


def run(energies, run_id="run", planned=None, duration_s=10.0):
    works = tuple(Work(1.0, duration_s, e) for e in energies)
    return History(run_id, works, planned or len(works))


class Says(OnlineForecaster):
    """The same energy and bounds, whatever it is told; it remembers what that was."""

    name = "says"

    def __init__(self, value, low=None, high=None):
        self.prediction = Prediction(value, low, high)
        self.works, self.asked = [], []

    def add(self, work):
        self.works.append(work)

    def forecast(self, planned, pending=None):
        self.asked.append((len(self.works), planned))
        return Forecast(self.prediction, Prediction(100.0, 90.0, 120.0))


def mean(_):
    return CarbonTracker()


def test_errors_over_several_runs():
    # 4 epochs that cost 400, 500, 800 J; 500 is said of all.
    runs = [run([100] * 4), run([125] * 4), run([200] * 4)]
    (score,) = evaluate(runs, [1], {"says": lambda _: Says(500.0)})
    assert (score.forecaster, score.epochs_seen, score.runs) == ("says", 1, 3)
    assert score.mape_pct == pytest.approx((25 + 0 + 37.5) / 3)
    assert score.median_pct == pytest.approx(25)
    assert score.p90_pct == pytest.approx(25 + 0.8 * 12.5)
    assert score.rmse_kj == pytest.approx(math.sqrt((100**2 + 0 + 300**2) / 3) / 1000)
    assert (score.coverage_pct, score.width_pct) == (None, None)


def test_coverage_and_width_of_the_intervals():
    runs = [run([100] * 4), run([125] * 4), run([250] * 4), run([200] * 4)]
    (score,) = evaluate(runs, [1], {"says": lambda _: Says(500.0, 400.0, 800.0)})
    assert score.coverage_pct == 75  # 400, 500 and 800 are within, 1000 is not
    assert score.width_pct == pytest.approx(100 * (400 / 400 + 400 / 500 + 0.4 + 0.5) / 4)
    assert score.duration_mape_pct == pytest.approx(150)  # they took 40 s
    assert score.duration_coverage_pct == 0
    assert score.duration_width_pct == pytest.approx(75)


def test_a_method_without_an_interval_on_one_run_has_no_coverage():
    said = iter([Says(500.0, 400.0, 600.0), Says(500.0)])
    (score,) = evaluate([run([1, 2]), run([1, 2])], [1], {"says": lambda _: next(said)})
    assert score.coverage_pct is None
    assert score.duration_coverage_pct is not None


def test_each_run_has_one_forecaster_which_sees_what_was_done_and_no_more():
    made = []

    def build(history):
        made.append(Says(1.0))
        return made[-1]

    evaluate([run([1, 2, 3, 4]), run([5, 6])], [2, 1, 3, 2], {"says": build})
    assert [f.asked for f in made] == [[(1, 4.0), (2, 4.0), (3, 4.0)], [(1, 2.0)]]
    assert [w.energy_j for w in made[0].works] == [1, 2, 3]


def test_a_run_counts_only_while_epochs_are_left():
    found = evaluate([run([1] * 3), run([1] * 6)], [1, 3, 6, 9], {"carbontracker": mean})
    assert [(s.epochs_seen, s.runs) for s in found] == [(1, 2), (3, 1)]


def test_a_run_that_stopped_early_is_scored_on_what_it_ran():
    (score,) = evaluate([run([100] * 5, planned=30)], [2], {"carbontracker": mean})
    assert score.mape_pct == pytest.approx(0)


def test_a_method_appears_where_it_can_speak():
    methods = {"carbontracker": mean, "step-energy": lambda _: StepEnergy()}
    found = evaluate([run([1] * 20)], [1, 10, 15], methods)
    assert [(s.forecaster, s.epochs_seen) for s in found] == [
        ("carbontracker", 1),
        ("carbontracker", 10),
        ("carbontracker", 15),
        ("step-energy", 15),
    ]


def test_a_run_that_a_method_cannot_take_is_left_out_of_its_score():
    def build(history):
        return None if history.run_id == "a" else CarbonTracker()

    (score,) = evaluate([run([1, 3], "a"), run([1, 1], "b")], [1], {"some": build})
    assert (score.runs, score.mape_pct) == (1, 0)


@pytest.mark.parametrize(
    ("energies", "why"),
    [
        ([], "no epochs"),
        ([5], "one epoch"),
        ([0, 0], "zero"),
        ([1e308, 1e308], "not finite"),
        ([math.nan, 1], "not finite"),
        ([math.inf, 1], "not finite"),
    ],
)
def test_runs_that_nothing_can_be_said_of(energies, why):
    assert why in unusable(run(energies))
    assert "duration" in unusable(run([1, 1], duration_s=math.inf))
    assert evaluate([run(energies)], [1, 2], {"carbontracker": mean}) == []


def test_epochs_that_took_no_time_have_no_score_of_the_duration():
    (score,) = evaluate([run([1, 1, 1], duration_s=0)], [1], {"carbontracker": mean})
    assert score.mape_pct == 0
    assert score.duration_mape_pct is None


def test_nothing_to_score():
    assert evaluate([], [1], {"carbontracker": mean}) == []
    assert evaluate([run([1, 2])], [], {"carbontracker": mean}) == []
    assert evaluate([run([1, 2])], [0, -1], {"carbontracker": mean}) == []


def test_it_tells_when_a_run_is_done():
    calls = []
    attempts([run([1]), run([1, 2])], [1], {"m": mean}, lambda: calls.append(1))
    assert len(calls) == 2


@needs("data", "mlperf_training", "epochs.csv")
def test_the_reference_of_the_mlperf_runs():
    """Mean of the first k epochs: 33.6, 12.7, 7.4, 5.2 %, on 100, 100, 100 and 70 runs."""
    histories = [r.history for r in read_epochs(MLPERF)]
    found = evaluate(histories, [1, 2, 3, 5], {"carbontracker": mean})
    assert [s.runs for s in found] == [100, 100, 100, 70]
    assert [round(s.mape_pct, 1) for s in found] == [33.6, 12.7, 7.4, 5.2]
