"""Past runs of a real ledger, as forecasters see them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.recordings import ENVIRONMENT, training, without_samples
from joulecast.errors import BadInputError
from joulecast.forecasting.base import Work
from joulecast.forecasting.online.histories import histories, history_of, same_machine
from joulecast.ledger import Ledger, open_ledger
from joulecast.recording.model import Recording, Span, Status
from joulecast.recording.summary import summarize

DAY_S = 86400.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def run(day: int, **facts: Any) -> Recording:
    """A short training; later days are newer runs."""
    header = {"epochs": 3, "epoch_s": 2.0, "domains": ("gpu:0",), "run_id": f"day{day}"}
    return training(started_at=1.7e9 + day * DAY_S, **(header | facts))


def test_epochs_are_those_of_the_report(ledger: Ledger) -> None:
    made = training(epochs=5, planned_epochs=40)
    ledger.add(made)
    (history,) = histories(ledger)
    assert history.run_id == made.header.run_id and history.planned == 40
    document = summarize(ledger.load("last")).to_json()
    assert history.epochs == tuple(
        Work(1.0, e["duration_s"], e["energy"]["value"]) for e in document["epochs"]
    )
    assert len(history.epochs) == 5 and all(e.energy_j > 1000 for e in history.epochs)


def test_newest_first_up_to_the_limit(ledger: Ledger) -> None:
    for day in (2, 0, 3, 1):
        ledger.add(run(day))
    assert [h.run_id for h in histories(ledger)] == ["day3", "day2", "day1", "day0"]
    assert [h.run_id for h in histories(ledger, limit=2)] == ["day3", "day2"]
    assert histories(ledger, limit=0) == []


def test_runs_of_the_same_name_come_first(ledger: Ledger) -> None:
    for day, name in enumerate(("mine", "other", "mine", "other")):
        ledger.add(run(day, name=name))
    assert [h.run_id for h in histories(ledger, first="mine")] == ["day2", "day0", "day3", "day1"]
    assert [h.run_id for h in histories(ledger, first="mine", limit=1)] == ["day2"]


def test_runs_that_cannot_be_used_are_left_out(ledger: Ledger) -> None:
    def unseen(made: Recording) -> Recording:
        made.samples = {d: s for d, s in made.samples.items() if d != "gpu:0"}
        return made

    ledger.add(run(0))
    ledger.add(run(1, epochs=1))
    ledger.add(unseen(run(2)))
    ledger.add(without_samples(run_id="day3"))
    ledger.add(run(4, status=Status.FAILED))
    ledger.add(run(5))
    with ledger._database.writing() as connection:
        connection.execute("UPDATE joulecast_chunks SET data = x'00' WHERE run_id = 'day5'")
    assert [h.run_id for h in histories(ledger)] == ["day0"]
    for day, reason in (
        ("day1", "it has one epoch only"),
        ("day2", "the energy of its epoch 1 is unknown"),
        ("day3", "it has no epochs"),
    ):
        with pytest.raises(BadInputError, match=reason):
            history_of(summarize(ledger.load(day)))


def test_recorded_time_to_read_is_limited(ledger: Ledger) -> None:
    for day in range(3):
        ledger.add(run(day))
    one = run(0).duration_s
    assert len(histories(ledger, max_read_s=2.5 * one)) == 2


def test_only_this_machine(ledger: Ledger) -> None:
    elsewhere = copy.deepcopy(ENVIRONMENT)
    elsewhere["cpu"]["name"] = "AMD EPYC 9654 96-Core Processor"
    ledger.add(run(0))
    ledger.add(run(1, environment=elsewhere))
    ledger.add(run(2, environment={}))
    assert [h.run_id for h in histories(ledger, machine=ENVIRONMENT)] == ["day0"]
    assert [h.run_id for h in histories(ledger, machine=elsewhere)] == ["day1"]
    assert histories(ledger, machine={}) == []


def test_the_same_machine_has_the_same_cpu_and_visible_gpus() -> None:
    other = copy.deepcopy(ENVIRONMENT)
    other["host"]["kernel"], other["container"] = "6.12", None
    assert same_machine(ENVIRONMENT, other)
    other["gpus"][1]["visible"] = True
    assert not same_machine(ENVIRONMENT, other)
    assert not same_machine({}, {})
    assert not same_machine({"cpu": None, "gpus": None}, {"cpu": None})
    assert same_machine({"cpu": {"name": "x"}}, {"cpu": {"name": "x"}, "gpus": [], "notes": ["?"]})


def test_an_epoch_that_never_ended_does_not_count() -> None:
    made = run(0)
    made.spans.append(Span(99, None, "epoch", "epoch", made.duration_s - 0.5, None, 3))
    assert len(history_of(summarize(made)).epochs) == 3


def test_the_first_of_several_ranks_counts() -> None:
    made = run(0)
    once = [s for s in made.spans if s.kind == "epoch"]
    made.spans += [
        Span(100 + s.id, None, "epoch", "e", s.start_s, s.end_s, s.index, 7) for s in once
    ]
    assert len(history_of(summarize(made)).epochs) == 3


def test_more_epochs_than_planned_were_planned() -> None:
    assert history_of(summarize(run(0, planned_epochs=2))).planned == 3


def test_an_epoch_too_short_for_the_meter() -> None:
    made = run(0)
    end = next(s.end_s for s in made.spans if s.kind == "epoch")
    seen = made.samples["gpu:0"]
    for readings in (seen.value, seen.low, seen.high):
        readings[seen.t_s < end + 0.2] = 0.0  # it does not count so little
    with pytest.raises(BadInputError):
        history_of(summarize(made))
