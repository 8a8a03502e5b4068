"""`joulecast compare`, as a person types it. Sources and errors: unit/analysis/table/test_load."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes.command_line import joulecast as run_joulecast
from fakes.stored_runs import GPU, header, samples
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Metric, Recording, Status

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: object, code: int = 0, columns: int = 100) -> subprocess.CompletedProcess:
        env = {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": ""}
        env["COLUMNS"] = str(columns)
        return run_joulecast("compare", *arguments, cwd=tmp_path, env=env, code=code)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two architectures; the small one gains more from the GPU A."""
    rng = np.random.default_rng(0)
    lines = ["architecture,gpu,batch,energy_j,accuracy"]
    for i in range(60):
        big, gpu = i % 2, "AB"[i % 3 > 0]
        energy = (400 if big else 280 - 60 * (gpu == "A")) + rng.normal(0, 9)
        lines.append(f"{('small', 'vgg')[big]},{gpu},{8 << i % 3},{energy:.3f},0.{i:02}")
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


def test_a_file(joulecast: Joulecast, data: Path) -> None:
    done = joulecast(data)
    assert done.stdout.startswith("energy_j") and done.stderr == ""
    options = ("--by", "batch", "--test", "kruskal", "--baseline", "16", "--json")
    document = json.loads(joulecast(data, *options).stdout)
    assert next(iter(document)) == "schema" and document["schema"] == "joulecast/compare/1"
    assert [g["name"] for g in document["groups"]] == ["16", "8", "32"]
    assert document["test"]["name"] == "kruskal-wallis" and len(document["pairs"]) == 3


def test_none_is_a_label(joulecast: Joulecast, tmp_path: Path) -> None:
    csv = tmp_path / "runs.csv"
    csv.write_text("aug,energy_j\nnone,1\nnone,2\nflip,3\nflip,none\n,5\nNA,6\n")
    document = json.loads(joulecast(csv, "--by", "aug", "--json").stdout)
    assert [(g["name"], g["n"], g["missing"]) for g in document["groups"]] == [
        ("flip", 1, 1),
        ("none", 2, 0),
    ]
    assert document["unlabeled"] == 2


def test_where_selects_rows(joulecast: Joulecast, data: Path) -> None:
    options = ("--where", "batch=8.0", "--where", "batch=16", "--json")
    document = json.loads(joulecast(data, *options).stdout)
    assert sum(g["n"] for g in document["groups"]) == 40
    assert "--where" in joulecast(data, "--where", "gpu", code=2).stderr


def test_correlation(joulecast: Joulecast, data: Path) -> None:
    options = (data, "--with", "accuracy", "--by", "architecture")
    document = json.loads(joulecast(*options, "--json").stdout)
    assert document["schema"] == "joulecast/correlation/1" and document["overall"]["n"] == 60
    assert [g["group"] for g in document["groups"]] == ["small", "vgg"]
    assert joulecast(*options).stdout.startswith("energy_j")
    joulecast(*options, "--test", "welch", code=2)
    joulecast(*options, "--by", "gpu", code=2)


def test_two_factors(joulecast: Joulecast, data: Path) -> None:
    options = (data, "--by", "architecture,gpu")
    document = json.loads(joulecast(*options, "--json").stdout)
    assert document["schema"] == "joulecast/interaction/1"
    assert document["effects"][2]["p"] < 0.001
    assert [c["median"]["n"] for c in document["cells"]] == [10, 20, 10, 20]
    assert json.loads(joulecast(*options, "--test", "art", "--json").stdout)["method"] == "art"
    for columns in (60, 80, 140):
        text = joulecast(*options, columns=columns).stdout
        assert "architecture" in text and "gpu" in text
        assert max(map(len, text.splitlines())) <= columns
    joulecast(*options, "--test", "welch", code=2)
    joulecast(data, "--by", "architecture,gpu,batch", code=2)


def test_recorded_runs(joulecast: Joulecast, ledger: Path) -> None:
    document = json.loads(joulecast("vgg16", "resnet*", "--ledger", ledger, "--json").stdout)
    assert document["by"] == "architecture"
    assert {g["name"]: g["n"] for g in document["groups"]} == {"resnet50": 4, "vgg16": 4}
    assert document["pairs"][0]["median_change_pct"] == pytest.approx(50, abs=2)
    assert len(document["notes"]) > 0 and "1 failed" in document["notes"][0]
    by_tag = json.loads(joulecast("--tag", "study=s1", "--ledger", ledger, "--json").stdout)
    assert by_tag["groups"] == document["groups"]
    by_id = joulecast("0" * 16, "1" * 8, "last", "--by", "name", "--ledger", ledger, "--json")
    assert [g["name"] for g in json.loads(by_id.stdout)["groups"]] == ["other", "resnet50", "vgg16"]
    value = json.loads(joulecast("*", "--value", "accuracy", "--ledger", ledger, "--json").stdout)
    assert (value["value"], value["unit"]) == ("accuracy", None)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((), "CSV file"),
        (("vgg17",), "vgg17"),
        (("*", "--value", "enrgy_j"), "energy_j"),
        (("*", "--by", "modl"), "modl"),
        (("*", "--baseline", "vgg"), "vgg16"),
        (("8" * 16,), "1 failed"),
        (("*", "--alpha", "2"), "alpha"),
    ],
)
def test_misuse_is_one_line_and_exits_with_2(
    joulecast: Joulecast, ledger: Path, arguments: tuple[str, ...], key: str
) -> None:
    done = joulecast(*arguments, "--ledger", ledger, code=2)
    assert key in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_damaged_run_does_not_hide_the_others(joulecast: Joulecast, ledger: Path) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.execute("update joulecast_chunks set data = x'00' where run_id = ?", ("0" * 16,))
    document = json.loads(joulecast("vgg16", "resnet50", "--ledger", ledger, "--json").stdout)
    assert {g["name"]: g["n"] for g in document["groups"]} == {"resnet50": 4, "vgg16": 3}
    assert any("0" * 16 in note for note in document["notes"])
    joulecast("0" * 16, "--ledger", ledger, code=2)


def test_a_hundred_thousand_rows(joulecast: Joulecast, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    energies = np.random.default_rng(0).lognormal(5, 1, 100_000)
    with large.open("w") as file:
        file.write("architecture,gpu,energy_j\n")
        file.writelines(f"net{i % 40},gpu{i % 7},{e:.4f}\n" for i, e in enumerate(energies))
    document = json.loads(joulecast(large, "--by", "architecture,gpu", "--json").stdout)
    assert document["effects"][2]["df"] == 39 * 6


def test_without_scipy_the_extra_is_named(data: Path) -> None:
    code = "import sys; sys.modules['scipy'] = None; from joulecast.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert 'pip install "joulecast[analysis]"' in done.stderr and done.stderr.count("\n") == 1
