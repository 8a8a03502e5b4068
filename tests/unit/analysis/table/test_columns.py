"""The table that every analysis reads."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from joulecast.analysis.statistics.groups import split
from joulecast.analysis.table.columns import Table, by_size, read_csv
from joulecast.errors import BadInputError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return path


def test_columns_as_texts_and_numbers(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "a, b ,c\nx, 1 ,2e3\ny,NA,\nz,-0.5,nan\n"))
    assert list(table.columns) == ["a", "b", "c"] and len(table) == 3
    assert table.labels("a") == ["x", "y", "z"]
    assert table.labels("b") == ["1", None, "-0.5"]
    np.testing.assert_array_equal(table.numbers("b"), [1, math.nan, -0.5])
    np.testing.assert_array_equal(table.numbers("c"), [2000, math.nan, math.nan])
    assert [table.is_numeric(c) for c in "abc"] == [False, True, True]


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert read_csv(path).labels("a") == ["1"]


@pytest.mark.parametrize("blank", ["\n", ",\n", " , \n".replace(" ", "")])
def test_errors_name_the_line_after_blank_lines(tmp_path: Path, blank: str) -> None:
    path = written(tmp_path, f"a,b\n1,2\n{blank}{blank}1,2\n{blank}1,oops\n")
    table = read_csv(path)
    assert len(table) == 3
    with pytest.raises(BadInputError, match="line 7: b"):
        table.numbers("b")


def test_errors_name_the_line_after_a_cell_of_two_lines(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, 'a,b\n"one\ntwo",2\nx,inf\n'))
    with pytest.raises(BadInputError, match="line 4: b"):
        table.numbers("b")


def test_selected_rows_keep_their_lines(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "a,b\nx,1\ny,2\n\nx,bad\n"))
    with pytest.raises(BadInputError, match="line 5: b"):
        table.rows(np.array([True, False, True])).numbers("b")


def test_rows_without_a_file_are_counted() -> None:
    with pytest.raises(BadInputError, match="ledger, row 2: batch"):
        Table("ledger", {"batch": ["8", "many"]}).numbers("batch")


def test_a_missing_column_offers_the_nearest() -> None:
    table = Table("t", {"energy_j": [1.0], "duration_s": [2.0]})
    with pytest.raises(BadInputError, match=r"energy_j$"):
        table.numbers("enrgy_j")
    with pytest.raises(BadInputError, match=r"energy_j, duration_s$"):
        table.labels("q")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("a,b\n", 1),
        ("a,b\n\n,\n", 3),
        ("a,b\n1\n", 2),
        ("a;b\n1;2\n", 1),
        ("a\tb\n1\t2\n", 1),
        ("a,a\n1,2\n", 1),
        ("a,\n1,2\n", 1),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=f"line {line}: "):
        read_csv(path)


def test_labels_of_whole_numbers_have_no_point() -> None:
    table = Table("t", {"batch": [8.0, 0.1, math.nan, None, " ", " 8.0 "]})
    assert table.labels("batch") == ["8", "0.1", None, None, None, "8.0"]
    assert table.levels("batch") == ["8", "0.1", None, None, None, "8"]
    assert Table("t", {"net": ["8.0", "a", None]}).levels("net") == ["8.0", "a", None]


def test_words_for_missing_values_are_levels_of_recorded_runs() -> None:
    words = ["none", "nan", "NA", "null", "N/A", "flip"]
    table = Table("ledger", {"aug": [*words, None]})
    assert table.labels("aug") == table.levels("aug") == [*words, None]
    assert not table.is_numeric("aug")
    groups, unlabeled = split(Table("t", {"aug": [*words]}), np.ones(6), "aug")
    assert {group.name for group in groups} == {*words} and unlabeled == 0


def test_none_is_a_level_of_a_file_and_not_a_number(tmp_path: Path) -> None:
    text = "aug,drop,f1\nnone,0.50,none\nNone,none,1\nNA,NaN,NULL\nnull,0.25,\nn/a, ,nan\n"
    table = read_csv(written(tmp_path, text))
    assert table.labels("aug") == ["none", "None", None, None, None]
    assert table.levels("drop") == ["0.5", "none", None, "0.25", None]
    np.testing.assert_array_equal(table.numbers("f1"), [math.nan, 1, *[math.nan] * 3])
    assert [table.is_numeric(c) for c in ("aug", "drop", "f1")] == [False, True, True]


def test_levels_that_are_not_numbers_come_first() -> None:
    assert sorted(["10", "nan", "-2", "none"], key=by_size) == ["nan", "none", "-2", "10"]


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=100_000)
    rows = "\n".join(f"g{i % 5},{v!r}" for i, v in enumerate(values.tolist()))
    table = read_csv(written(tmp_path, f"group,value\n{rows}\n"))
    np.testing.assert_array_equal(table.numbers("value"), values)
    assert table.labels("group")[99_999] == "g4"
