from dataclasses import replace

import pytest

from fakes.stored_runs import CPU, GPU, header, samples
from joulecast.errors import BadInputError, RunNotFoundError
from joulecast.forecasting.scoring.recorded import Recorded, static_run
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Recording, Span, Status
from joulecast.recording.summary import summarize

BOARD = replace(GPU, device="NVIDIA GeForce RTX 3090")


def stored(run_id="0" * 16, sources=(BOARD, CPU), tags=None, epochs=3):
    tags = {"batch": "64", "gflops": "4.1", "seed": "1"} if tags is None else tags
    head = header(run_id, sources=list(sources), tags=tags)
    spans = [Span(i + 1, None, "epoch", "epoch", 3.0 * i, 3.0 * i + 3, i) for i in range(epochs)]
    return Recording(
        head,
        spans,
        samples={source.domain: samples(10, power_w=300) for source in sources},
        footer=Footer(Status.FINISHED, 10.0, 0),
        status=Status.FINISHED,
    )


def test_measured_values_and_tags():
    run = static_run(summarize(stored()))
    assert run.energy_j == pytest.approx(3000, rel=0.02)
    assert (run.duration_s, run.facts.architecture) == (10.0, "digits")
    assert (run.facts.batch, run.facts.gflops, run.facts.epochs) == (64, 4.1, 3)
    assert (run.facts.tdp_w, run.facts.gpu_cores) == (350, 10496)


def test_tags_go_first():
    tags = {"architecture": "resnet50", "epochs": "7", "tdp_w": "280"}
    facts = static_run(summarize(stored(tags=tags))).facts
    assert (facts.architecture, facts.epochs, facts.tdp_w) == ("resnet50", 7, 280)
    in_steps = static_run(summarize(stored(tags={"steps": "900"}))).facts
    assert (in_steps.steps, in_steps.epochs) == (900, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": (CPU,)},
        {"sources": (BOARD, replace(BOARD, domain="gpu:1"))},
        {"tags": {"batch": "many"}},
    ],
)
def test_runs_that_cannot_be_used(changes):
    with pytest.raises(BadInputError):
        static_run(summarize(stored(**changes)))


def test_finished_runs_newest_first_and_why_others_are_left_out(tmp_path):
    path = tmp_path / "runs.sqlite"
    with open_ledger(path) as ledger:
        for i, run_id in enumerate("abc"):
            run = stored(run_id * 16, sources=(CPU,) if run_id == "b" else (BOARD,))
            ledger.add(replace(run, header=replace(run.header, started_at=1e9 + i)))
    origin, runs, left_out = Recorded(ledger=path).read(static_run)
    assert str(path) in origin
    assert [run.run_id for run in runs] == ["c" * 16, "a" * 16]
    assert [run.run_id for run in left_out] == ["b" * 16]
    _, newest, _ = Recorded(ledger=path, limit=1).read(static_run)
    assert [run.run_id for run in newest] == ["c" * 16]
    _, named, _ = Recorded(["a" * 16], ledger=path).read(static_run)
    assert [run.run_id for run in named] == ["a" * 16]
    with pytest.raises(RunNotFoundError):
        Recorded(["other*"], ledger=path).read(static_run)
