import gzip

import pytest

from fakes.golden import golden
from joulecast import csv_table
from joulecast.csv_table import LARGEST, RowError, amount, number, open_table
from joulecast.errors import BadInputError


def write(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    data = text.encode("latin-1")
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def rows(path, *columns, **how):
    with open_table(path) as table:
        return [(table.line, row) for row in table.rows(columns, **how)]


def problem(path, *columns, **how):
    with pytest.raises(BadInputError) as caught:
        rows(path, *columns, **how)
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_columns_in_any_order_case_and_spacing(tmp_path, name):
    path = write(tmp_path, 'B, a ,c\r\n1, 2 ,3\r\n\r\n"4\n",5\r\n', name)
    assert rows(path, "a", "b") == [(2, {"a": "2", "b": "1"}), (5, {"a": "5", "b": "4"})]


def test_names_that_differ_in_case_are_two_columns(tmp_path):
    path = write(tmp_path, "a,A\n1,2\n")
    assert rows(path, "a", "A") == [(2, {"a": "1", "A": "2"})]


def test_optional_columns_are_read_where_they_are_there(tmp_path):
    path = write(tmp_path, "a,b\n1\n")
    assert rows(path, "a", optional=("b", "c")) == [(2, {"a": "1", "b": ""})]
    assert problem(path, "a", complete=True).startswith(", line 2: 1 cells")


PROBLEMS = {
    "": ", line 1: ",
    "\n": ", line 1: ",
    "a\n": ", line 1: ",
    "b\n1\n": ", line 1: ",
    "a;b\n1;2\n": ", line 1: ",
    "a\tb\n1\t2\n": ", line 1: ",
    "a,a\n1,2\n": ", line 1: ",
    "a\n1,,\n1,2\n": ", line 3: ",
    "a\n\xff\n": ": ",
}


@pytest.mark.parametrize(("text", "start"), PROBLEMS.items())
def test_problems_name_file_and_line(tmp_path, text, start):
    assert problem(write(tmp_path, text), "a").startswith(start)


def test_wording(tmp_path):
    golden("csv_problems", "\n".join(problem(write(tmp_path, text), "a") for text in PROBLEMS))


def test_files_that_cannot_be_read(tmp_path):
    assert problem(tmp_path / "none.csv", "a").startswith(": cannot be read")
    assert problem(tmp_path, "a").startswith(": cannot be read")
    cut = write(tmp_path, "x" * 100, "cut.csv.gz")
    cut.write_bytes(cut.read_bytes()[:-9])
    assert problem(cut, "a").startswith(": cannot be read")


def test_errors_of_the_block_keep_their_type(tmp_path):
    path = write(tmp_path, "a\n1\n")
    with pytest.raises(ZeroDivisionError), open_table(path):
        1 / 0  # noqa: B018


@pytest.mark.parametrize("text", ["", "x", "1_0", "nan", "inf", "-1", "1e30"])
def test_amounts_without_sense(text):
    with pytest.raises(RowError, match=r"^energy_j is "):
        amount(text, "energy_j")


def test_amounts():
    assert (amount("0", "x"), amount("1e3", "x"), amount("-2", "x", -LARGEST)) == (0, 1000, -2)
    assert (number("0x1"), number("1_0"), number(" 7 ")) == (None, None, 7)


def test_a_column_that_is_there_once_is_found_without_a_search(tmp_path, monkeypatch):
    """Of 100,000 columns, each is asked for when a table is read whole."""
    searched = []
    monkeypatch.setattr(csv_table, "matching_columns", lambda *a: searched.append(a) or [])
    names = [f"c{i}" for i in range(1000)]
    path = write(tmp_path, f"{','.join(names)}\n{','.join(['1'] * 1000)}\n")
    with open_table(path) as table:
        (row,) = table.rows(names)
    assert len(row) == 1000
    assert searched == []
