import math

import pytest

from joulecast.forecasting.base import Forecast, History, OnlineForecaster, Prediction, Work
from joulecast.forecasting.literature.carbontracker import CarbonTracker
from joulecast.forecasting.literature.step import StepEnergy
from joulecast.forecasting.scoring.online_methods import METHODS, RunContext
from joulecast.forecasting.scoring.online_scores import (
    Subject,
    score_histories,
    score_online,
    unusable,
)


def run(energies, run_id="run", planned=None, duration_s=10.0):
    works = tuple(Work(1.0, duration_s, e) for e in energies)
    return History(run_id, works, planned or len(works))


class Constant(OnlineForecaster):
    """The same energy and bounds for every run; keeps what it was given and asked."""

    name = "constant"

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
    # 4 epochs that cost 400, 500, 800 J; The forecast of all is 500.
    runs = [run([100] * 4), run([125] * 4), run([200] * 4)]
    (score,) = score_histories(runs, [1], {"constant": lambda _: Constant(500.0)})
    assert (score.forecaster, score.epochs_seen, score.runs) == ("constant", 1, 3)
    assert score.energy.mape_pct == pytest.approx((25 + 0 + 37.5) / 3)
    assert score.energy.median_pct == pytest.approx(25)
    assert score.energy.p90_pct == pytest.approx(25 + 0.8 * 12.5)
    assert score.energy.rmse == pytest.approx(math.sqrt((100**2 + 0 + 300**2) / 3))
    assert (score.energy.coverage_pct, score.energy.width_pct) == (None, None)


def test_coverage_and_width_of_the_intervals():
    runs = [run([100] * 4), run([125] * 4), run([250] * 4), run([200] * 4)]
    (score,) = score_histories(runs, [1], {"constant": lambda _: Constant(500.0, 400.0, 800.0)})
    assert score.energy.coverage_pct == 75  # 400, 500 and 800 are within, 1000 is not
    assert score.energy.width_pct == pytest.approx(100 * (400 / 400 + 400 / 500 + 0.4 + 0.5) / 4)
    assert score.duration.mape_pct == pytest.approx(150)  # they took 40 s
    assert score.duration.coverage_pct == 0
    assert score.duration.width_pct == pytest.approx(75)


def test_a_method_without_an_interval_on_one_run_has_no_coverage():
    forecasters = iter([Constant(500.0, 400.0, 600.0), Constant(500.0)])
    (score,) = score_histories(
        [run([1, 2]), run([1, 2])], [1], {"constant": lambda _: next(forecasters)}
    )
    assert score.energy.coverage_pct is None
    assert score.duration.coverage_pct is not None


def test_each_run_has_one_forecaster_which_sees_finished_epochs_only():
    made = []

    def build(history):
        made.append(Constant(1.0))
        return made[-1]

    score_histories([run([1, 2, 3, 4]), run([5, 6])], [2, 1, 3, 2], {"constant": build})
    assert [f.asked for f in made] == [[(1, 4.0), (2, 4.0), (3, 4.0)], [(1, 2.0)]]
    assert [w.energy_j for w in made[0].works] == [1, 2, 3]


def test_a_run_counts_only_while_epochs_are_left():
    scores = score_histories([run([1] * 3), run([1] * 6)], [1, 3, 6, 9], {"carbontracker": mean})
    assert [(s.epochs_seen, s.runs) for s in scores] == [(1, 2), (3, 1)]


def test_a_run_that_stopped_early_is_scored_on_the_epochs_it_ran():
    (score,) = score_histories([run([100] * 5, planned=30)], [2], {"carbontracker": mean})
    assert score.energy.mape_pct == pytest.approx(0)


def test_a_method_has_scores_from_its_first_forecast_on():
    methods = {"carbontracker": mean, "step-energy": lambda _: StepEnergy()}
    scores = score_histories([run([1] * 20)], [1, 10, 15], methods)
    assert [(s.forecaster, s.epochs_seen) for s in scores] == [
        ("carbontracker", 1),
        ("carbontracker", 10),
        ("carbontracker", 15),
        ("step-energy", 15),
    ]


def test_a_run_without_a_forecaster_is_not_in_the_score():
    def build(history):
        return None if history.run_id == "a" else CarbonTracker()

    (score,) = score_histories([run([1, 3], "a"), run([1, 1], "b")], [1], {"some": build})
    assert (score.runs, score.energy.mape_pct) == (1, 0)


@pytest.mark.parametrize(
    "energies", [[], [5], [0, 0], [1e308, 1e308], [math.nan, 1], [math.inf, 1]]
)
def test_runs_that_cannot_be_used(energies):
    assert unusable(run([1, 1])) is None
    assert unusable(run(energies))
    assert score_histories([run(energies)], [1, 2], {"carbontracker": mean}) == ()


def test_a_run_of_infinite_duration_cannot_be_used():
    assert unusable(run([1, 1], duration_s=math.inf))


def test_epochs_without_duration_have_no_score_of_the_duration():
    (score,) = score_histories([run([1, 1, 1], duration_s=0)], [1], {"carbontracker": mean})
    assert score.energy.mape_pct == 0
    assert score.duration is None and score.duration_reason


def test_nothing_to_score():
    assert score_histories([], [1], {"carbontracker": mean}) == ()
    assert score_histories([run([1, 2])], [], {"carbontracker": mean}) == ()
    assert score_histories([run([1, 2])], [0, -1], {"carbontracker": mean}) == ()


# --- the methods by name


def subject(run_id="run", epochs=20, context=None, group=None, planned=None):
    history = run([100.0] * epochs, run_id, planned)
    return Subject(history, context or RunContext(), group)


RATED = RunContext(tdp_w=20, ram_gb=10)


def unscored(evaluation):
    return {u.forecaster: u.reason for u in evaluation.unscored}


def test_every_method_with_a_forecast_has_a_score():
    evaluation = score_online([subject(context=RATED)], [1, 15])
    names = {score.forecaster for score in evaluation.results}
    assert names == set(METHODS) - {"step-energy-fluss", "step-power-fluss"}
    assert (evaluation.runs, evaluation.epochs) == (1, 20)
    by_name = {s.forecaster: s.energy for s in evaluation.results if s.epochs_seen == 15}
    # The run draws 10 W: the rated power is twice that, the memory adds 3.7 W.
    assert by_name["mlco2"].mape_pct == pytest.approx(100)
    assert by_name["green-algorithms"].mape_pct == pytest.approx(137.25)
    assert by_name["online"].coverage_pct == 100


def test_the_usage_factor_scales_the_rated_power():
    half = RunContext(tdp_w=20, ram_gb=0, usage_factor=0.5)
    (score,) = score_online([subject(context=half)], [1], ["green-algorithms"]).results
    assert score.energy.mape_pct == pytest.approx(0)


def test_methods_without_a_score_have_a_reason():
    reasons = unscored(score_online([subject()], [1]))
    assert set(reasons) == set(METHODS) - {"online", "carbontracker"}
    assert "--tdp" in reasons["mlco2"] and "--tdp" in reasons["green-algorithms"]
    without_memory = score_online([subject(context=RunContext(tdp_w=9))], [1])
    assert "--ram" in unscored(without_memory)["green-algorithms"]
    assert "mlco2" not in unscored(without_memory)


def test_a_method_that_some_runs_are_forecast_without_has_a_score_and_a_reason():
    evaluation = score_online([subject("a", context=RATED), subject("b")], [1], ["mlco2"])
    assert evaluation.results[0].runs == 1
    assert "1 of 2 runs" in unscored(evaluation)["mlco2"]


def test_groups_have_scores_of_their_own():
    subjects = [subject("a", group="x"), subject("b", group="y"), subject("c", 3, group="y")]
    evaluation = score_online(subjects, [2, 5], ["carbontracker"])
    assert [s.runs for s in evaluation.results] == [3, 2]
    assert [s.runs for s in evaluation.groups["x"]] == [1, 1]
    assert [s.runs for s in evaluation.groups["y"]] == [2, 1]


def test_runs_left_out_and_plans_not_followed():
    subjects = [subject("one", 1), subject("early", 5, planned=30)]
    evaluation = score_online(subjects, [1], ["carbontracker"])
    assert [run.run_id for run in evaluation.left_out] == ["one"]
    assert len(evaluation.notes) == 1 and evaluation.notes[0].startswith("1 of 1 runs")
    assert score_online([subject()], [1]).notes == ()


def test_past_runs_reach_the_forecaster_that_learns_from_them():
    past = [subject(f"past{i}", 12).history for i in range(20)]
    (alone,) = score_online([subject()], [1], ["online"]).results
    (taught,) = score_online([subject(context=RunContext(past=past))], [1], ["online"]).results
    assert taught.energy.width_pct < alone.energy.width_pct


def test_json_has_null_for_numbers_that_are_not_finite():
    tiny = Subject(History("tiny", (Work(1, 1e9, 1e-300), Work(1, 1e9, 1e-300)), 2), RATED)
    evaluation = score_online([tiny], [1], ["mlco2"])
    assert not math.isfinite(evaluation.results[0].energy.mape_pct)
    document = evaluation.to_json()
    assert document["schema"] == "joulecast/evaluate/1"
    assert document["results"][0]["energy"]["mape_pct"] is None


def test_progress_counts_usable_runs():
    counts = []
    score_online([subject("a", 1), subject("b"), subject("c")], [1], done=counts.append)
    assert counts == [1, 1]


def test_no_runs():
    evaluation = score_online([], [1])
    assert (evaluation.results, evaluation.unscored, evaluation.runs) == ((), (), 0)
