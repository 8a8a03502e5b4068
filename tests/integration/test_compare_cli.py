"""`joulecast compare`, as a person types it."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes.stored_runs import GPU, header, samples
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Metric, Recording, Status

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "joulecast", "compare", *map(str, arguments)],
            env=os.environ
            | {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": "", "COLUMNS": "100"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["architecture,gpu,batch,energy_j,accuracy"]
    for i in range(60):
        big = i % 2
        energy = (400 if big else 280) + rng.normal(0, 9)
        lines.append(
            f"{('small', 'vgg')[big]},{'AB'[i % 3 > 0]},{8 << i % 3},{energy:.3f},0.{i:02}"
        )
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n\n")
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two models with four runs each, one that failed, one of another study."""
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as opened:
        for i in range(10):
            name = "resnet50" if i % 2 else "vgg16"
            tags = {"architecture": name, "batch": str(8 << i % 2), "study": "s1"}
            status = Status.FAILED if i == 8 else Status.FINISHED
            if i == 9:
                name, tags = "other", {"study": "s2"}
            opened.add(
                Recording(
                    header(f"{i:x}" * 16, name, sources=[GPU], tags=tags, started_at=1e9 + i),
                    metrics=[Metric(5.0, "accuracy", 0.5 + i / 100)],
                    samples={"gpu:0": samples(10, power_w=300 + i - 100 * (i % 2))},
                    footer=Footer(status, 9.9),
                    status=status,
                )
            )
    return path


def test_none_is_a_level(joulecast: Joulecast, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as opened:
        for i in range(7):
            tags = {"aug": ("none", "flip")[i % 2]} if i < 6 else {}
            opened.add(
                Recording(
                    header(f"{i:x}" * 16, "r", sources=[GPU], tags=tags, started_at=1e9 + i),
                    samples={"gpu:0": samples(10, power_w=300 + i)},
                    footer=Footer(Status.FINISHED, 9.9),
                    status=Status.FINISHED,
                )
            )
    told = json.loads(joulecast("r", "--by", "aug", "--ledger", path, "--json").stdout)
    assert [(g["name"], g["n"]) for g in told["groups"]] == [("flip", 3), ("none", 3)]
    assert told["unlabeled"] == 1  # without the tag
    some = ("r", "--by", "aug", "--where", "aug=none", "--ledger", path, "--json")
    assert [g["name"] for g in json.loads(joulecast(*some).stdout)["groups"]] == ["none"]
    csv = tmp_path / "runs.csv"
    csv.write_text("aug,energy_j\nnone,1\nnone,2\nflip,3\nflip,none\n,5\nNA,6\n")
    told = json.loads(joulecast(csv, "--by", "aug", "--json").stdout)
    assert [(g["name"], g["n"], g["missing"]) for g in told["groups"]] == [
        ("flip", 1, 1),
        ("none", 2, 0),
    ]
    assert told["unlabeled"] == 2


def test_a_file(joulecast: Joulecast, data: Path) -> None:
    text = joulecast(data).stdout
    assert "energy_j by architecture" in text and "60 values" in text
    assert re.search(
        r"small uses (29|30|31) % less than vgg \(p < 0.001, Cliff's delta -1.00, large\)", text
    )


def test_json(joulecast: Joulecast, data: Path) -> None:
    document = json.loads(joulecast(data, "--by", "batch", "--test", "kruskal", "--json").stdout)
    assert next(iter(document)) == "schema" and document["schema"] == "joulecast/compare/1"
    assert [g["name"] for g in document["groups"]] == ["8", "16", "32"]
    assert document["test"]["name"] == "kruskal-wallis" and len(document["pairs"]) == 3


def test_rows_chosen(joulecast: Joulecast, data: Path) -> None:
    options = ("--where", "batch=8.0", "--where", "batch=16", "--json")
    document = json.loads(joulecast(data, *options).stdout)
    assert sum(g["n"] for g in document["groups"]) == 40
    done = joulecast(data, "--where", "gpu=C", code=2)
    assert done.stderr.endswith("no row has gpu=C: its values are A, B\n")
    assert "nearest are gpu" in joulecast(data, "--where", "gpus=A", code=2).stderr
    assert "column=value" in joulecast(data, "--where", "gpu", code=2).stderr


def test_correlation(joulecast: Joulecast, data: Path) -> None:
    document = json.loads(
        joulecast(data, "--with", "accuracy", "--by", "architecture", "--json").stdout
    )
    assert document["schema"] == "joulecast/correlation/1" and document["overall"]["n"] == 60
    assert [g["group"] for g in document["groups"]] == ["small", "vgg"]
    assert "All rows: rho" in joulecast(data, "--with", "accuracy").stdout
    joulecast(data, "--with", "accuracy", "--test", "welch", code=2)


def test_runs_by_name_pattern_id_and_tag(joulecast: Joulecast, ledger: Path) -> None:
    done = joulecast("vgg16", "resnet*", "--ledger", ledger, "--json")
    document = json.loads(done.stdout)
    assert document["by"] == "architecture"
    assert {g["name"]: g["n"] for g in document["groups"]} == {"resnet50": 4, "vgg16": 4}
    assert document["pairs"][0]["median_change_pct"] == pytest.approx(50, abs=2)
    assert any("did not finish: 1 failed" in note for note in document["notes"])
    by_tag = json.loads(joulecast("--tag", "study=s1", "--ledger", ledger, "--json").stdout)
    assert by_tag["groups"] == document["groups"]
    by_id = joulecast("0" * 16, "1" * 8, "last", "--by", "name", "--ledger", ledger, "--json")
    assert [g["name"] for g in json.loads(by_id.stdout)["groups"]] == ["other", "resnet50", "vgg16"]
    failed = joulecast(
        "*", "--where", "status=failed", "--ledger", ledger, "--by", "name", "--json"
    )
    assert json.loads(failed.stdout)["groups"][0]["n"] == 1
    value = joulecast("*", "--value", "accuracy", "--ledger", ledger)
    assert "resnet50 has" in value.stdout or "vgg16 has" in value.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "pass a CSV file, or runs"),
        (("vgg17",), 2, "no run 'vgg17'"),
        (("q*",), 2, "no run 'q*'"),
        (("*", "--tag", "study=s9"), 2, "no run has --tag study=s9"),
        (("0" * 16, "--value", "energy"), 2, "the nearest are energy_j"),
        (("*", "--value", "enrgy_j"), 2, "the nearest are energy_j"),
        (("*", "--by", "modl"), 2, "no column modl"),
        (("8" * 16,), 2, "none of these runs has finished (1 failed)"),
        (("*", "--alpha", "2"), 2, "alpha"),
    ],
)
def test_what_cannot_be(
    joulecast: Joulecast, ledger: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = joulecast(*arguments, "--ledger", ledger, code=code)
    assert said in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_one_group_says_so(joulecast: Joulecast, ledger: Path) -> None:
    assert "there is one group, vgg16 (4 values)" in joulecast("vgg16", "--ledger", ledger).stdout
    document = json.loads(joulecast("0" * 16, "--ledger", ledger, "--json").stdout)
    assert document["test"] is None and "one group, vgg16 (1 value)" in document["reason"]


def test_a_file_alone(joulecast: Joulecast, data: Path, tmp_path: Path) -> None:
    assert "one file alone" in joulecast(data, "vgg16", code=2).stderr
    assert "cannot be read" in joulecast("missing.csv", code=2).stderr
    other = tmp_path / "other.csv"
    other.write_text("kind,rate,energy_j\n" + "x,1,2\ny,1,3\nx,2,9\n")
    assert "--by which column?: it may be kind, rate" in joulecast(other, code=2).stderr


def test_an_empty_ledger_says_so(joulecast: Joulecast) -> None:
    assert "holds no runs yet" in joulecast("*", code=2).stderr


def test_json_on_a_terminal_is_one_line(data: Path) -> None:
    parent, child = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "joulecast", "compare", str(data), "--json"],
        stdout=subprocess.PIPE,
        stderr=child,
        timeout=60,
    )
    os.close(child)
    assert json.loads(done.stdout)["schema"] == "joulecast/compare/1"
    os.close(parent)


def test_a_damaged_run_does_not_hide_the_others(joulecast: Joulecast, ledger: Path) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.execute("update joulecast_chunks set data = x'00' where run_id = ?", ("0" * 16,))
    document = json.loads(joulecast("vgg16", "resnet50", "--ledger", ledger, "--json").stdout)
    assert {g["name"]: g["n"] for g in document["groups"]} == {"resnet50": 4, "vgg16": 3}
    assert any(f"run {'0' * 16} left out" in note for note in document["notes"])
    assert (
        "none of these runs can be read" in joulecast("0" * 16, "--ledger", ledger, code=2).stderr
    )


def test_without_scipy_it_names_the_extra(data: Path) -> None:
    code = "import sys; sys.modules['scipy'] = None; from joulecast.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert 'pip install "joulecast[analysis]"' in done.stderr and done.stderr.count("\n") == 1
