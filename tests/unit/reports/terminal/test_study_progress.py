"""What is said of a study under way."""

from joulecast.reports.terminal.study_progress import counts_text, ended_text, now_text, spent_text
from joulecast.run.run_state import RunState
from joulecast.study.model import Trial, TrialStatus
from joulecast.study.running.progress import Ended, Progress
from joulecast.units import Estimate, Provenance

TRIAL = Trial("abc", 0, {"architecture": "cnn", "batch": 32}, 1, 7, TrialStatus.FINISHED)
COUNTS = {TrialStatus.FINISHED: 2, TrialStatus.OUT_OF_MEMORY: 1, TrialStatus.PENDING: 9}


def estimate(value: float, unit: str = "J") -> Estimate:
    return Estimate(value, value * 0.9, value * 1.2, unit, Provenance.MODELLED)


def test_the_whole_comes_first_for_a_narrow_terminal() -> None:
    energy = estimate(50.0)
    seen = RunState(4.0, energy, 12.0, 1.5, 20.0, None, None)
    whole = (estimate(45_200.0), estimate(490.0, "s"))
    text = now_text(Progress("s", COUNTS, "running", TRIAL, seen, *whole))
    assert text == (
        "3 of 12 | study 45.2 kJ (40.7 to 54.2), 8 min 10 s left (7 min 21 s to 9 min 48 s) | "
        "architecture=cnn, batch=32, repetition 2 | 50.0 J, epoch 2 of 20"
    )


def test_without_a_forecast_it_says_why() -> None:
    text = now_text(Progress("s", COUNTS, "cooling down"))
    assert "no forecast before a trial has told its energy" in text
    assert text.endswith("cooling down")


def test_a_trial_that_is_over() -> None:
    at = Progress("s", COUNTS, "running", None, None, estimate(100.0), None)
    ended = Ended(TRIAL, estimate(20.0), 4.2, {"accuracy": 0.97, "loss": 0.1})
    assert ended_text(ended, at) == (
        "3 of 12: architecture=cnn, batch=32, repetition 2: 20.0 J (18.0 to 24.0) in 4.20 s, "
        "accuracy 0.97, loss 0.1; study 100 J (90.0 to 120)"
    )
    bad = Trial("abc", 0, {"b": 1}, 0, 7, TrialStatus.FAILED, error="ValueError: \x1b[31mno\n way")
    text = ended_text(Ended(bad, None, None), at)
    assert "failed (ValueError: [31mno way), not run" in text


def test_what_was_used_is_told_though_its_interval_is_not_known() -> None:
    assert spent_text(estimate(20.0), 20.0) == "20.0 J (18.0 to 24.0), modelled"
    assert spent_text(None, 0.0359) == "35.9 mJ"
    assert spent_text(None, 0.0) is None


def test_counts() -> None:
    assert counts_text(COUNTS) == "2 finished, 1 out of memory, 9 to come"
    assert counts_text({}) == "no trials"
