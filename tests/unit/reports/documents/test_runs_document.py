"""The list of runs."""

from datetime import datetime

import pytest

from fakes.golden import golden
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger import RunList, RunRow
from joulecast.recording.model import Status
from joulecast.reports.documents.runs import runs_document
from joulecast.reports.terminal.render import to_text

STARTED = datetime(2026, 1, 31, 14, 30).timestamp()
RUNS = RunList(
    [
        RunRow(
            *("aaaa000000000001", "python train.py --batch 256 --lr 0.1 --epochs 90", STARTED),
            *(5230.0, Status.FINISHED, 0),
            Estimate(405e3, 380e3, 431e3, "J", Provenance.MEASURED),
            *({"lr": "0.1", "model": "resnet50"}, None),
        ),
        RunRow("bbbb000000000002", "digits", STARTED, 0.4, Status.RUNNING, None, None, {}, None),
    ]
)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table(width):
    golden(f"runs_{width}", to_text(runs_document(RUNS), width))


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_figure_is_cut(width):
    text = to_text(runs_document(RUNS), width)
    for figure in ("405 kJ (380 to 431)", "measured", "1 h 27 min", "not measured"):
        assert figure in text


def test_no_runs():
    assert len(runs_document(RunList([])).head) == 1
