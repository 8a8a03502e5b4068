"""A recording whose ledger fails goes elsewhere, once, and whole."""

import sqlite3
from pathlib import Path

import pytest

import joulecast
from fakes.stored_runs import header, samples
from joulecast.errors import LedgerError, ServerAwayError
from joulecast.ledger import open_ledger, queries, rescue, store
from joulecast.ledger.rescue import RescueSink, adopt
from joulecast.ledger.sink import LedgerSink
from joulecast.recording.model import Footer, Metric, Span, Status

END = Footer(Status.FINISHED, 3.0, 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rescue, "_PAUSE_S", 0.0)
    return tmp_path


class Failing:
    """Makes the calls of a sink's method fail: those whose error is not None."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, method: str, *errors: Exception | None
    ) -> None:
        self.errors = list(errors)
        real = getattr(LedgerSink, method)

        def fail(sink: LedgerSink, *arguments: object) -> None:
            error = self.errors.pop(0) if self.errors else None
            if error is not None:
                raise error
            real(sink, *arguments)

        monkeypatch.setattr(LedgerSink, method, fail)


def recorded(sink: RescueSink, seconds: int = 3) -> None:
    sink.open(header("run"))
    for second in range(seconds):
        sink.flush({"gpu:0": samples(1, start=second)}, [], [Metric(second, "m", 1.0, None)], [])
    sink.close(END)
    sink.release()


def test_a_server_that_restarts_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = ServerAwayError("it is being restarted")
    for method in ("open", "flush", "close"):
        Failing(monkeypatch, method, away, away)
    messages: list[str] = []
    recorded(RescueSink(folder / "ledger.sqlite", messages.append, {}))
    assert messages == []
    with open_ledger(folder / "ledger.sqlite") as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 30
        assert ledger.find("run").status is Status.FINISHED


def test_a_server_that_stays_away_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "RETRY_S", 0.0)
    Failing(monkeypatch, "open", ServerAwayError("it is gone"))
    messages: list[str] = []
    recorded(RescueSink(folder / "ledger.sqlite", messages.append, {}))
    assert len(messages) == 1
    with open_ledger(folder / "joulecast-rescue-run.sqlite", create=False) as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 30


def test_values_that_no_database_stores_cost_one_second_of_events(folder: Path) -> None:
    messages: list[str] = []
    sink = RescueSink(folder / "ledger.sqlite", messages.append, {})
    sink.open(header("run"))
    odd = Span(1, None, "epoch", "epoch 0", 0.0, 1.0, 10**20, 1)
    sink.flush({"gpu:0": samples(1)}, [odd], [], [])
    sink.flush({"gpu:0": samples(1, start=1)}, [], [Metric(1.5, "loss", 0.5, None)], [])
    sink.close(END)
    assert len(messages) == 1
    assert list(folder.glob("*rescue*")) == []
    with open_ledger(folder / "ledger.sqlite") as ledger:
        run = ledger.load("run")
    assert len(run.samples["gpu:0"]) == 20
    assert (run.spans, len(run.metrics)) == ([], 1)


def test_a_second_move_leaves_one_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder / "data"
    full = LedgerError("its disk is full")
    # The ledger at the second flush; the first rescue when the recording so far is in it.
    Failing(monkeypatch, "flush", None, full, None, full)
    messages: list[str] = []
    recorded(RescueSink(data / "ledger.sqlite", messages.append, {}))
    assert [str(data) in text for text in messages] == [True, False]
    assert [path.name for path in folder.rglob("*rescue*.sqlite")] == [
        "joulecast-rescue-run.sqlite"
    ]
    with open_ledger(folder / "joulecast-rescue-run.sqlite", create=False) as ledger:
        run = ledger.load("run")
        assert (len(run.samples["gpu:0"]), len(run.metrics)) == (30, 3)
    # What was stored in the ledger stays: it has samples.
    with open_ledger(data / "ledger.sqlite") as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 10


def test_an_empty_run_is_not_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Failing(monkeypatch, "flush", LedgerError("its disk is full"))
    recorded(RescueSink(folder / "data" / "ledger.sqlite", lambda text: None, {}))
    with open_ledger(folder / "data" / "ledger.sqlite") as ledger:
        assert list(ledger.runs()) == []
    (file,) = folder.rglob("*rescue*.sqlite")
    with open_ledger(file, create=False) as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 30


def test_a_recording_in_memory_is_stored_at_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = LedgerError("its disk is full")
    # The ledger, then all places for the rescue, fail at the second flush.
    Failing(monkeypatch, "flush", None, full, None, full, None, full, None, full)
    messages: list[str] = []
    recorded(RescueSink(folder / "data" / "ledger.sqlite", messages.append, {}))
    named = messages[-1].rpartition("joulecast import ")[2].rstrip(")")
    with open_ledger(Path(named), create=False) as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 30
    Path(named).unlink()


def full_in_mid_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger that stored the first of three seconds; the rest went into the rescue file."""
    path = folder / "data" / "ledger.sqlite"
    Failing(monkeypatch, "flush", None, LedgerError("its disk is full"))
    recorded(RescueSink(path, lambda text: None, {}))
    # The recorder has ended.
    monkeypatch.setattr(store, "is_interrupted", lambda *_: True)
    return path


def test_a_rescued_run_is_adopted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = full_in_mid_run(folder, monkeypatch)
    with open_ledger(path) as ledger:
        assert ledger.find("run").status is Status.INTERRUPTED
    (run,) = joulecast.runs(ledger=path)
    assert (run.status, run.duration_s) == (Status.FINISHED, 3.0)
    assert list(folder.rglob("*rescue*")) == []
    with open_ledger(path) as ledger:
        assert len(ledger.load("run").samples["gpu:0"]) == 30
        assert not adopt(ledger, "run")


def test_a_rescued_run_that_goes_on_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = full_in_mid_run(folder, monkeypatch)
    (file,) = folder.rglob("*rescue*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE joulecast_runs SET footer = NULL, status = 'running'")
    connection.close()
    with open_ledger(path) as ledger:
        assert not adopt(ledger, "run")
        assert ledger.find("run").status is Status.INTERRUPTED
    assert file.exists()


def test_a_file_of_another_user_is_not_adopted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = full_in_mid_run(folder, monkeypatch)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    with open_ledger(path) as ledger:
        assert not adopt(ledger, "run")
    assert len(list(folder.rglob("*rescue*.sqlite"))) == 1


def test_a_ledger_that_is_still_full_keeps_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = full_in_mid_run(folder, monkeypatch)

    def fail(*_: object) -> None:
        raise LedgerError("its disk is full")

    monkeypatch.setattr(queries, "insert_run", fail)
    with open_ledger(path) as ledger:
        assert not adopt(ledger, "run")
        assert len(ledger.load("run").samples["gpu:0"]) == 10
    assert len(list(folder.rglob("*rescue*.sqlite"))) == 1


def test_a_recording_that_was_in_memory_is_adopted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = full_in_mid_run(folder, monkeypatch)
    (file,) = folder.rglob("*rescue*.sqlite")
    file.rename(file.with_name("joulecast-rescue-run-all.sqlite"))
    with open_ledger(path) as ledger:
        assert adopt(ledger, "run")
        assert ledger.find("run").status is Status.FINISHED
