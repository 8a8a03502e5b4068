"""Forecasts kept in a ledger with what came of them, and where their record is reported."""

import json

import pytest

import joulecast
from fakes.recordings import training
from joulecast.ledger import open_ledger
from joulecast.recording.made_forecasts import ForecastRecord, MadeForecast
from joulecast.recording.model import Footer, Status
from joulecast.recording.summary import summarize
from joulecast.wall.wall_energy import summary_of


def run(day, energy_of, status=Status.FINISHED):
    """A run whose energy was forecast as `energy_of` times its own, within 10 %."""
    made = training(
        epochs=3,
        epoch_s=2.0,
        domains=("gpu:0",),
        run_id=f"day{day}",
        started_at=1.7e9 + 86400 * day,
    )
    total = summarize(made).total
    value = energy_of * total.value
    forecasts = [MadeForecast(t, t, 3.0, value, 0.9 * value, 1.1 * value) for t in (1.0, 2.0)]
    made.footer = Footer(status, made.duration_s, 0, [], total, forecasts)
    made.status = status
    return made


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        for day in range(6):
            opened.add(run(day, 1.05 if day else 1.5))
        opened.add(run(7, 3.0, Status.FAILED))
        opened.add(training(run_id="without", epochs=3))
        yield opened


def test_the_ledger_keeps_forecasts_and_their_record(ledger):
    assert ledger.forecast_record() == ForecastRecord(6, 5, 1.0)
    assert [f.t_s for f in ledger.load("day3").footer.forecasts] == [1.0, 2.0]


def test_show_and_evaluate_report_the_record(ledger):
    document = joulecast.show("day3", ledger=str(ledger.location)).to_json()
    assert document["forecast_record"] == {"runs": 6, "held": 5, "width": 1.0}
    assert [f["done"] for f in document["forecasts"]] == [1.0, 2.0]
    assert summary_of(ledger.load("without"), ledger).forecast_record is None
    evaluation = joulecast.evaluate(ledger=str(ledger.location), at=[1], methods=["carbontracker"])
    assert evaluation.to_json()["forecast_record"]["held"] == 5
    assert "5 of your last 6 runs" in repr(evaluation)
    assert "5 of your last 6 runs" in repr(joulecast.show("day3", ledger=str(ledger.location)))


def test_forecasts_survive_an_export(ledger, tmp_path):
    from joulecast.ledger.recording_json import export_text, import_json

    recording = ledger.load("day3")
    again = import_json(json.loads("".join(export_text(recording))))
    assert again.footer == recording.footer


def test_a_run_records_its_forecasts(tmp_path, monkeypatch):
    import time

    monkeypatch.setenv("JOULECAST_LEDGER", str(tmp_path / "own.sqlite"))
    with joulecast.record("epochs", epochs=4) as training_run:
        for _ in training_run.epochs(4):
            time.sleep(0.3)
    with open_ledger(tmp_path / "own.sqlite") as opened:
        footer = opened.load("last").footer
        record = opened.forecast_record()
    if footer.total is None:
        pytest.skip("no meter on this machine")
    assert [f.done for f in footer.forecasts] == [1.0, 2.0, 3.0]
    assert all(f.planned == 4 and f.low <= f.value <= f.high for f in footer.forecasts)
    assert record.runs == 1
