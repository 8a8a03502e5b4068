from dataclasses import replace

import pytest

from fakes.stored_runs import CPU, GPU, header, samples
from joulecast.errors import BadInputError
from joulecast.forecasting.scoring.static_ledger import of_summary, static_runs
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


def test_what_was_measured_and_what_the_tags_say():
    run = of_summary(summarize(stored()))
    assert run.energy_j == pytest.approx(3000, rel=0.02)
    assert (run.duration_s, run.facts.architecture) == (10.0, "digits")
    assert (run.facts.batch, run.facts.gflops, run.facts.epochs) == (64, 4.1, 3)
    assert (run.facts.tdp_w, run.facts.gpu_cores) == (350, 10496)


def test_tags_go_first():
    tags = {"architecture": "resnet50", "epochs": "7", "tdp_w": "280"}
    facts = of_summary(summarize(stored(tags=tags))).facts
    assert (facts.architecture, facts.epochs, facts.tdp_w) == ("resnet50", 7, 280)
    told = of_summary(summarize(stored(tags={"steps": "900"}))).facts
    assert (told.steps, told.epochs) == (900, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sources": (CPU,)}, "energy of 0 GPUs"),
        ({"sources": (BOARD, replace(BOARD, domain="gpu:1"))}, "energy of 2 GPUs"),
        ({"tags": {"batch": "many"}}, "a tag: batch is many, not a number"),
    ],
)
def test_runs_that_cannot_be_used(changes, why):
    with pytest.raises(BadInputError, match=why):
        of_summary(summarize(stored(**changes)))


def test_a_ledger_gives_those_it_can_and_says_why_not(tmp_path):
    said = []
    with open_ledger(tmp_path / "runs.sqlite") as ledger:
        ledger.add(stored("a" * 16))
        ledger.add(stored("b" * 16, sources=(CPU,)))
        runs = static_runs(ledger, left_out=lambda *run: said.append(run))
    assert [run.run_id for run in runs] == ["a" * 16]
    assert [run_id for run_id, _ in said] == ["b" * 16]
