"""The benchmark of early stopping trains real networks and reports its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "early_stopping.py"


def test_it_runs_quickly(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    out = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "--json", str(out)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    figures = {f["name"]: f for f in json.loads(out.read_text())["figures"]}
    inside = figures["after 5 epochs: last epoch in its 90 % interval"]
    assert 0 < inside["reached"] <= 100 and "questions" in inside["note"]
    assert figures["one answer with 200 of 400 epochs seen"]["reached"] > 0
