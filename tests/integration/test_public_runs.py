"""`joulecast.show`, `report` and `runs` on recorded runs."""

import json

import pytest

import joulecast
from fakes.recordings import training
from joulecast.errors import RunNotFoundError, UsageError


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    where = tmp_path_factory.mktemp("public") / "ledger.sqlite"
    with joulecast.open_ledger(where) as opened:
        opened.add(training(run_id="aaaa000000000001", started_at=1_700_000_000.0))
        opened.add(training(run_id="bbbb000000000002", name="digits", tags={"lr": "0.1"}))
    return where


def test_show_has_the_figures_and_the_power(ledger):
    report = joulecast.show("digits", ledger=ledger)
    document = report.to_json()
    assert next(iter(document)) == "schema"
    assert document["run_id"] == "bbbb000000000002"
    assert document["energy"]["total"]["value"] == report.summary.total.value > 0
    assert document["power"]["stabilizing"]["method"] == "cusum"
    json.dumps(document, allow_nan=False)


def test_show_refuses_an_unknown_method(ledger):
    with pytest.raises(UsageError):
        joulecast.show("digits", ledger=ledger, stabilization="magic")


def test_report_writes_a_page_and_never_overwrites_an_unnamed_file(ledger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = joulecast.report("digits", ledger=ledger)
    assert path.name == "digits-bbbb0000.html"
    assert '<data id="total"' in path.read_text()
    with pytest.raises(UsageError):
        joulecast.report("digits", ledger=ledger)
    assert joulecast.report("digits", path, ledger=ledger) == path
    with pytest.raises(UsageError):
        joulecast.report("digits", tmp_path / "no" / "x.html", ledger=ledger)


@pytest.mark.parametrize(
    ("patterns", "filters", "ids"),
    [
        ((), {}, ["bbbb", "aaaa"]),
        (("resnet*",), {}, ["aaaa"]),
        (("digits", "aaaa"), {}, ["bbbb", "aaaa"]),
        (("*",), {"tags": {"lr": "0.1"}}, ["bbbb"]),
        ((), {"since": "2026-01-01"}, ["bbbb"]),
        ((), {"until": 1_700_000_001.0}, ["aaaa"]),
        ((), {"status": "failed"}, []),
        ((), {"limit": 1}, ["bbbb"]),
    ],
)
def test_runs_are_filtered(ledger, patterns, filters, ids):
    listing = joulecast.runs(*patterns, ledger=ledger, **filters)
    assert [row.run_id[:4] for row in listing.runs] == ids


def test_a_pattern_without_a_run_is_an_error(ledger):
    with pytest.raises(RunNotFoundError):
        joulecast.runs("nobody", ledger=ledger)


def test_runs_refuses_an_unknown_status(ledger):
    with pytest.raises(UsageError):
        joulecast.runs(status="lost", ledger=ledger)


def test_a_run_shows_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("JOULECAST_LEDGER", str(tmp_path / "ledger.sqlite"))
    run = joulecast.record("little [b]", quiet=True)
    with pytest.raises(UsageError):
        joulecast.report(run)
    assert repr(run).startswith("little [b]: ")
    with run:
        assert "running" in repr(run)
        assert "<p>" in run._repr_html_()
    assert "finished" in repr(run)
    assert joulecast.report(run, tmp_path / "run.html").stat().st_size > 10_000
    assert run._repr_html_().startswith("<div")
