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
    (run,) = read_epochs(path)
    assert run.history.epochs == (Work(1, 10, 100), Work(1, 9, 80))
    assert (run.history.planned, run.tdp_w) == (30, 700)


def test_as_other_programs_write_it(table):
    marked = table("r,0.0,1e1,1e2", "", "r,1.0,10,100", head="\ufeff" + HEAD, end="\r\n")
    (run,) = read_epochs(marked)
    assert len(run.history.epochs) == 2


def test_compressed(tmp_path):
    path = tmp_path / "epochs.csv.gz"
    path.write_bytes(gzip.compress(f"{HEAD}\nr,0,1,2\n".encode()))
    assert read_epochs(path)[0].history.epochs == (Work(1, 1, 2),)


def test_groups_by_columns(table):
    path = table("a,0,1,1,bert,x", "b,0,1,1,,y", head=HEAD + ",Workload,gpu")
    assert [run.group for run in read_epochs(path, ["workload"])] == ["bert", ""]
    assert [run.group for run in read_epochs(path, ["workload", "gpu"])] == ["bert, x", ", y"]
    assert refusal(path, by=["color"]).startswith(", line 1: no column color")
    mixed = table("a,0,1,1,bert", "a,1,1,1,ssd", head=HEAD + ",workload")
    assert refusal(mixed, by=["workload"]).startswith(", line 3: run 'a', epoch 1: workload")


def test_absent_epochs_are_counted(table):
    (run,) = read_epochs(table("r,1,1,1", "r,2,1,1", "r,7,1,1"))
    assert run.absent == 4


@pytest.mark.parametrize("number", ["-5", "", "nan", "inf", "1e30", "lots", "1_0"])
def test_a_number_without_sense_is_named_with_its_row(table, number):
    for row in (f"r,1,10,{number}", f"r,1,{number},10"):
        place = "run 'r', epoch 1: " + ("energy_j" if row.startswith("r,1,10,") else "duration_s")
        assert refusal(table("r,0,10,100", row, "r,2,10,100")).startswith(f", line 3: {place}")


def test_a_row_may_end_early(table):
    assert refusal(table("r,0,10,100", "r,1,10")).startswith(", line 3: run 'r', epoch 1: energy_j")


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("r,0,10,5", "run 'r', epoch 0 "),
        ("r,-1,10,5", "run 'r', epoch -1 "),
        ("r,1.5,10,5", "epoch "),
        ("r,inf,10,5", "epoch "),
        ("r,,10,5", "epoch "),
        (f"r,{'9' * 5000},10,5", "epoch "),
        (",1,10,5", "run_id "),
        ("r,1,10,1,234", "5 cells "),
    ],
)
def test_a_row_out_of_place_is_named(table, row, place):
    assert refusal(table("r,0,10,100", row)).startswith(f", line 3: {place}")


@pytest.mark.parametrize("plan", ["0", "2.5"])
def test_plans_without_sense(table, plan):
    text = refusal(table(f"r,0,1,1,{plan}", head=HEAD + ",planned_epochs"))
    assert text.startswith(", line 2: run 'r', epoch 0: planned_epochs")


def test_progress_is_in_bytes(table):
    rows = [f"r,{i},1,1" for i in range(5000)]
    path = table(*rows)
    counts = []
    read_epochs(path, progress=counts.append)
    assert len(counts) > 2
    assert sum(counts) == path.stat().st_size
