"""Tables of files, of columns in memory and of recorded runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes.stored_runs import GPU, header, samples
from joulecast.analysis.table.columns import Table
from joulecast.analysis.table.load import by_columns, is_file, load_table, select_rows
from joulecast.errors import BadInputError, RunNotFoundError, UsageError
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Recording, Status

COLUMNS = {"model": ["a", "a", "b"], "batch": ["8", "16", "8.0"], "energy_j": [1.0, 2.0, 3.0]}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Runs a0, a1, b2 and b3; the last failed."""
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as opened:
        for i, name in enumerate(("a0", "a1", "b2", "b3")):
            status = Status.FAILED if i == 3 else Status.FINISHED
            opened.add(
                Recording(
                    header(f"{i}" * 16, name, sources=[GPU], tags={"even": str(i % 2 == 0)}),
                    samples={"gpu:0": samples(10, power_w=100 * (i + 1))},
                    footer=Footer(status, 9.9),
                    status=status,
                )
            )
    return path


def test_a_table_and_columns_and_a_data_frame_are_the_same_data() -> None:
    tables = [load_table(source) for source in (COLUMNS, pd.DataFrame(COLUMNS))]
    assert [dict(table.columns) for table in tables] == [COLUMNS, COLUMNS]
    assert load_table(tables[0]) is tables[0]


def test_arrays_numbers_and_truth_values_become_cells() -> None:
    table = load_table({"n": np.array([1, 2]), "ok": [True, False], "x": [None, float("nan")]})
    assert table.columns["n"] == [1.0, 2.0]
    assert table.labels("ok") == ["True", "False"]
    assert table.labels("x") == [None, None]


@pytest.mark.parametrize("data", [{}, {"x": []}, {"x": [1.0], "y": [1.0, 2.0]}])
def test_columns_without_rows_or_of_different_lengths_are_refused(data: dict) -> None:
    with pytest.raises(BadInputError):
        load_table(data)


def test_where_compares_numbers_as_numbers() -> None:
    assert load_table(COLUMNS, where={"batch": 8}).numbers("energy_j").tolist() == [1, 3]
    both = {"batch": ["8", "16"], "model": "a"}
    assert load_table(COLUMNS, where=both).numbers("energy_j").tolist() == [1, 2]
    with pytest.raises(BadInputError, match="a, b"):
        select_rows(load_table(COLUMNS), {"model": "c"})


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    file.write_text("model,energy_j\na,1\nb,2\n")
    assert load_table(file, where={"model": "b"}).lines == [3]
    assert is_file(str(file)) and is_file("missing.csv.gz") and not is_file("resnet50")
    for more in ({"tags": {"k": "v"}}, {"ledger": "x.sqlite"}):
        with pytest.raises(UsageError):
            load_table(str(file), **more)
    with pytest.raises(UsageError):
        load_table([str(file), "resnet50"])


def test_tags_and_a_ledger_are_not_for_data_in_memory() -> None:
    for more in ({"tags": {"k": "v"}}, {"ledger": "x.sqlite"}):
        with pytest.raises(UsageError):
            load_table(COLUMNS, **more)


@pytest.mark.parametrize(
    ("source", "options", "names"),
    [
        ("a0", {}, ["a0"]),
        ("a*", {}, ["a0", "a1"]),
        (["b2", "a0", "a*"], {}, ["a0", "a1", "b2"]),
        ("1" * 8, {}, ["a1"]),
        ((), {"tags": {"even": "True"}}, ["a0", "b2"]),
        ("*", {"tags": {"even": "False"}}, ["a1"]),
        ("*", {"where": {"status": ["failed", "finished"]}}, ["a0", "a1", "b2", "b3"]),
    ],
)
def test_recorded_runs(ledger: Path, source: object, options: dict, names: list[str]) -> None:
    table = load_table(source, ledger=ledger, **options)
    assert table.labels("name") == names
    assert table.numbers("energy_j").tolist() == sorted(table.numbers("energy_j").tolist())


def test_runs_that_did_not_finish_are_left_out_and_noted(ledger: Path) -> None:
    table = load_table("*", where={"name": ["a0", "b2"]}, ledger=ledger)
    assert len(table) == 2 and len(table.notes) == 1 and "1 failed" in table.notes[0]
    assert load_table("a*", ledger=ledger).notes == ()


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        ((), {}, UsageError),
        ("c9", {}, RunNotFoundError),
        ("c*", {}, RunNotFoundError),
        ("*", {"tags": {"even": "perhaps"}}, RunNotFoundError),
        ("b3", {}, BadInputError),
        ("a0", {"where": {"nmae": "a0"}}, BadInputError),
    ],
)
def test_unsupported_values_are_refused(
    ledger: Path, source: object, options: dict, error: type[Exception]
) -> None:
    with pytest.raises(error):
        load_table(source, ledger=ledger, **options)


def test_by_names_columns() -> None:
    table = Table("t", {"a": ["1"], "b": ["2"], "a, b": ["3"]})
    assert by_columns("a,b", table) == ["a", "b"]
    assert by_columns(["b", "a"], table) == ["b", "a"]
    assert by_columns("a, b", table) == ["a, b"]
    with pytest.raises(UsageError):
        by_columns((), table)
    named = Table("t", {"name": ["x", "y"], "model": ["m", "m"]})
    assert by_columns((), named) == ["name"]
    assert by_columns((), select_rows(named, {"name": "x"})) == ["model"]
