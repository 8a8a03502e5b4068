"""The epochs that are read from what trainers print, compared with their true ones."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = sorted((ROOT / "tests" / "data" / "progress").glob("*.jsonl"))

# Recordings that are not read rightly yet: the beginning of a name, and what is wrong.
ONE_EPOCH = "the bar of the whole run is recorded as one epoch"
FAILING = {
    "accelerate-1.15.0": ONE_EPOCH + ", and steps of an earlier run as work of this one",
    "keras-3.15.1-bars": "the validation's steps confuse the epochs",
    "lightning-2.6.6-tqdm": "the last epoch lasts until the end of the run",
    "mmengine-0.10.7": "the last epoch lasts until the end of the run",
    "printed-formats-diffusers": ONE_EPOCH,
    "printed-formats-megatron": ONE_EPOCH,
    "printed-formats-swin": "Train: [0/6][4/16] is not read",
    "tqdm-4.70.1-bare": "a seventh epoch: without --epochs the first bar is the whole run at first",
    "tqdm-4.70.1-epochs-only": ONE_EPOCH,
    "tqdm-4.70.1-labelled": "the last epoch lasts until the end of the run",
    "tqdm-4.70.1-resumed": "steps of an earlier run are work of this one",
    "tqdm-4.70.1-train-and-valid": "Train 3/6 is no epoch, and the test belongs to the last one",
    "transformers-5.24.0-accumulation": ONE_EPOCH + ", or evaluation bars confuse the epochs",
    "transformers-5.24.0-default": ONE_EPOCH + ", or evaluation bars confuse the epochs",
    "transformers-5.24.0-resumed": "steps of an earlier run are work of this one",
    "transformers-5.24.0-silent": ONE_EPOCH,
    "transformers-5.24.0-steps": ONE_EPOCH + ", or evaluation bars confuse the epochs",
}


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
def test_epochs_are_read_where_they_are(progress, path, request):
    for name, reason in FAILING.items():
        if path.stem.startswith(name):
            request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    recorded = progress.load(path)
    for case in recorded.cases:
        spans, _ = progress.read_output(recorded, case["epochs"], tick_s=0.5)
        spans.sort(key=lambda span: span.start_s)
        assert progress.fault_of(recorded, case, spans) is None, case
