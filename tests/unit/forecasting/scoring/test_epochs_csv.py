import gzip

import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.base import Work
from joulecast.forecasting.scoring.epochs_csv import read_epochs

HEAD = "run_id,epoch,duration_s,energy_j"


@pytest.fixture
def table(tmp_path):
    def write(*rows, head=HEAD, name="epochs.csv", end="\n"):
        path = tmp_path / name
        path.write_bytes(end.join([head, *rows, ""]).encode())
        return path

    return write


def refusal(path, **how):
    with pytest.raises(BadInputError) as caught:
        read_epochs(path, **how)
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(str(path))


def test_runs_may_alternate_and_keep_the_order_of_their_first_rows(table):
    path = table("b,0,10,100", "a,5,1,7", "b,1,9.5,80", "a,6,2,8")
    b, a = read_epochs(path)
    assert b.history.run_id == "b"
    assert b.history.epochs == (Work(1, 10, 100), Work(1, 9.5, 80))
    assert a.history.epochs == (Work(1, 1, 7), Work(1, 2, 8))
    assert (a.history.planned, a.tdp_w, a.group, a.absent) == (2, None, None, 0)


def test_more_columns_in_any_order_and_spelling(table):
    path = table(
        " 100 ,x,0,r,10,30,700",
        "80,x,1,r,9,,",
        head=" Energy_J,note,epoch,RUN_ID,duration_s,planned_epochs,tdp_w",
    )
    (found,) = read_epochs(path)
    assert found.history.epochs == (Work(1, 10, 100), Work(1, 9, 80))
    assert (found.history.planned, found.tdp_w) == (30, 700)


def test_as_other_programs_write_it(table):
    marked = table("r,0.0,1e1,1e2", "", "r,1.0,10,100", head="\ufeff" + HEAD, end="\r\n")
    (found,) = read_epochs(marked)
    assert len(found.history.epochs) == 2


def test_compressed(tmp_path):
    path = tmp_path / "epochs.csv.gz"
    path.write_bytes(gzip.compress(f"{HEAD}\nr,0,1,2\n".encode()))
    assert read_epochs(path)[0].history.epochs == (Work(1, 1, 2),)


def test_groups_by_a_column(table):
    path = table("a,0,1,1,bert", "b,0,1,1,", head=HEAD + ",Workload")
    assert [run.group for run in read_epochs(path, by="workload")] == ["bert", ""]
    assert "no column color to group by (found: run_id, epoch," in refusal(path, by="color")
    mixed = table("a,0,1,1,bert", "a,1,1,1,ssd", head=HEAD + ",workload")
    assert ", line 3: run 'a', epoch 1: workload is 'ssd'" in refusal(mixed, by="workload")


def test_epochs_that_are_passed_over_are_counted(table):
    (found,) = read_epochs(table("r,1,1,1", "r,2,1,1", "r,7,1,1"))
    assert found.absent == 4


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("r,1,10,-5", "energy_j is negative (-5)"),
        ("r,1,10,", "energy_j is missing"),
        ("r,1,10", "energy_j is missing"),
        ("r,1,10,nan", "energy_j is nan, not a finite number"),
        ("r,1,inf,5", "duration_s is inf, not a finite number"),
        ("r,1,-1,5", "duration_s is negative (-1)"),
        ("r,1,10,1e30", "energy_j is 1e30, more than 1e+18"),
        ("r,1,10,lots", "energy_j is lots, not a number"),
        ("r,1,10,1_0", "energy_j is 1_0, not a number"),
    ],
)
def test_a_figure_that_makes_no_sense_is_named_with_its_row(table, row, problem):
    text = refusal(table("r,0,10,100", row, "r,2,10,100"))
    assert text.startswith(f", line 3: run 'r', epoch 1: {problem}")
    assert "mend the figure, or leave the run out" in text


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("r,0,10,5", "run 'r', epoch 0 comes twice"),
        ("r,-1,10,5", "run 'r', epoch -1 follows epoch 0"),
        ("r,1.5,10,5", "epoch is 1.5, not a whole number"),
        ("r,inf,10,5", "epoch is inf, not a whole number"),
        ("r,,10,5", "epoch is missing"),
        (f"r,{'9' * 5000},10,5", "epoch is '9999"),
        (",1,10,5", "run_id is missing"),
        ("r,1,10,1,234", "5 cells where the header has 4"),
    ],
)
def test_a_row_out_of_place_is_named(table, row, problem):
    assert refusal(table("r,0,10,100", row)).startswith(f", line 3: {problem}")


def test_plans_that_make_no_sense(table):
    for plan, problem in [("0", "planned_epochs is 0"), ("2.5", "planned_epochs is 2.5, not")]:
        text = refusal(table(f"r,0,1,1,{plan}", head=HEAD + ",planned_epochs"))
        assert text.startswith(f", line 2: run 'r', epoch 0: {problem}")


def test_columns_that_are_missing_are_named_with_those_found(table):
    text = refusal(table("r,0,1", head="run_id,epoch,energy"))
    assert ", line 1: no column duration_s, energy_j (found: run_id, epoch, energy)" in text
    assert "the column epoch is there 2 times" in refusal(table("", head=HEAD + ",epoch"))


def test_other_separators_are_named(table):
    assert "not semicolons" in refusal(table("r;0;1;1", head=HEAD.replace(",", ";")))
    assert "not tabs" in refusal(table("r\t0\t1\t1", head=HEAD.replace(",", "\t")))


def test_files_that_hold_nothing(table, tmp_path):
    assert "no rows" in refusal(table())
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert refusal(empty) == ": the file is empty"
    assert "cannot be read: No such file" in refusal(tmp_path / "none.csv")
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    assert "not a CSV text file" in refusal(binary)
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(b"x" * 100)[:-9])
    assert "not a CSV text file" in refusal(torn)


def test_it_tells_how_much_was_read(table):
    rows = [f"r,{i},1,1" for i in range(5000)]
    path = table(*rows)
    read = []
    read_epochs(path, read=read.append)
    assert len(read) > 2
    assert sum(read) == path.stat().st_size
