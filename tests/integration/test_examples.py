"""The examples in the docstrings of public functions and classes run as written."""

from __future__ import annotations

import doctest
import importlib
import inspect
import time
from pathlib import Path
from typing import Any

import pytest

import joulecast

NAMES = [name for name in joulecast.__all__ if not name.startswith("__")]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(joulecast, name))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
RUNS = """architecture,device,energy_j,accuracy
a,x,10,0.90
a,x,11,0.91
a,y,12,0.89
a,y,13,0.92
b,x,20,0.95
b,x,22,0.96
b,y,24,0.94
b,y,26,0.97
"""
EPOCHS = "run_id,epoch,duration_s,energy_j,planned_epochs\n" + "".join(
    f"r{run},{epoch},{10 + run},{100 + run + epoch},8\n" for run in range(3) for epoch in range(8)
)
STUDY = """name = "digits"
entry = "train.py:train"
repetitions = 2
[factors]
architecture = ["mlp", "cnn"]
[quality]
metric = "accuracy"
"""
TRAIN = """import time
def train(architecture):
    time.sleep(0.3)
    return {"accuracy": 0.9 if architecture == "mlp" else 0.95}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that examples name, and a ledger with a run and a study."""
    folder = tmp_path_factory.mktemp("examples")
    files = {"runs.csv": RUNS, "epochs.csv": EPOCHS, "study.toml": STUDY, "train.py": TRAIN}
    for name, text in files.items():
        (folder / name).write_text(text)
    ledger = folder / "ledger.sqlite"
    with joulecast.record("digits", epochs=2, ledger=ledger, quiet=True) as run:
        for _ in run.epochs():
            time.sleep(0.6)
            run.log(accuracy=0.9)
    joulecast.run_study(joulecast.read_study(folder / "study.toml"), ledger=ledger, folder=folder)
    return folder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_is_documented(name: str) -> None:
    text = inspect.getdoc(getattr(joulecast, name)) or ""
    assert ">>>" in text
    if inspect.signature(getattr(joulecast, name)).parameters:
        assert "Args:" in text


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JOULECAST_LEDGER", str(folder / "ledger.sqlite"))
    thing: Any = getattr(joulecast, name)
    module = importlib.import_module(thing.__module__)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder(recurse=True).find(thing, name, module=module):
        test.globs.update(joulecast=joulecast)
        runner.run(test)
    assert runner.failures == 0
