"""The epochs that are read from what trainers print, compared with their true ones."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from joulecast.recording.model import Span

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = sorted((ROOT / "tests" / "data" / "progress").glob("*.jsonl"))


@pytest.fixture
def progress(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("progress")


def test_every_recording_has_true_epochs_and_a_case(progress):
    assert len(RECORDINGS) > 60
    for path in RECORDINGS:
        recorded = progress.load(path)
        assert recorded.cases and recorded.output, path.name
        times = [t for _, t in recorded.done]
        assert times == sorted(times) and times[-1] <= recorded.run_end_s, path.name
        assert path.stat().st_size < 60_000, path.name


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_epochs_are_read_where_they_are(progress, path):
    recorded = progress.load(path)
    for case in recorded.cases:
        spans, _ = progress.read_output(recorded, case["epochs"], tick_s=0.5)
        spans.sort(key=lambda span: span.start_s)
        assert progress.fault_of(recorded, case, spans) is None, case


# --- the scores themselves -------------------------------------------------------------------


@pytest.fixture
def four_epochs(progress, tmp_path):
    """Headers of four even epochs of 2 s, and a test of 3 s after them."""
    header = {
        "planned_epochs": 4,
        "epochs_before": 0,
        "steps_s": None,
        "run_end_s": 12.0,
        "epochs": [
            {
                "number": k + 1,
                "begin_s": 1 + 2.0 * k,
                "first_step_s": 1.1 + 2 * k,
                "last_step_s": 3 + 2.0 * k,
                "steps": 20,
            }
            for k in range(4)
        ],
        "phases": [["test", 9.0, 12.0]],
        "cases": [{"epochs": None, "reads_epochs": True, "forecast": True}],
    }
    lines = [[1 + 2.0 * k, 1, f"Epoch {k + 1}/4\n"] for k in range(4)]
    lines += [[3 + 2.0 * k, 1, f"Epoch {k + 1}/4: loss: 0.{9 - k}\n"] for k in range(4)]
    path = tmp_path / "four.jsonl"
    path.write_text("\n".join(map(json.dumps, [header, *sorted(lines)])))
    return progress.load(path)


def spans(*ends, start=1.0, first=0):
    starts = [start, *ends[:-1]]
    return [
        Span(k + 1, None, "epoch", f"epoch {k}", begin, end, k + first, 1)
        for k, (begin, end) in enumerate(zip(starts, ends, strict=True))
    ]


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (spans(3.0, 5.0, 7.0, 9.0), True),
        (spans(3.05, 5.0, 7.0, 9.0), True),
        (spans(3.0, 5.0, 7.0, 9.0, first=1), False),
        (spans(3.0, 5.0, 7.0), False),
        (spans(3.0, 5.0, 7.0, 9.0, 12.0), False),
        ([*spans(3.0, 5.0, 7.0), *spans(9.0, start=7.0)], False),
        (spans(4.2, 5.0, 7.0, 9.0), False),
        (spans(1.5, 5.0, 7.0, 9.0), False),
        ([], False),
    ],
)
def test_epochs_are_right_by_count_index_and_place(progress, four_epochs, found, right):
    (case,) = four_epochs.cases
    assert (progress.fault_of(four_epochs, case, found) is None) == right


def test_where_no_epochs_can_be_read_none_are_right_and_one_is_not(progress, four_epochs):
    case = {"epochs": None, "reads_epochs": False, "forecast": True}
    assert progress.fault_of(four_epochs, case, []) is None
    assert progress.fault_of(four_epochs, case, spans(3.0, 5.0, 7.0, 9.0)) is None
    assert progress.fault_of(four_epochs, case, spans(12.0)) is not None


def test_the_forecast_is_compared_with_the_end_of_the_training(progress, four_epochs):
    (case,) = four_epochs.cases
    best = progress.know_progress(four_epochs)
    assert best[2] == pytest.approx(900, rel=0.05)
    scored = progress.score(four_epochs, case, best)
    assert scored.right
    # 900 J at the end of the last epoch, 800 J of them of the training.
    assert scored.best[2] == pytest.approx((best[2] - 900) / 800)
    assert scored.forecasts[2] == pytest.approx(0, abs=0.15)
    assert scored.boundary == pytest.approx(0, abs=0.05)
    late = replace(four_epochs, output=four_epochs.output[:2])
    assert not progress.score(late, case, best).right


def test_long_waits_around_the_training_are_shortened(progress):
    recorder = importlib.import_module("record_progress")
    epoch = {"begin_s": 31.0, "first_step_s": 31.5, "last_step_s": 40.0, "steps": 20}
    header = {"epochs": [epoch], "steps_s": None, "phases": [], "run_end_s": 41.0}
    rows = [[1.0, 1, "starting\n"], [36.0, 1, "half\n"], [40.5, 1, "done\n"]]
    shorter, moved = recorder.shortened(header, rows)
    # Of the 30 s before the training 2 s are left; the 5 s within it are untouched.
    assert shorter["epochs"][0] == epoch | {
        "begin_s": 3.0,
        "first_step_s": 3.5,
        "last_step_s": 12.0,
    }
    assert [t for t, _, _ in moved] == [1.0, 8.0, 12.5]
    assert shorter["run_end_s"] == 13.0
