"""The benchmarks run and print their figures; the values are not tested here."""

from __future__ import annotations

import csv
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("harness")


def run_script(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        cwd=cwd,
        env={**os.environ, "JOULECAST_LEDGER": str(cwd / "ledger.sqlite")},
        capture_output=True,
        text=True,
        timeout=150,
    )


def figures_of(script: str, tmp_path: Path) -> dict[str, Any]:
    out = tmp_path / "figures.json"
    done = run_script(script, "--quick", "--json", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert document["schema"] == "joulecast/benchmark/1" and document["quick"] is True
    assert "| figure" in done.stdout
    return {f["name"]: f for f in document["figures"]}


def test_a_miss_is_printed(harness: ModuleType) -> None:
    figures = [
        harness.Figure("fast enough", 0.3, "s", below=0.5),
        harness.Figure("too slow", 0.7, "s", below=0.5),
        harness.Figure("exactly at the limit", 0.5, "s", below=0.5),
        harness.Figure("unknown", None, "s", below=0.5, note="it did not start"),
        harness.Figure("enough of it", 85.0, "%", at_least=85),
        harness.Figure("without a target", 2.0, "s"),
    ]
    assert [f.met for f in figures] == [True, False, False, False, True, None]
    lines = {line.split("|")[1].strip(): line for line in harness.table(figures).splitlines()[:8]}
    assert "| NO " in lines["too slow"] and "| yes" in lines["fast enough"]
    assert "| NO " in lines["unknown"]
    assert "it did not start" in harness.table(figures)


def test_figures_survive_json(harness: ModuleType) -> None:
    figure = harness.figure("x", [3.0, 1.0, 2.0], "ms", below=40)
    assert (figure.reached, figure.low, figure.high) == (2.0, 1.0, 3.0)
    assert harness.figure_from_json(json.loads(json.dumps(figure.to_json()))) == figure


def test_rounds_are_interleaved(harness: ModuleType) -> None:
    ran: list[str] = []
    cases = {name: (lambda name=name: ran.append(name) or len(ran)) for name in "abc"}
    results = harness.interleave(cases, 4)
    rounds = [ran[i : i + 3] for i in range(0, 12, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    for i in range(4):  # element i of every case comes from round i
        assert {(results[name][i] - 1) // 3 for name in "abc"} == {i}


def test_the_machine_is_described_without_paths(harness: ModuleType) -> None:
    text = json.dumps(harness.machine())
    assert str(Path.home()) not in text and str(BENCHMARKS.parent) not in text


def test_a_benchmark_that_fails_gets_a_row(
    harness: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = importlib.import_module("run_all").run_one("no_such_benchmark", quick=True)
    assert row.met is False and "exit code 2" in row.note


@pytest.mark.parametrize("tool", ["none", "joulecast"])
def test_training_loop(tool: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    done = run_script("train_loop.py", tool, "--epochs", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["accuracy"] > 0.8
    # The parts do not overlap and add up to almost all of the CPU time.
    assert 0 < result["second_half_training_cpu_s"] < result["training_cpu_s"]
    assert 0 < result["second_half_tool_cpu_s"] < result["tool_cpu_s"]
    parts = result["training_cpu_s"] + result["tool_cpu_s"]
    assert parts == pytest.approx(result["cpu_s"], rel=0.2)


def test_startup(tmp_path: Path) -> None:
    figures = figures_of("startup.py", tmp_path)
    assert figures["torch, rich or numpy imported with it"]["reached"] == 0
    wrapped = figures["joulecast run true, beyond true"]
    assert "exit code" in wrapped["note"]


def test_storage(tmp_path: Path) -> None:
    figures = figures_of("storage.py", tmp_path)
    assert figures["an hour of 8 GPUs at 10 Hz, on disk"]["reached"] > 0
    assert figures["joulecast report --text of an hour"]["reached"] > 0
    assert figures["joulecast report -o FILE.html of an hour"]["reached"] > 0
    assert figures["joulecast compare of 1,000 runs"]["reached"] > 0


def test_gpu_collection_without_a_gpu_is_skipped(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = run_script("gpu_collect.py", "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("skipped: ")
    assert list(tmp_path.iterdir()) == []


def test_gpu_collection_rehearsed_on_the_cpu(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "data"
    done = run_script(
        "gpu_collect.py", "--device", "cpu", "--quick", "--out", str(out), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.json")
    document = json.loads(path.read_text())
    names = [phase["name"] for phase in document["phases"]]
    assert names[0] == "idle" and names[-1] == "training" and len(names) == 5
    assert all(phase["duration_s"] > 0 for phase in document["phases"])
    assert len(document["epochs"]) == 2
    with path.with_suffix(".csv").open() as file:
        assert next(csv.reader(file)) == ["t_s", "power_w", "polled_power_w"]


def test_progress(tmp_path: Path) -> None:
    figures = figures_of("progress.py", tmp_path)
    (right,) = [f for name, f in figures.items() if name.startswith("epochs right")]
    assert right["at_least"] == 100 and 0 <= right["reached"] <= 100
    scores = json.loads((tmp_path / "figures.json").read_text())["scores"]
    assert {s["name"].split("-")[0] for s in scores} == {"tqdm"}
    assert right["reached"] == pytest.approx(100 * sum(s["right"] for s in scores) / len(scores))
