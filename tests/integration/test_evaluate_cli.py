"""`joulecast evaluate`, as a person types it."""

import doctest
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import joulecast as joulecast_package
from fakes.command_line import joulecast as run_joulecast
from fakes.golden import golden
from fakes.stored_runs import GPU, header, samples
from joulecast import evaluate
from joulecast.forecasting.scoring.online_methods import METHODS
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Recording, Span, Status

MLPERF = Path(__file__).parents[2].parent / "shared" / "data" / "mlperf_training" / "epochs.csv"
FIELDS = {"forecaster", "epochs_seen", "runs", "energy", "duration", "duration_reason"}
FIGURES = {"mape_pct", "median_pct", "p90_pct", "rmse", "coverage_pct", "width_pct"}
HEAD = "run_id,epoch,duration_s,energy_j"

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: object, code: int = 0, columns: int = 80) -> subprocess.CompletedProcess:
        env = {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": ""}
        env["COLUMNS"] = str(columns)
        return run_joulecast("evaluate", *arguments, cwd=tmp_path, env=env, code=code)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two workloads; first epochs cost more; one run stopped before its time."""
    path = tmp_path / "epochs.csv"
    rows = [f"{HEAD},planned_epochs,workload,tdp_w"]
    for i in range(8):
        kind, each = ("bert", 4000) if i % 2 else ("ssd", 900)
        for epoch in range(20 if i else 12):
            energy = each * (1.8 if epoch == 0 else 1) * (1 + 0.01 * ((i * 7 + epoch * 3) % 5))
            rows.append(f"{kind}-{i},{epoch},{each / 300:.3f},{energy:.1f},20,{kind},400")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_json_has_a_result_for_each_method_and_number_of_epochs(
    joulecast: Joulecast, table: Path
) -> None:
    done = joulecast(table, "--at", "1,2,15", "--json", "--ram", "64")
    document = json.loads(done.stdout)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "joulecast/evaluate/1"
    results = document["results"]
    assert {frozenset(r) for r in results} == {frozenset(FIELDS)}
    assert {frozenset(r["energy"]) for r in results} == {frozenset(FIGURES)}
    scored = {(r["forecaster"], r["epochs_seen"]) for r in results}
    always = {"online", "carbontracker", "green-algorithms", "mlco2"}
    expected = {(name, k) for name in always for k in (1, 2, 15)}
    assert scored == expected | {("step-energy", 15), ("step-power", 15)}
    assert {r["runs"] for r in results if r["epochs_seen"] < 15} == {8}
    assert {r["runs"] for r in results if r["epochs_seen"] == 15} == {7}
    for result in results:
        assert (result["energy"]["coverage_pct"] is None) == (result["forecaster"] != "online")
    assert {entry["forecaster"] for entry in document["unscored"]} == {
        "step-energy-fluss",
        "step-power-fluss",
    }
    assert len(document["notes"]) == 1
    assert done.stderr == ""


def test_groups_by_a_column(joulecast: Joulecast, table: Path) -> None:
    done = joulecast(table, "--by", "workload", "--at", "2", "--method", "carbontracker", "--json")
    groups = json.loads(done.stdout)["groups"]
    assert {group: scores[0]["runs"] for group, scores in groups.items()} == {"bert": 4, "ssd": 4}
    done = joulecast(table, "--by", "workload,tdp_w", "--at", "2", "--json")
    assert list(json.loads(done.stdout)["groups"]) == ["bert, 400", "ssd, 400"]


@pytest.mark.parametrize("columns", [60, 80, 130])
def test_the_table_fits_the_terminal_and_cuts_nothing(
    joulecast: Joulecast, table: Path, columns: int
) -> None:
    text = joulecast("epochs.csv", "--by", "workload", "--ram", "64", columns=columns).stdout
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    golden(f"evaluate-{columns}", text)
    assert set(METHODS) <= set(re.findall(r"[a-z0-9-]+", text))


def test_why_a_method_has_no_score(joulecast: Joulecast, table: Path) -> None:
    bare = table.with_name("bare.csv")
    lines = table.read_text().splitlines()
    bare.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    unscored = json.loads(joulecast(bare, "--json").stdout)["unscored"]
    assert "mlco2" in {entry["forecaster"] for entry in unscored}
    results = json.loads(joulecast(bare, "--json", "--tdp", "400 W").stdout)["results"]
    assert "mlco2" in {r["forecaster"] for r in results}


def test_one_clear_line_names_the_row(joulecast: Joulecast, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(f"{HEAD}\nr,0,10,100\nr,1,10,-3\n")
    done = joulecast("bad.csv", code=2)
    assert done.stdout == ""
    assert all(
        part in done.stderr for part in ("bad.csv, line 3", "'r'", "epoch 1", "energy_j", "-3")
    )
    assert len(done.stderr.splitlines()) == 1
    assert len(joulecast("none.csv", code=2).stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--at", "0"),
        ("--at", "1,,2"),
        ("--at", "two"),
        ("--method", "tea-leaves"),
        ("--tdp", "-5 W"),
        ("--usage-factor", "1.5"),
        ("--ledger", "runs.sqlite"),
        ("--tag", "a=b"),
        ("another",),
        ("--by", "color"),
    ],
)
def test_misuse(joulecast: Joulecast, table: Path, arguments: tuple[str, ...]) -> None:
    assert len(joulecast(table, *arguments, code=2).stderr.splitlines()) == 1


def test_runs_with_nothing_to_forecast(joulecast: Joulecast, tmp_path: Path) -> None:
    single = tmp_path / "single.csv"
    single.write_text(f"{HEAD}\n" + "".join(f"r{i},0,10,100\n" for i in range(9)))
    golden("evaluate-nothing", joulecast("single.csv").stdout)
    document = json.loads(joulecast(single, "--json").stdout)
    assert (document["results"], len(document["left_out"])) == ([], 9)


def test_a_hundred_thousand_rows(joulecast: Joulecast, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("w") as file:
        file.write(HEAD + "\n")
        for run in range(100):
            file.writelines(f"r{run},{epoch},10,{1000 + epoch % 7}\n" for epoch in range(1000))
    results = json.loads(joulecast(large, "--json").stdout)["results"]
    assert {r["runs"] for r in results} == {100}


def test_a_terminal_shows_what_takes_long(tmp_path: Path) -> None:
    """The file is a pipe that the test keeps open until the bar is there."""
    pipe = tmp_path / "slow.csv"
    os.mkfifo(pipe)
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "joulecast", "evaluate", str(pipe), "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    with pipe.open("w") as file:
        file.write(f"{HEAD}\nr,0,10,100\nr,1,10,100\n")
        file.flush()
        shown = b""
        while b"reading" not in shown:
            shown += os.read(ours, 4096)
    stdout, _ = run.communicate(timeout=60)
    os.close(ours)
    assert run.returncode == 0
    assert json.loads(stdout)["runs"] == 1


def stored(run_id: str, epochs: int, age_s: float, **changes: object) -> Recording:
    """A finished run with so many epochs of 2 s on one GPU."""
    environment = {"gpus": [{"index": 0, "vendor": "NVIDIA", "name": GPU.device}]}
    environment["host"] = {"ram_bytes": 64 * 10**9}
    duration_s = 2.0 * epochs + 0.5
    head = header(
        run_id,
        started_at=time.time() - age_s,
        sources=[replace(GPU, device="NVIDIA A100-SXM4-80GB")],
        environment=environment,
        planned_epochs=epochs,
        **changes,
    )
    spans = [Span(i + 1, None, "epoch", "epoch", 2.0 * i, 2.0 * i + 2, i) for i in range(epochs)]
    footer = Footer(Status.FINISHED, duration_s, 0)
    return Recording(
        head,
        spans,
        samples={"gpu:0": samples(duration_s)},
        footer=footer,
        status=Status.FINISHED,
    )


def test_recorded_runs(joulecast: Joulecast, tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    with open_ledger(where) as ledger:
        for i in range(4):
            ledger.add(stored(f"{i:016x}", 12, 1000 - i))
        ledger.add(stored(f"{9:016x}", 1, 10))
    document = json.loads(joulecast("--ledger", where, "--at", "1,3", "--json").stdout)
    at_3 = {r["forecaster"]: r for r in document["results"] if r["epochs_seen"] == 3}
    assert set(at_3) == {"online", "carbontracker", "green-algorithms", "mlco2"}
    assert at_3["carbontracker"]["runs"] == 4
    errors = {name: score["energy"]["mape_pct"] for name, score in at_3.items()}
    assert errors["carbontracker"] < 2
    assert errors["mlco2"] == pytest.approx(100 * (400 / 300 - 1), abs=2)
    with_ram = 400 + 64 * 0.3725
    assert errors["green-algorithms"] == pytest.approx(100 * (with_ram / 300 - 1), abs=2)
    assert [entry["run_id"] for entry in document["left_out"]] == [f"{9:016x}"]
    assert "one epoch" in document["left_out"][0]["reason"]
    few = json.loads(joulecast("--ledger", where, "--limit", "3", "--at", "1", "--json").stdout)
    assert few["runs"] == 2
    one = json.loads(joulecast("0" * 15 + "1", "--ledger", where, "--json").stdout)
    assert one["runs"] == 1
    assert len(joulecast("other*", "--ledger", where, code=2).stderr.splitlines()) == 1


def test_a_ledger_without_runs(joulecast: Joulecast, tmp_path: Path) -> None:
    assert len(joulecast("--json", code=2).stderr.splitlines()) == 1
    missing = joulecast("--ledger", tmp_path / "none.sqlite", code=2)
    assert len(missing.stderr.splitlines()) == 1


def test_groups_need_a_file(joulecast: Joulecast) -> None:
    assert len(joulecast("--by", "workload", code=2).stderr.splitlines()) == 1


def test_the_example_of_the_python_function_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"joulecast": joulecast_package, "Path": Path}
    (example,) = doctest.DocTestFinder().find(evaluate, "evaluate", globs=names)
    assert doctest.DocTestRunner().run(example) == (0, 4)


def test_the_python_function_returns_what_the_verb_prints(
    joulecast: Joulecast, table: Path
) -> None:
    evaluation = evaluate(table, at=[1, 2, 15], ram_gb=64)
    printed = json.loads(joulecast(table, "--at", "1,2,15", "--ram", "64", "--json").stdout)
    assert evaluation.to_json() == printed
    assert repr(evaluation) == joulecast(
        table, "--at", "1,2,15", "--ram", "64", columns=100
    ).stdout.rstrip("\n")
    assert "<table>" in evaluation._repr_html_()


@pytest.mark.data
@pytest.mark.skipif(not MLPERF.is_file(), reason="shared/data/mlperf_training is not here")
def test_the_reference_on_measured_runs(joulecast: Joulecast) -> None:
    done = joulecast(MLPERF, "--at", "1,2,3,5", "--method", "carbontracker", "--json")
    results = json.loads(done.stdout)["results"]
    assert [r["runs"] for r in results] == [100, 100, 100, 70]
    assert [round(r["energy"]["mape_pct"], 1) for r in results] == [33.6, 12.7, 7.4, 5.2]
