"""Studies in the ledger, on both databases: planned once, each trial claimed by one runner."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from joulecast.errors import LedgerError
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger import Ledger, claims, open_ledger, studies
from joulecast.ledger.liveness import ProcessIdentity, this_process
from joulecast.ledger.study_model import PlannedStudy, Study, Trial

ME = this_process()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan_of(count: int, name: str = "s") -> tuple[PlannedStudy, list[Trial]]:
    plan = Study(name, "train.py:train", {"b": tuple(range(count))})
    planned = PlannedStudy(plan, "/data", "here", "0" * 64)
    return planned, [Trial(f"t{i:03}", i, {"b": i}, 0, 2**31 - 1) for i in range(count)]


def agreed(_: Study) -> None: ...


@pytest.fixture
def ledger(where: str) -> Iterator[Ledger]:
    with open_ledger(where) as opened:
        studies.plan(opened, *plan_of(5), agreed)
        yield opened


def test_a_plan_is_kept_once_and_may_grow(ledger: Ledger) -> None:
    assert studies.plan(ledger, *plan_of(5), agreed) == 0
    grown = plan_of(7)
    assert studies.plan(ledger, *grown, agreed) == 2
    assert [t.order for t in studies.trials(ledger, "s")] == list(range(7))
    assert studies.load(ledger, "s").plan == grown[0].plan
    assert studies.listed(ledger)[0][1] == {"pending": 7}


def test_a_plan_that_does_not_agree_changes_nothing(ledger: Ledger) -> None:
    def refuse(stored: Study) -> None:
        assert stored == plan_of(5)[0].plan
        raise ValueError("another")

    with pytest.raises(ValueError, match="another"):
        studies.plan(ledger, *plan_of(9), refuse)
    assert len(studies.trials(ledger, "s")) == 5


def test_an_unknown_study_gets_the_nearest_name(ledger: Ledger) -> None:
    studies.plan(ledger, *plan_of(1, "digits"), agreed)
    with pytest.raises(LedgerError, match="digits"):
        studies.load(ledger, "digit")


def test_claims_go_in_order_and_end_with_a_result(ledger: Ledger) -> None:
    first = claims.claim(ledger, "s", ME)
    assert first is not None
    assert (first.trial_id, first.status, first.host) == ("t000", "running", ME.host)
    assert claims.beat(ledger, "s", "t000", ME, "run-1")
    energy = Estimate(5.0, 4.0, 7.0, own_low=4.8, own_high=5.5)
    assert claims.end(
        *(ledger, "s", "t000", ME, "finished"),
        run_id="run-1",
        error="x" * 2000,
        log="a\0b" + "y" * 99_999,
        energy=energy,
        duration_s=2.0,
        figures={"row": {"accuracy": 0.5}},
    )
    trial, log = studies.trial(ledger, "s", "t000")
    assert trial.energy == energy and energy.provenance is Provenance.MEASURED
    assert trial.error is not None and len(trial.error) == claims.LONGEST_ERROR
    assert len(log) == claims.LONGEST_LOG
    assert studies.figures(ledger, "s") == {"t000": {"row": {"accuracy": 0.5}}}
    assert studies.used(ledger, "s") == (5.0, 2.0)
    studies.add_used(ledger, "s", 1.0, 0.5)
    assert studies.used(ledger, "s") == (6.0, 2.5)
    following = claims.claim(ledger, "s", ME)
    assert following is not None and following.trial_id == "t001"
    assert claims.release(ledger, "s", "t001", ME)
    again = claims.claim(ledger, "s", ME)
    assert again is not None and again.trial_id == "t001"


def test_a_result_of_one_who_lost_the_claim_is_not_stored(ledger: Ledger) -> None:
    claims.claim(ledger, "s", ME)
    other = replace(ME, pid=1, started="x")
    assert not claims.beat(ledger, "s", "t000", other)
    assert not claims.end(ledger, "s", "t000", other, "finished", energy=Estimate(1, 1, 1))
    assert not claims.release(ledger, "s", "t000", other)
    assert studies.trial(ledger, "s", "t000")[0].status == "running"


def test_the_trial_of_a_dead_process_is_taken_back_at_once(ledger: Ledger) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "from joulecast.ledger.liveness import *; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    gone = eval(child.stdout, {"ProcessIdentity": ProcessIdentity})
    claims.claim(ledger, "s", gone)
    claims.claim(ledger, "s", ME)
    assert claims.runners(ledger, "s") == {"t000": False, "t001": True}
    assert [lost.trial_id for lost in claims.reclaim(ledger, "s")] == ["t000"]
    assert [t.status for t in studies.trials(ledger, "s")[:2]] == ["pending", "running"]


def test_a_living_process_keeps_its_trial_without_heartbeats(where: str) -> None:
    clock = Clock()
    with open_ledger(where, clock=clock) as ledger:
        studies.plan(ledger, *plan_of(1), agreed)
        claims.claim(ledger, "s", ME)
        clock.now += 1e6  # suspended for days
        assert claims.reclaim(ledger, "s") == []


def test_a_claim_of_another_machine_expires_after_a_minute(tmp_path) -> None:
    clock = Clock()
    elsewhere = replace(ME, host="another")
    with open_ledger(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        studies.plan(ledger, *plan_of(1), agreed)
        claims.claim(ledger, "s", elsewhere)
        clock.now += claims.LOST_S - 1
        assert claims.reclaim(ledger, "s") == []
        assert claims.beat(ledger, "s", "t000", elsewhere)
        clock.now += claims.LOST_S - 1
        assert claims.reclaim(ledger, "s") == []
        clock.now += 2
        assert [lost.trial_id for lost in claims.reclaim(ledger, "s")] == ["t000"]


def test_silence_is_measured_by_the_server_s_clock(postgres: str) -> None:
    elsewhere, clock = replace(ME, host="another"), Clock()  # which the server's is not
    with open_ledger(postgres, clock=clock) as ledger:
        studies.plan(ledger, *plan_of(2), agreed)
        claims.claim(ledger, "s", elsewhere)
        time.sleep(0.3)
        claims.claim(ledger, "s", replace(elsewhere, pid=2))
        assert [lost.trial_id for lost in claims.reclaim(ledger, "s", lost_s=0.25)] == ["t000"]
        assert not claims.beat(ledger, "s", "t000", elsewhere)
        taken = claims.claim(ledger, "s", ME)
        assert taken is not None and taken.trial_id == "t000"
        assert not claims.end(ledger, "s", "t000", elsewhere, "finished", run_id="late")
        assert claims.end(ledger, "s", "t000", ME, "finished", run_id="mine")
        assert studies.trial(ledger, "s", "t000")[0].run_id == "mine"


def test_nobody_is_silent_while_the_server_is_down(postgres: str) -> None:
    with open_ledger(postgres) as ledger:
        studies.plan(ledger, *plan_of(1), agreed)
        claims.claim(ledger, "s", replace(ME, host="another"))
        with ledger._database.writing() as connection:
            connection.execute("UPDATE joulecast_trials SET heartbeat = 0")
        assert claims.reclaim(ledger, "s", lost_s=1e9) == []  # of 1970: before its start


def test_a_result_that_is_stored_twice_is_stored(ledger: Ledger) -> None:
    """The server took it, and its answer was lost with the connection."""
    claims.claim(ledger, "s", ME)
    assert claims.end(ledger, "s", "t000", ME, "finished", run_id="run-1", duration_s=1.0)
    assert claims.end(ledger, "s", "t000", ME, "finished", run_id="run-1", duration_s=2.0)
    assert studies.trial(ledger, "s", "t000")[0].duration_s == 1.0
    assert not claims.end(ledger, "s", "t000", ME, "finished", run_id="run-2")


def test_failed_trials_run_again_still_count_as_used(ledger: Ledger) -> None:
    studies.add_used(ledger, "s", 1.0, 0.5)
    for status in ("failed", "out_of_memory", "finished"):
        trial = claims.claim(ledger, "s", ME)
        assert trial is not None
        claims.end(ledger, "s", trial.trial_id, ME, status, energy=Estimate(2, 1, 3), duration_s=1)
    assert claims.again(ledger, "s", "failed") == 1
    statuses = Counter(t.status for t in studies.trials(ledger, "s"))
    assert statuses == {"pending": 3, "out_of_memory": 1, "finished": 1}
    assert studies.used(ledger, "s") == (7.0, 3.5)


def test_concurrent_runners_claim_every_trial_once(where: str) -> None:
    count, runners = 40, 8
    with open_ledger(where) as ledger:
        studies.plan(ledger, *plan_of(count), agreed)

    def work(number: int) -> list[str]:
        me, found = replace(ME, started=f"{number}"), []
        with open_ledger(where) as mine:
            while True:
                trial = claims.claim(mine, "s", me)
                if trial is None:
                    return found
                found.append(trial.trial_id)
                assert claims.end(mine, "s", trial.trial_id, me, "finished")

    with ThreadPoolExecutor(runners) as pool:
        taken = [trial for found in pool.map(work, range(runners)) for trial in found]
    assert Counter(taken) == Counter(f"t{i:03}" for i in range(count))


def test_concurrent_planners_plan_one_study(where: str) -> None:
    with open_ledger(where):
        pass  # the tables are there

    def work(_: int) -> int:
        with open_ledger(where) as mine:
            return studies.plan(mine, *plan_of(30), agreed)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [0, 0, 0, 30]


def test_a_damaged_plan_names_its_study(ledger: Ledger) -> None:
    with ledger._database.writing() as connection:
        connection.execute("UPDATE joulecast_studies SET document = '{\"name\": 1}'")
    with pytest.raises(LedgerError, match=r"study s\b"):
        studies.load(ledger, "s")
