import json
import math
from dataclasses import replace

import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.past_run import Facts, StaticRun, completed
from joulecast.forecasting.physical.device import StepForecast
from joulecast.forecasting.scoring.held_out import with_interval
from joulecast.forecasting.scoring.splits import Split, folds, inner
from joulecast.forecasting.scoring.static_evaluate import evaluate_static, work
from joulecast.forecasting.scoring.static_methods import Formula, StaticMethod, static_methods
from joulecast.forecasting.scoring.static_workloads import Workloads
from joulecast.workload.model import Layer, Op, OperatorKind, Phase, Workload


def run(architecture="a", gpu="RTX 3090", energy_j=100.0, duration_s=10.0, group=None, **facts):
    known = completed(Facts(architecture, gpu, **facts))
    return StaticRun(f"{architecture} {gpu} {energy_j}", known, energy_j, duration_s, group)


class Mean:
    """Says of every run the mean energy of those it learnt from; it remembers which those were."""

    def __init__(self, runs, half=None):
        self.runs, self.half = list(runs), half
        self.value = sum(r.energy_j for r in runs) / len(runs)

    def predict(self, facts, duration_s):
        if self.half is None:
            return Prediction(self.value)
        return Prediction(self.value, self.value - self.half, self.value + self.half)

    def again(self, runs):
        return Mean(runs)

    def error(self, run):
        return abs(self.value - run.energy_j)

    def with_spread(self, half):
        return Mean(self.runs, half)


def mean(**how):
    return StaticMethod(Mean, lambda _: None, **how)


RUNS = [run(a, g, e) for a, e in (("x", 100), ("y", 200), ("z", 400)) for g in ("p", "q")]


def test_leave_one_out_never_learns_from_what_it_is_asked():
    for split in (Split.ARCHITECTURE, Split.GPU):
        seen = []
        for fold in folds(RUNS, split):
            name = {Split.ARCHITECTURE: "architecture", Split.GPU: "gpu"}[split]
            left = {getattr(RUNS[i].facts, name) for i in fold.test}
            assert len(left) == 1
            assert left.isdisjoint({getattr(RUNS[i].facts, name) for i in fold.train})
            assert sorted(fold.train + fold.test) == list(range(len(RUNS)))
            seen += fold.test
        assert sorted(seen) == list(range(len(RUNS)))


def test_a_random_split_tests_three_in_ten_and_draws_few_runs_anew():
    few, many = [RUNS[0]] * 10, [RUNS[0]] * 400
    assert [len(f.test) for f in folds(few, Split.RANDOM)] == [3] * 10
    assert [len(f.test) for f in folds(many, Split.RANDOM)] == [120]
    assert folds(many, Split.RANDOM, seed=1) == folds(many, Split.RANDOM, seed=1)
    assert folds(many, Split.RANDOM, seed=1) != folds(many, Split.RANDOM, seed=2)
    for fold in folds(few, Split.RANDOM):
        assert set(fold.train).isdisjoint(fold.test)


def test_inner_folds_ask_each_run_once():
    for split in Split:
        asked = sorted(i for fold in inner(RUNS, split) for i in fold.test)
        assert asked == list(range(len(RUNS)))
    assert inner(RUNS[:1], Split.RANDOM) == []


def test_errors_under_a_split():
    board = evaluate_static(RUNS, {"mean": mean()}, [Split.ARCHITECTURE])
    (score,) = board.results
    # 300, 250 and 150 J are said of 100, 200 and 400 J.
    assert (score.forecaster, score.split, score.runs) == ("mean", Split.ARCHITECTURE, 6)
    assert score.accuracy.mape_pct == pytest.approx((200 + 25 + 62.5) / 3)
    rmse = math.sqrt((200**2 + 50**2 + 250**2) / 3) / 1000
    assert score.accuracy.rmse_kj == pytest.approx(rmse)
    document = score.to_json()
    assert (document["split"], document["target"]) == ("leave-one-architecture-out", "energy")


def test_the_interval_is_that_of_what_is_held_out_in_the_same_way():
    # Of x, y: y is said to be 100 (100 off), x 200 (100 off). Two groups: the larger counts.
    learner = with_interval(Mean(RUNS[:4]), RUNS[:4], Split.ARCHITECTURE)
    assert learner.half == pytest.approx(100)
    assert with_interval(Mean(RUNS[:2]), RUNS[:2], Split.ARCHITECTURE).half is None
    board = evaluate_static(RUNS, {"mean": mean()}, [Split.ARCHITECTURE])
    # 300 +- 200 holds 100; 250 +- 300 holds 200; 150 +- 100 does not hold 400.
    assert board.results[0].accuracy.coverage_pct == pytest.approx(200 / 3)
    widths = (400 / 100, 600 / 200, 200 / 400)
    assert board.results[0].accuracy.width_pct == pytest.approx(100 * sum(widths) / 3)


def test_nine_of_ten_new_runs_lie_in_the_interval_of_a_random_split():
    runs = [run(energy_j=100 + 37 * i % 101) for i in range(300)]
    board = evaluate_static(runs, {"mean": mean()}, [Split.RANDOM])
    assert 80 <= board.results[0].accuracy.coverage_pct <= 98


def test_a_method_without_learning_has_no_interval():
    formula = StaticMethod(lambda _: Formula(lambda facts, s: 7.0 * s), lambda _: None)
    board = evaluate_static(RUNS, {"f": formula}, [Split.GPU])
    assert board.results[0].accuracy.coverage_pct is None
    assert board.results[0].accuracy.mape_pct == pytest.approx((30 + 65 + 82.5) / 3)


def test_durations_are_scored_where_there_are_forecasts_of_them():
    runs = [run(a, "p", 100, s) for a, s in (("x", 10), ("y", 20), ("z", 40), ("w", 80))]
    said = {"x": 9.0, "y": 30.0, "z": 40.0, "w": 20.0}

    class Clock:
        def predict(self, facts, duration_s):
            return Prediction(100.0)

        def duration(self, facts):
            value = said.get(facts.architecture)
            return None if value is None else Prediction(value, value / 2, value * 2)

    methods = {
        "clock": StaticMethod(lambda _: Clock(), lambda _: None),
        "energy": mean(),
        "told": mean(timed=True),
    }
    clock, energy, told = evaluate_static(runs, methods, [Split.ARCHITECTURE]).results
    assert clock.timing.mape_pct == pytest.approx((10 + 50 + 0 + 75) / 4)
    assert clock.timing.median_pct == pytest.approx(30)
    assert clock.timing.p90_pct == pytest.approx(67.5)
    assert clock.timing.coverage_pct == pytest.approx(75)
    assert clock.timing.width_pct == pytest.approx(100 * 1.5 * (0.9 + 1.5 + 1 + 0.25) / 4)
    assert clock.to_json()["duration_p90_pct"] == pytest.approx(67.5)
    assert clock.to_json()["duration_reason"] is None
    assert (energy.timing, energy.no_timing) == (None, "it forecasts an energy, and no time")
    assert told.to_json()["duration_mape_pct"] is None
    assert told.to_json()["duration_reason"] == "it is told how long a run took"
    del said["x"]  # a method that is silent on some is not scored on the others alone
    (some,) = evaluate_static(runs, {"clock": methods["clock"]}, [Split.ARCHITECTURE]).results
    assert (some.timing, some.no_timing) == (None, "it says nothing of the time of 1 of 4 runs")


def test_the_baselines():
    facts = {"ram_gb": 16.0, "gflops": 2.0, "training_size": 100.0, "epochs": 5.0}
    runs = [
        run("a", "RTX 3090", 1000, 10, **facts, validation_size=20.0),
        run("a", "RTX 3070", 1000, 10, **facts),
    ]
    known = static_methods()
    said = {
        name: known[name].fit([]).predict(runs[0].facts, 10.0).value
        for name in ("green-algorithms", "mlco2", "flops-tdp")
    }
    assert said["mlco2"] == 3500
    assert said["green-algorithms"] == pytest.approx(10 * (350 + 16 * 0.3725))
    flops = 2e9 * (3 * 500 + 100)
    assert said["flops-tdp"] == pytest.approx(350 * flops / 35.58e12)
    board = evaluate_static(runs, {"mlco2": known["mlco2"]}, [Split.GPU])
    assert board.notes == ("told how long each run took, as published: mlco2",)
    warned = {"mlco2": replace(known["mlco2"], caveat="shipped constants")}
    board = evaluate_static(runs, warned, [Split.GPU])
    assert board.notes[0] == "mlco2: shipped constants"


def test_what_is_missing_is_said_and_only_those_runs_are_left():
    runs = [
        run("a", "RTX 3090", gflops=1.0, epochs=1.0),
        run("b", "Abacus 9"),
        run("c", "RTX 3070"),
    ]
    board = evaluate_static(runs, static_methods(), [Split.ARCHITECTURE])
    skipped = {name: why for name, why in board.skipped if "leave" not in why}
    assert "column ram_gb" in skipped["green-algorithms"]
    assert skipped["mlco2"].endswith("for 1 of 3 runs")
    assert "column gflops" in skipped["flops-tdp"] or "how much" in skipped["flops-tdp"]
    assert "column epochs" in skipped["pre-energy"]
    assert [(s.forecaster, s.runs) for s in board.results] == [("mlco2", 2)]


def test_a_split_with_nothing_to_leave_out_and_a_method_that_cannot_learn():
    def refuses(runs):
        raise BadInputError("too few")

    one = [run("a", "p", e) for e in range(1, 30)]
    broken = StaticMethod(refuses, lambda _: None)
    board = evaluate_static(one, {"mean": mean(), "broken": broken})
    assert {s.split for s in board.results} == {Split.RANDOM}
    assert ("mean", "leave-one-gpu-out: there is one GPU only") in board.skipped
    assert ("broken", "random: too few") in board.skipped


def test_groups_have_scores_of_their_own_and_json_is_plain():
    runs = [run("x", "p", 100, group="k"), run("y", "p", 200, group="l")]
    board = evaluate_static(runs, {"mean": mean()}, [Split.ARCHITECTURE])
    assert [s.runs for s in board.groups["k"]] == [1]
    document = json.loads(json.dumps(board.to_json(), allow_nan=False))
    assert document["runs"] == 2
    assert [g["group"] for g in document["groups"]] == ["k", "l"]


def test_it_tells_when_a_fold_is_done():
    calls = []
    methods = {"mean": mean()}
    evaluate_static(RUNS, methods, done=lambda: calls.append(1))
    assert len(calls) == work(RUNS, methods)


# --- methods that look into the model


def built(facts, training):
    if facts.model == "broken":
        raise BadInputError("no such model")
    gmacs = float(facts.model)
    passes = 3 if training else 1
    layers = (Layer("l", "Linear", 10, 2e9 * gmacs, 2e9 * gmacs * (passes - 1), 1e6),)
    op = Op(OperatorKind.MATMUL, Phase.FORWARD, 2e9 * gmacs * passes, 0.0, "fp32")
    held = (0.0, 0.0, 0.0, 0.0)
    return Workload("w", 1, (1,), "fp32", training, None, 10, (op,), layers, *held)


def modelled(gmacs, gpu="RTX 3090", validation=0.0):
    how = {"batch": 8.0, "training_size": 80.0, "epochs": 2.0}
    energy_j = 1e-1 * gmacs * (20 + validation / 8 * 2 / 3)
    model = f"{gmacs:g}"
    return run(model, gpu, energy_j, 1.0, model=model, validation_size=validation, **how)


def test_steps_of_a_run():
    parts = Workloads(built).parts(modelled(2.0, validation=20.0).facts)
    assert [(p.steps, p.workload.training) for p in parts] == [(20, True), (6, False)]
    (part,) = Workloads(built).parts(Facts(model="2", batch=8.0, steps=7.0))
    assert part.steps == 7


def test_each_model_is_built_once():
    calls = []

    def counted(facts, training):
        calls.append((facts.model, training))
        return built(facts, training)

    loads = Workloads(counted)
    for gpu in ("RTX 3090", "RTX 3070"):
        loads.parts(modelled(2.0, gpu, validation=8.0).facts)
    assert calls == [("2", True), ("2", False)]


def test_layerwise_learns_across_architectures():
    pytest.importorskip("scipy")
    runs = [modelled(g, validation=16.0) for g in (1.0, 2.0, 3.0, 5.0, 8.0)]
    methods = {"layerwise": Workloads(built).methods()["layerwise"]}
    (score,) = evaluate_static(runs, methods, [Split.ARCHITECTURE]).results
    assert score.accuracy.mape_pct < 1
    assert score.accuracy.coverage_pct is not None


class FlopsInJoules:
    """One joule per GFLOP of a step."""

    name = "flops"

    def step(self, workload, device):
        said = Prediction(workload.flops() / 1e9)
        return StepForecast(said, said, said, None, self.name, "catalog")


def test_a_forecaster_of_steps_is_asked_for_whole_runs():
    methods = Workloads(built, [FlopsInJoules()]).methods()
    said = methods["flops"].fit([]).predict(modelled(2.0, validation=16.0).facts, 1.0)
    assert said.value == pytest.approx(4 * (3 * 20 + 1 * 4))


def test_why_steps_are_not_known():
    lacks = Workloads(built).lacks
    good = modelled(2.0).facts
    assert lacks(good) is None
    for change, why in [
        ({"model": ""}, "column model"),
        ({"model": "broken"}, "broken: no such model"),
        ({"batch": None}, "column batch"),
        ({"epochs": None}, "columns training_size,epochs"),
        ({"gpu": "Abacus 9"}, "Abacus 9"),
    ]:
        assert why in lacks(replace(good, **change))
