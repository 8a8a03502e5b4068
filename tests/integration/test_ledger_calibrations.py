"""Calibrations in the ledger, the same on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.stored_runs import assert_same, recording
from joulecast.errors import LedgerError
from joulecast.ledger import Ledger, calibrations, open_ledger
from joulecast.ledger.migrations import migrate
from joulecast.ledger.revision import REVISION

HERE = {"cpu": {"name": "AMD EPYC 7763", "threads": 4}, "gpus": [{"name": "NVIDIA A100"}]}
VALUES = {"values": {"compute": 0.7, "idle_w": None}, "torch": "2.13.0"}


@pytest.fixture
def ledger(where: str) -> Iterator[Ledger]:
    with open_ledger(where) as opened:
        yield opened


def test_the_newest_of_each_device_counts(ledger: Ledger) -> None:
    calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
    calibrations.save(ledger, HERE, "gpu:0", {"values": {"compute": 1.1}}, 1500.5)
    calibrations.save(ledger, HERE, "cpu", {"values": {"compute": 0.8}}, 2000.0)
    calibrations.save(ledger, HERE, "cpu", {"values": {"compute": 0.6}}, 500.0)  # imported later
    newest = calibrations.load(ledger, HERE, "cpu")
    assert newest is not None
    assert (newest.made_at, newest.document) == (2000.0, {"values": {"compute": 0.8}})
    assert newest.machine == "AMD EPYC 7763, 4 threads, NVIDIA A100"
    gpu = calibrations.load(ledger, HERE, "gpu:0")
    assert gpu is not None and gpu.made_at == 1500.5
    assert calibrations.load(ledger, HERE, "gpu:1") is None
    assert [s.made_at for s in calibrations.listed(ledger)] == [2000.0, 1500.5, 1000.0, 500.0]


def test_what_is_stored_comes_back(ledger: Ledger) -> None:
    calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
    calibrations.save(ledger, HERE, "cpu", VALUES | {"torch": "2.14.0"}, 1000.0)  # gives way
    (only,) = calibrations.listed(ledger, HERE)
    assert only.document == VALUES | {"torch": "2.14.0"}


@pytest.mark.parametrize(
    "other",
    [
        HERE | {"cpu": {"name": "AMD EPYC 7763", "threads": 8}},
        HERE | {"cpu": {"name": "AMD EPYC 7713", "threads": 4}},
        HERE | {"gpus": []},
        HERE | {"gpus": [{"name": "NVIDIA A100"}] * 2},
        {},
        {"cpu": None, "gpus": None},
    ],
)
def test_another_machine_has_its_own(ledger: Ledger, other: dict[str, Any]) -> None:
    calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
    assert calibrations.load(ledger, other, "cpu") is None
    assert calibrations.forget(ledger, other) == 0
    assert calibrations.load(ledger, HERE, "cpu") is not None


def test_a_hidden_gpu_is_in_the_machine_still(ledger: Ledger) -> None:
    calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
    hidden = HERE | {"gpus": [{"name": "NVIDIA A100", "visible": False}]}
    assert calibrations.load(ledger, hidden, "cpu") is not None


def test_forgetting(ledger: Ledger) -> None:
    for device in ("cpu", "gpu:0", calibrations.WALL):
        calibrations.save(ledger, HERE, device, VALUES, 1000.0)
    calibrations.save(ledger, HERE, "cpu", VALUES, 2000.0)
    assert calibrations.forget(ledger, HERE, "cpu") == 2  # an older one must not come back
    assert [s.device for s in calibrations.listed(ledger, HERE)] == ["gpu:0", "wall"]
    assert calibrations.forget(ledger, HERE) == 2
    assert calibrations.listed(ledger) == []


def test_a_machine_without_a_name_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        calibrations.save(ledger, {"cpu": {"name": None}}, "cpu", VALUES, 1000.0)


def test_a_damaged_calibration_names_its_device(ledger: Ledger) -> None:
    calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
    with ledger._database.writing() as connection:
        connection.execute("UPDATE joulecast_calibrations SET document = '[1'")
    with pytest.raises(LedgerError, match="cpu"):
        calibrations.load(ledger, HERE, "cpu")
    assert calibrations.forget(ledger, HERE) == 1


def test_a_ledger_of_the_first_version_is_brought_up_to_date(where: str) -> None:
    with open_ledger(where) as ledger, ledger._database.writing() as connection:
        for table in ("chunks", "spans", "metrics", "gaps", "runs", "calibrations", "trials"):
            connection.execute(f"DROP TABLE joulecast_{table}")
        connection.execute("DROP TABLE joulecast_studies")
        migrate(connection, None, target="0001")
    with pytest.raises(LedgerError):
        calibrations.listed(ledger)
    with open_ledger(where) as ledger:
        ledger.add(recording())
        assert_same(ledger.load("last"), recording())
        calibrations.save(ledger, HERE, "cpu", VALUES, 1000.0)
        with ledger._database.reading() as connection:
            versions = list(connection.rows("SELECT version_num FROM joulecast_version"))
        assert versions == [{"version_num": REVISION}]
