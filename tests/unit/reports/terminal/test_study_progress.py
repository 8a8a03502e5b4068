"""Lines of a running study."""

from dataclasses import replace

from fakes.golden import golden
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger.study_model import Trial, TrialStatus
from joulecast.reports.terminal.study_progress import ended_text, now_text
from joulecast.reports.words.trials import counts_text, used_text
from joulecast.run.run_state import RunState
from joulecast.study.running.study_progress import EndedTrial, StudyProgress

COUNTS = {TrialStatus.FINISHED: 2, TrialStatus.OUT_OF_MEMORY: 1, TrialStatus.PENDING: 9}


def estimate(value: float, unit: str = "J") -> Estimate:
    return Estimate(value, value * 0.9, value * 1.2, unit, Provenance.MODELLED)


FINISHED = Trial(
    *("abc", 0, {"architecture": "cnn", "batch": 32}, 1, 7, TrialStatus.FINISHED),
    energy=estimate(20.0),
    duration_s=4.2,
)
FAILED = Trial("abc", 0, {"b": 1}, 0, 7, TrialStatus.FAILED, error="ValueError: \x1b[31mno\n way")


def test_lines_of_a_running_study() -> None:
    waiting = StudyProgress("s", COUNTS, "cooling down")
    run = RunState(4.0, estimate(50.0), 12.0, 1.5, 20.0, None, None)
    running = StudyProgress(
        *("s", COUNTS, "running", FINISHED, run, estimate(45_200.0), estimate(490.0, "s"))
    )
    warming = replace(running, phase="warming up")
    ended = EndedTrial(FINISHED, {"accuracy": 0.97, "loss": 0.1})
    last = replace(running, counts={TrialStatus.FINISHED: 12})
    lines = [now_text(progress) for progress in (waiting, running, warming)]
    lines += [ended_text(ended, running), ended_text(EndedTrial(FAILED), last)]
    assert all(line.isprintable() for line in lines)
    golden("study_progress", "\n".join(lines))


def test_energy_used_is_shown_without_an_interval_too() -> None:
    assert used_text(estimate(20.0), 20.0) == "20.0 J (18.0 to 24.0), modelled"
    assert used_text(None, 0.0359) == "35.9 mJ"
    assert used_text(None, 0.0) is None


def test_counts_leave_out_statuses_without_a_trial() -> None:
    assert counts_text(COUNTS) == "2 finished, 1 out of memory, 9 pending"
    assert counts_text({TrialStatus.FAILED: 0}) == "no trials"
