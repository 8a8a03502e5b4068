"""Ledgers and exports of version 0.1.0 open: real ones, written by that version."""

import gzip
from pathlib import Path

from joulecast.ledger import open_ledger
from joulecast.ledger.recording_json import read_json
from joulecast.recording.summary import summarize
from joulecast.study.results import load_results

OLD = Path(__file__).parents[1] / "data" / "version-0.1.0"
GAUGES = {"cpu/utilization_pct", "memory_bytes"}


def test_an_old_ledger_migrates(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(gzip.decompress((OLD / "ledger.sqlite.gz").read_bytes()))
    with open_ledger(file) as ledger:
        assert len(ledger.runs()) == 5
        recording = ledger.load("plain")
        assert set(recording.samples) >= GAUGES
        assert {gauge.domain for gauge in recording.header.gauges} >= GAUGES
        summary = summarize(recording)
        assert round(summary.total.value, 2) == 6.46
        means = {gauge.name: gauge.mean for gauge in summary.gauges}
        assert all(means[name] is not None for name in GAUGES)
        study = load_results(ledger, "old")
        assert study.plan.order == "randomized"
        assert study.plan.maximize is False
        assert len(study.trials) == 4
        utilization = study.table.numbers("cpu_utilization_pct")
        assert len(utilization) == 4 and all(0 < x <= 100 for x in utilization)


def test_a_new_ledger_has_the_tables_of_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "old.sqlite").write_bytes(gzip.decompress((OLD / "ledger.sqlite.gz").read_bytes()))
    shapes = []
    for name in ("old", "new"):
        with (
            open_ledger(tmp_path / f"{name}.sqlite") as ledger,
            ledger._database.reading() as connection,
        ):
            query = "SELECT type, name FROM sqlite_master WHERE name LIKE 'joulecast%'"
            parts = {(row["type"], row["name"]) for row in connection.rows(query)}
            columns = {
                (table, row["name"], row["notnull"], row["pk"])
                for kind, table in parts
                if kind == "table"
                for row in connection.rows(f"PRAGMA table_info({table})")
            }
        shapes.append((parts, columns))
    assert shapes[0] == shapes[1]
    assert len(shapes[1][1]) > 60


def test_an_old_export_is_read() -> None:
    recording = read_json(OLD / "run.json.gz")
    assert set(recording.samples) >= GAUGES
    assert round(summarize(recording).total.value, 2) == 6.46
