"""What a ledger and a list of runs show of themselves, and runs moved from Python."""

import io
from pathlib import Path

import pytest

from fakes.stored_runs import assert_same, recording
from joulecast import export_run, import_runs, open_ledger, serialize
from joulecast.errors import LedgerError, RunNotFoundError, UsageError
from joulecast.ledger import RunRow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_ledger(tmp_path / "runs.sqlite") as ledger:
        ledger.add(recording(name="<b>"))
    return tmp_path / "runs.sqlite"


def test_a_ledger_shows_its_runs(path: Path, tmp_path: Path) -> None:
    with open_ledger(path) as ledger:
        assert repr(ledger) == f"<Ledger at {path}, latest run '<b>'>"
        html = ledger._repr_html_()
        assert html is not None
        assert "&lt;b&gt;" in html
        assert "<b>" not in html
    with open_ledger(tmp_path / "empty.sqlite") as ledger:
        assert "no runs" in repr(ledger)
        (tmp_path / "empty.sqlite").write_bytes(b"not a database")
        assert "empty.sqlite" in repr(ledger)


def test_a_list_of_runs_is_a_sequence_and_a_document(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.add(recording("other", "digits", started_at=1.0))
        runs = ledger.runs()
    assert [run.name for run in runs] == ["<b>", "digits"]
    assert (len(runs), runs[-1].name, runs[1:]) == (2, "digits", [runs[1]])
    document = runs.to_json()
    assert document["schema"] == "joulecast/runs/1"
    assert serialize.read(document["runs"], list[RunRow]) == list(runs)
    assert "digits" in repr(runs)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_run_moves_to_another_ledger(path: Path, tmp_path: Path, form: str) -> None:
    export_run("last", tmp_path / f"run.{form}", ledger=path)
    written = io.StringIO()
    export_run("last", written, form=form, ledger=path)  # type: ignore[arg-type]
    assert written.getvalue() == (tmp_path / f"run.{form}").read_text()
    (run,) = import_runs(
        tmp_path / f"run.{form}", name="moved", tags={"to": "here"}, ledger=tmp_path / "b.sqlite"
    )
    assert run.name == "moved"
    assert run.tags["to"] == "here"
    with open_ledger(path) as there, open_ledger(tmp_path / "b.sqlite") as here:
        moved, made = here.load(run.run_id), there.load("last")
    if form == "json":
        made = recording(name="moved", tags={"model": "cnn", "seed": "1", "to": "here"})
        assert_same(moved, made)
    assert set(moved.samples) <= set(made.samples)
    assert moved.samples


def test_a_run_that_is_there_is_kept_unless_replaced(path: Path, tmp_path: Path) -> None:
    export_run("last", tmp_path / "run.json", ledger=path)
    with pytest.raises(LedgerError):
        import_runs([tmp_path / "run.json"], ledger=path)
    (run,) = import_runs([tmp_path / "run.json"], name="new", replace=True, ledger=path)
    assert run.name == "new"


def test_misuse(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        export_run("digitz", tmp_path / "run.json", ledger=path)
    with pytest.raises(UsageError):
        export_run("last", tmp_path / "no" / "run.json", ledger=path)
