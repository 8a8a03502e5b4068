import json
import math

import pytest

from joulecast.forecasting.base import History, Work
from joulecast.forecasting.scoring.methods import METHODS, Known
from joulecast.forecasting.scoring.scoreboard import Subject, score_all


def subject(run_id="run", epochs=20, known=None, group=None, planned=None):
    works = tuple(Work(1.0, 10.0, 100.0) for _ in range(epochs))
    return Subject(History(run_id, works, planned or epochs), known or Known(), group)


KNOWN = Known(tdp_w=20, ram_gb=10)


def names(board):
    return list(dict.fromkeys(score.forecaster for score in board.results))


def test_every_method_that_can_speak_does():
    board = score_all([subject(known=KNOWN)], [1, 15])
    assert set(names(board)) == set(METHODS) - {"step-energy-fluss", "step-power-fluss"}
    assert (board.runs, board.epochs) == (1, 20)
    by_name = {score.forecaster: score for score in board.results if score.epochs_seen == 15}
    # 10 W are drawn: the rated power is twice that, the memory adds 3.7 W.
    assert by_name["mlco2"].mape_pct == pytest.approx(100)
    assert by_name["green-algorithms"].mape_pct == pytest.approx(137.25)
    assert by_name["online"].coverage_pct == 100


def test_what_is_not_known_of_the_devices_is_said():
    board = score_all([subject()], [1])
    skipped = dict(board.skipped)
    assert skipped["mlco2"] == "the rated power of the devices is not known (--tdp)"
    assert "rated power" in skipped["green-algorithms"]
    assert "15 epochs" in skipped["step-power"]
    assert "online" not in skipped
    assert (
        "memory"
        in dict(score_all([subject(known=Known(tdp_w=9))], [1]).skipped)["green-algorithms"]
    )


def test_a_method_that_some_runs_are_forecast_without_says_so():
    board = score_all([subject("a", known=KNOWN), subject("b")], [1], ["mlco2"])
    assert board.results[0].runs == 1
    assert board.skipped == (
        ("mlco2", "the rated power of the devices is not known (--tdp) for 1 of 2 runs"),
    )


def test_groups_have_scores_of_their_own():
    subjects = [subject("a", group="x"), subject("b", group="y"), subject("c", 3, group="y")]
    board = score_all(subjects, [2, 5], ["carbontracker"])
    assert [s.runs for s in board.results] == [3, 2]
    assert [s.runs for s in board.groups["x"]] == [1, 1]
    assert [s.runs for s in board.groups["y"]] == [2, 1]


def test_runs_left_out_and_plans_not_kept():
    board = score_all([subject("one", 1), subject("early", 5, planned=30)], [1], ["carbontracker"])
    assert board.left_out == (("one", "it has one epoch: nothing is left to forecast"),)
    assert board.notes[0].startswith("1 of 1 runs did not run the epochs they planned")


def test_past_runs_reach_the_forecaster_that_learns_from_them():
    past = [History(f"past{i}", subject(epochs=12).history.epochs, 12) for i in range(20)]
    alone = score_all([subject()], [1], ["online"]).results[0]
    taught = score_all([subject(known=Known(past=past))], [1], ["online"]).results[0]
    assert taught.width_pct < alone.width_pct


def test_json_holds_no_figure_that_is_not_finite():
    tiny = Subject(History("tiny", (Work(1, 1e9, 1e-300), Work(1, 1e9, 1e-300)), 2), KNOWN)
    board = score_all([tiny], [1], ["mlco2"])
    assert not math.isfinite(board.results[0].mape_pct)
    document = json.loads(json.dumps(board.to_json(), allow_nan=False))
    assert document["results"][0]["mape_pct"] is None


def test_of_no_runs_nothing_is_said():
    board = score_all([], [1])
    assert (board.results, board.skipped, board.runs) == ((), (), 0)
