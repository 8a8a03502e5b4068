"""One damaged run in a ledger hides no other, and is named."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.stored_runs import recording
from joulecast.analysis.table.load import load_table
from joulecast.errors import DamagedRunError, LedgerWarning
from joulecast.ledger import open_ledger, studies
from joulecast.ledger.study_model import PlannedStudy, Study, Trial

GOOD, BAD = "aaaa000000000001", "bbbb000000000002"
# Columns that a list reads, and those that only the whole recording needs.
IN_LISTS = [
    ("runs", "started_at", "1764340000000"),
    ("runs", "started_at", "1e308"),
    ("runs", "started_at", "'soon'"),
    ("runs", "name", "x'ff00'"),
    ("runs", "tags", "'{'"),
    ("runs", "status", "'odd'"),
    ("runs", "footer", "x'ff'"),
    ("runs", "footer", "''"),
    ("runs", "duration_s", "1e300"),
    ("runs", "heartbeat", "'x'"),
]
IN_LOADS = [
    ("runs", "header", "'{'"),
    ("runs", "header", "x'ff'"),
    ("spans", "start_s", "'x'"),
    ("spans", "end_s", "1e300"),
    ("spans", '"index"', "0.5"),
    ("metrics", "value", "'x'"),
    ("metrics", "t_s", "1e300"),
    ("gaps", "end_s", "'x'"),
    ("chunks", "data", "'x'"),
    ("chunks", "data", "x'ff00'"),
    ("chunks", "count", "1e18"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as ledger:
        now = time.time()
        ledger.add(recording(GOOD, "digits", started_at=now - 20))
        ledger.add(recording(BAD, "digits", started_at=now - 10))
    return path


def damage(path: Path, table: str, column: str, value: str) -> None:
    with sqlite3.connect(path) as connection:
        change = f"UPDATE joulecast_{table} SET {column} = {value} WHERE run_id = '{BAD}'"
        assert connection.execute(change).rowcount
    connection.close()


@pytest.mark.parametrize("place", IN_LISTS)
def test_lists_have_the_other_runs(path: Path, place: tuple[str, str, str]) -> None:
    damage(path, *place)
    with open_ledger(path) as ledger:
        with pytest.warns(LedgerWarning, match=BAD):
            assert [run.run_id for run in ledger.runs()] == [GOOD]
        with pytest.warns(LedgerWarning, match=BAD):
            assert [run.run_id for run in ledger.runs("digits")] == [GOOD]
        with pytest.warns(LedgerWarning, match=BAD):
            assert ledger.find("last").run_id == GOOD
        with pytest.raises(DamagedRunError, match=BAD):
            ledger.find(BAD)


@pytest.mark.parametrize("place", IN_LOADS)
def test_the_latest_run_is_one_that_can_be_read(path: Path, place: tuple[str, str, str]) -> None:
    damage(path, *place)
    with open_ledger(path) as ledger:
        for ref in ("last", "digits"):
            with pytest.warns(LedgerWarning, match=BAD):
                assert ledger.load(ref).header.run_id == GOOD
        with pytest.raises(DamagedRunError, match=BAD):
            ledger.load(BAD)
    table = load_table(["digits"], where={"status": "failed"}, ledger=path)
    assert table.columns["run_id"] == [GOOD]
    assert any(BAD in note for note in table.notes)


def test_a_run_that_starts_after_the_calendar_does_not_stay_the_last(path: Path) -> None:
    damage(path, "runs", "started_at", "1764340000000")
    for arguments in (
        ["runs"],
        ["show", "last"],
        ["report", "last", "-o", "run.html"],
        ["export", "last", "-o", "run.json"],
        ["carbon", "last"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "joulecast", *arguments, "--ledger", str(path)],
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert f"joulecast: ledger {path}: run {BAD} is damaged" in done.stderr
        assert done.stderr.count("\n") == 1
    assert GOOD in (path.parent / "run.json").read_text()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("factors", "'{'"), ("factors", "-1e308"), ("status", "'odd'"), ("seed", "'x'")),
        *(("energy_j", "1e18"), ("started_at", "'x'")),
    ],
)
def test_a_damaged_trial_hides_no_other(path: Path, column: str, value: str) -> None:
    study = Study("s", "train.py:train", {"batch": (1, 2)})
    trials = [Trial(f"t{i}", i, {"batch": i}, 0, 7) for i in (1, 2)]
    with open_ledger(path) as ledger:
        studies.plan(ledger, PlannedStudy(study, ".", "here", "0" * 64), trials, print)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE joulecast_trials SET energy_low_j = 1, energy_high_j = 2")
            change = f"UPDATE joulecast_trials SET {column} = {value} WHERE trial_id = 't1'"
            connection.execute(change)
        connection.close()
        with pytest.warns(LedgerWarning, match="t1"):
            assert [trial.trial_id for trial in studies.trials(ledger, "s")] == ["t2"]


def test_a_damaged_plan_hides_no_other_study(path: Path) -> None:
    with open_ledger(path) as ledger:
        for name in ("a", "b"):
            study = Study(name, "train.py:train", {"batch": (1,)})
            studies.plan(ledger, PlannedStudy(study, ".", "here", "0" * 64), [], print)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE joulecast_studies SET document = '{' WHERE name = 'a'")
        connection.close()
        with pytest.warns(LedgerWarning, match="a is damaged"):
            assert [planned.plan.name for planned, _ in studies.listed(ledger)] == ["b"]
